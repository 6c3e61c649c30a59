"""Deterministic policies for continuous actions, one network for each agent."""

import torch
from torch import Tensor, nn

from cohort.controllers.uniform_mixture import UniformMixture
from cohort.envs.base import EnvSpec, Observation
from cohort.settings import NoSettings


class DeterministicController(nn.Module):
    """a_i = tanh(actor_i(o_i)): no shared weights, no memory (AdaMa, section 3.1)."""

    Settings = NoSettings

    policy = "continuous actions"
    weights = "own"

    def __init__(
        self, settings: NoSettings, *, spec: EnvSpec, agent, action_selector: UniformMixture
    ) -> None:
        """`agent(input_dim=, output_dim=, n_agents=)` makes the networks once their sizes are known."""
        super().__init__()
        if not spec.action_dim:
            raise ValueError(
                "mac=deterministic_mac moves in continuous actions, and this environment's are discrete: "
                "choose an algorithm for discrete actions, or another environment"
            )
        self.action_selector = action_selector
        self.actors = agent(input_dim=spec.obs_dim, output_dim=spec.action_dim, n_agents=spec.n_agents)

    def initial_memory(self, batch_size: int) -> None:
        """These policies remember nothing."""

    @torch.inference_mode()
    def act(
        self, observation: Observation, memory: None, t_env: int, generator: torch.Generator | None
    ) -> tuple[Tensor, None]:
        """Actions [B, N, U] for one step, exploring with `generator`'s randomness or, without one, as they are."""
        actions = torch.tanh(self.actors.step(observation.obs))
        return self.action_selector.select(actions, observation.available_actions, t_env, generator), None

    def forward(self, obs: Tensor) -> Tensor:
        """[B, N, O] -> [B, N, U] in [-1, 1]."""
        return torch.tanh(self.actors(obs))
