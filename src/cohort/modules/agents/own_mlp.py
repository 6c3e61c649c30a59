"""A feed-forward network for each agent, with weights of its own."""

from pydantic import Field
from torch import Tensor, nn

from cohort.modules.agents.feed_forward import FeedForward
from cohort.modules.stacked import Activation, StackedMLP
from cohort.settings import Settings


class OwnMLPAgentsSettings(Settings):
    agent_hidden_dims: tuple[int, ...] = Field(
        min_length=1, description="units of the hidden layers of each agent's network, as [64, 64]"
    )
    agent_activation: Activation = Field(description="activation behind each hidden layer of the agents")


class OwnMLPAgents(FeedForward):
    """N multilayer perceptrons without shared weights, evaluated side by side."""

    Settings = OwnMLPAgentsSettings

    weights = "own"

    def __init__(
        self, settings: OwnMLPAgentsSettings, *, input_dim: int, output_dim: int, n_agents: int
    ) -> None:
        super().__init__()
        sizes = (input_dim, *settings.agent_hidden_dims, output_dim)
        self.networks = StackedMLP(n_agents, sizes, settings.agent_activation)

    @property
    def last_layers(self) -> list[nn.Module]:
        return [self.networks.layers[-1]]

    def rows(self, inputs: Tensor) -> Tensor:
        return self.networks(inputs.transpose(0, 1)).transpose(0, 1)
