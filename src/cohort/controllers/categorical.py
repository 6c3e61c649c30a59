"""Stochastic policies for discrete actions, one network for each agent."""

import torch
from torch import Tensor, nn

from cohort.components.functional import masked_log_softmax
from cohort.controllers.sampling import Sampling
from cohort.envs.base import EnvSpec, Observation
from cohort.settings import NoSettings


class CategoricalController(nn.Module):
    """pi_i(a | o_i) = softmax over the available actions of actor_i(o_i): no shared weights, no memory (MAAC)."""

    Settings = NoSettings

    policy = "action probabilities"
    weights = "own"

    def __init__(self, settings: NoSettings, *, spec: EnvSpec, agent, action_selector: Sampling) -> None:
        """`agent(input_dim=, output_dim=, n_agents=)` makes the networks once their sizes are known."""
        super().__init__()
        if spec.action_dim:
            raise ValueError(
                "mac=categorical_mac chooses among discrete actions, and this environment's are continuous: "
                "choose an algorithm for continuous actions, or another environment"
            )
        self.action_selector = action_selector
        self.actors = agent(input_dim=spec.obs_dim, output_dim=spec.n_actions, n_agents=spec.n_agents)

    def initial_memory(self, batch_size: int) -> None:
        """These policies remember nothing."""

    @torch.inference_mode()
    def act(
        self, observation: Observation, memory: None, t_env: int, generator: torch.Generator | None
    ) -> tuple[Tensor, None]:
        """Actions [B, N] for one step, drawn with `generator`'s randomness or, without one, the likeliest."""
        available = observation.available_actions
        probabilities = masked_log_softmax(self.actors.step(observation.obs), available).exp()
        return self.action_selector.select(probabilities, available, t_env, generator), None

    def forward(self, obs: Tensor) -> Tensor:
        """A batch to learn from: [B, N, O] -> logits [B, N, A] of all actions, available or not."""
        return self.actors(obs)
