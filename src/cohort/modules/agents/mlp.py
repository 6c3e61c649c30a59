"""A feed-forward network that all agents share."""

from itertools import chain, pairwise

from pydantic import Field
from torch import Tensor, nn

from cohort.modules.agents.feed_forward import FeedForward
from cohort.settings import Settings


class MLPAgentSettings(Settings):
    agent_hidden_dims: tuple[int, ...] = Field(
        min_length=1, description="units of the hidden layers of each agent's network, as [64, 64]"
    )


class MLPAgent(FeedForward):
    """Linear and ReLU by turns, then Linear, of what the agent observes at this moment.

    With [64, 64] it is EPyMARL's network without recurrence (arXiv:2006.07869). All agents share the weights.
    """

    Settings = MLPAgentSettings

    weights = "shared"

    def __init__(self, settings: MLPAgentSettings, *, input_dim: int, output_dim: int, n_agents: int) -> None:
        super().__init__()
        sizes = (input_dim, *settings.agent_hidden_dims, output_dim)
        layers = [nn.Linear(*each) for each in pairwise(sizes)]
        behind = [nn.ReLU() for _ in settings.agent_hidden_dims]
        self.layers = nn.Sequential(*chain(*zip(layers, behind, strict=False)), layers[-1])

    @property
    def last_layers(self) -> list[nn.Module]:
        return [self.layers[-1]]

    def rows(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)
