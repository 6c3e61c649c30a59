"""Heads for discrete actions: what a team's policy makes of its network's outputs, and what kind of policy that is."""

from torch import Tensor, nn

from cohort.components.distributions import Categorical, Utilities
from cohort.envs.base import EnvSpec
from cohort.settings import NoSettings


class _DiscreteHead(nn.Module):
    """One output for each action."""

    Settings = NoSettings

    def __init__(self, settings: NoSettings, *, spec: EnvSpec) -> None:
        super().__init__()
        if spec.action_dim:
            raise ValueError(
                f"head={self.name} chooses among discrete actions, and this environment's are continuous: "
                "choose an algorithm for continuous actions, or another environment"
            )
        self.output_dim = spec.n_actions

    def begin(self, network: nn.Module) -> None:
        """Networks begin as they are."""

    def forward(self, outputs: Tensor) -> Tensor:
        return outputs


class UtilityHead(_DiscreteHead):
    """Outputs are utilities Q_i(a) (value-based methods)."""

    policy_kind = name = "utilities"

    def decide(self, values: Tensor, available_actions: Tensor) -> Utilities:
        """[..., A], [..., A] bool."""
        return Utilities(values, available_actions)


class CategoricalHead(_DiscreteHead):
    """Outputs are logits: pi_i(a) = softmax over the available actions."""

    policy_kind, name = "action probabilities", "categorical"

    def decide(self, values: Tensor, available_actions: Tensor) -> Categorical:
        """[..., A], [..., A] bool."""
        return Categorical(values, available_actions)


class CategoricalValueHead(CategoricalHead):
    """Outputs are logits and, last, what the agent expects: pi_i and V_i on one body, as VDAC has them."""

    policy_kind, name = ("action probabilities", "action probabilities and values"), "categorical_value"

    def __init__(self, settings: NoSettings, *, spec: EnvSpec) -> None:
        super().__init__(settings, spec=spec)
        self.output_dim = spec.n_actions + 1

    def decide(self, values: Tensor, available_actions: Tensor) -> Categorical:
        """[..., A+1], [..., A] bool."""
        return Categorical(values[..., :-1], available_actions)

    @staticmethod
    def local_values(values: Tensor) -> Tensor:
        """V_i: [..., A+1] -> [...]."""
        return values[..., -1]
