"""`Transitions`: single steps, as a memory of steps gives them and actor-critic learners read them."""

from dataclasses import dataclass, field, fields

from torch import Tensor


@dataclass(frozen=True)
class Transitions:
    """B single steps, each with what was seen before and after it.

    `terminated` ends the game; `truncated` marks the last step of an episode that was only cut off.
    """

    obs: Tensor  # [B, N, O] float32
    next_obs: Tensor  # [B, N, O] float32
    state: Tensor  # [B, S] float32
    next_state: Tensor  # [B, S] float32
    available_actions: Tensor  # [B, N, A] bool
    next_available_actions: Tensor  # [B, N, A] bool
    actions: Tensor  # [B, N] int64, or [B, N, U] float32 where actions are continuous
    reward: Tensor  # [B] float32, or [B, N] where agents have rewards of their own
    terminated: Tensor  # [B] bool
    truncated: Tensor  # [B] bool
    extras: dict[str, Tensor] = field(default_factory=dict)  # {name: [B, ...]} what acting added to the step

    @property
    def batch_size(self) -> int:
        return self.reward.shape[0]

    def rows(self, chosen: Tensor) -> "Transitions":
        """Some of the steps, or all of them in another order: [R] int64."""
        changed = {}
        for each in fields(self):
            value = getattr(self, each.name)
            changed[each.name] = (
                {name: tensor[chosen] for name, tensor in value.items()}
                if isinstance(value, dict)
                else value[chosen]
            )
        return Transitions(**changed)
