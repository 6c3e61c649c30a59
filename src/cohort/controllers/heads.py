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
