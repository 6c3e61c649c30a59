"""A feed-forward network for each agent behind a normalisation of what it observes."""

from torch import Tensor, nn
from torch.nn import functional as F

from cohort.modules.agents.own_mlp import OwnMLPAgents, OwnMLPAgentsSettings


class NormedOwnMLPAgents(OwnMLPAgents):
    """Batch normalisation of each agent's inputs, without scale and shift, then its own perceptron (MAAC's actors).

    Learning normalises by the batch, of at least two rows, which the running statistics follow; acting normalises by
    those, so that rows do not influence one another.
    """

    def __init__(
        self, settings: OwnMLPAgentsSettings, *, input_dim: int, output_dim: int, n_agents: int
    ) -> None:
        super().__init__(settings, input_dim=input_dim, output_dim=output_dim, n_agents=n_agents)
        self.norm = nn.BatchNorm1d(n_agents * input_dim, affine=False)

    def rows(self, inputs: Tensor) -> Tensor:
        return super().rows(self.norm(inputs.flatten(1)).view_as(inputs))

    def step(self, inputs: Tensor, hidden: None) -> tuple[Tensor, None]:
        running = F.batch_norm(
            inputs.flatten(1), self.norm.running_mean, self.norm.running_var, eps=self.norm.eps
        )
        return super().rows(running.view_as(inputs)), None
