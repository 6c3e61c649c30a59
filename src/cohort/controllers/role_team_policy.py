"""A team whose agents choose a role every few steps, and their actions in it (RODE)."""

from typing import Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from cohort.components.distributions import RestrictedUtilities, Utilities
from cohort.components.packing import Packing
from cohort.controllers.team_policy import Act, Draws, GreedyStep, TeamPolicy, TeamPolicySettings
from cohort.envs.base import EnvSpec, Observation


class RoleTeamPolicySettings(TeamPolicySettings):
    role_interval: int = Field(ge=1, description="steps between two choices of a role")
    role_selector_hidden_dim: int = Field(ge=1, description="units of the role selector's hidden layer")


class RoleMemory(NamedTuple):
    """What the team carries from one step to the next."""

    hidden: Tensor | None  # of the action level's network
    last_actions: Tensor | None  # [B, N] int64, as `Memory` has it
    role_hidden: Tensor | None  # of the role level's network
    roles: Tensor | None  # [B, N] int64; None before the first step
    step: int  # in the episode, of all games alike


class RoleTeamPolicy(TeamPolicy):
    """RODE's two levels (arXiv:2010.01523, sections 3.2 and 3.3), each with a body of its own, shared by the agents.

    Every `role_interval` steps the role selector picks the role whose representation is most like k(g_i); in between
    the role's policy picks actions that the role allows. `network` and its head are the action level.
    """

    Settings = RoleTeamPolicySettings

    provides = ("roles",)
    requires_of_head = ("roles",)
    requires_of_action_selector = ("roles",)
    requires_of_learner = ("roles",)

    def __init__(
        self,
        settings: RoleTeamPolicySettings,
        *,
        spec: EnvSpec,
        agent: Any,
        head: nn.Module,
        action_selector: Any,
        extras: tuple[str, ...] = (),
    ) -> None:
        super().__init__(
            settings, spec=spec, agent=agent, head=head, action_selector=action_selector, extras=extras
        )
        hidden = settings.role_selector_hidden_dim
        self.role_network = agent(input_dim=self.input_dim, output_dim=hidden, n_agents=spec.n_agents)
        self.role_selector = nn.Linear(hidden, head.latent_dim)

    @property
    def roles(self) -> Any:
        """What is fixed about the roles: `cohort.modules.roles.Roles`."""
        return self.head.roles

    def initial_memory(self, batch_size: int) -> RoleMemory:
        return RoleMemory(None, super().initial_memory(batch_size).last_actions, None, None, 0)

    @torch.inference_mode()
    def act(
        self, observation: Observation, memory: RoleMemory, t_env: int, generator: Draws, explore: bool = True
    ) -> Act:
        """One step of the team, exploring roles and actions or, without a generator, greedily. `roles` are recorded."""
        if not explore:
            generator = None  # utilities, of roles and of actions: there are no chances to test by
        inputs = self._inputs(observation.obs, memory.last_actions)
        role_outputs, role_hidden = self.role_network.step(inputs, memory.role_hidden)
        roles, selector = memory.roles, self.action_selector
        if memory.step % self.settings.role_interval == 0:
            choice = self.decide_roles(self.role_values(role_outputs))
            roles = choice.mode if generator is None else selector.select(choice, t_env, generator)
        decision, hidden = self._within(inputs, observation.available_actions, memory.hidden, roles)
        actions = decision.mode if generator is None else selector.select_within(decision, t_env, generator)
        last_actions = actions if self.settings.obs_last_action else None
        extras = {"roles": roles.to(torch.float32)} if "roles" in self.extras else {}
        return Act(actions, RoleMemory(hidden, last_actions, role_hidden, roles, memory.step + 1), extras)

    def first_memory(self, batch_size: int) -> RoleMemory:
        """The step in the episode is each game's own, [B, 1] int64."""
        step = self.agent_ids.new_zeros((batch_size, 1), dtype=torch.int64)
        return self.initial_memory(batch_size)._replace(roles=step.expand(-1, self.spec.n_agents), step=step)

    def greedy_step(self, obs: Tensor, available_actions: Tensor, memory: RoleMemory) -> GreedyStep:
        """`values` are Q_i(a | rho), [B, N, A]. Roles are valued in every step, and taken when it is time."""
        inputs = self._inputs(obs, memory.last_actions)
        role_outputs, role_hidden = self.role_network.step(inputs, memory.role_hidden)
        choice = self.decide_roles(self.role_values(role_outputs)).mode
        roles = torch.where(memory.step % self.settings.role_interval == 0, choice, memory.roles)
        decision, hidden = self._within(inputs, available_actions, memory.hidden, roles)
        actions = decision.mode
        last_actions = actions if self.settings.obs_last_action else None
        after = RoleMemory(hidden, last_actions, role_hidden, roles, memory.step + 1)
        return GreedyStep(actions, decision.values, after)

    def _within(
        self, inputs: Tensor, available_actions: Tensor, hidden: Tensor | None, roles: Tensor
    ) -> tuple[RestrictedUtilities, Tensor | None]:
        """A choice among the actions that each agent's role allows, and what the action level remembers."""
        outputs, hidden = self.network.step(inputs, hidden)
        values = self.roles.action_values(self.head(outputs), roles)
        return RestrictedUtilities(values, available_actions, self.roles.allowed[roles]), hidden

    def decide_roles(self, role_values: Tensor) -> Utilities:
        """A choice among the roles that exist: [..., R]."""
        return Utilities(role_values, self.roles.exists.expand_as(role_values))

    def role_values(self, role_outputs: Tensor) -> Tensor:
        """Q_i(rho) from what the role level's network makes of the moments: [..., N, H] -> [..., N, R]."""
        return self.roles.role_values(self.role_selector(F.relu(role_outputs)))

    def unroll_roles(self, inputs: Tensor, packing: Packing) -> Tensor:
        """The role level's network at all real moments, for `role_values`: [P, N, I] -> [P, N, H]."""
        return self.role_network.unroll(inputs, packing.sizes)
