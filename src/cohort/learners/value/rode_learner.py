"""RODE: roles made of actions that do the same, chosen every few steps, and Q-learning on both levels."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.components.functional import greedy_actions
from cohort.components.seeding import derive_seed, generator
from cohort.controllers.epsilon_greedy import epsilon_greedy
from cohort.controllers.role_team_policy import RoleTeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.base import Loss
from cohort.learners.mixing import Prefixed
from cohort.learners.packed import PackedEpisodes
from cohort.learners.value.action_effects import ActionEffectsSettings, effects_loss
from cohort.learners.value.q_learner import (
    Mixing,
    QLearner,
    QLearnerSettings,
    StateMixing,
    refuse_own_rewards,
)
from cohort.learners.value.role_chunks import RoleChunks
from cohort.learners.value.role_clusters import RoleSpacesSettings
from cohort.modules.roles import FIRST_ROLES, RoleSpaces

ACTION, ROLE = "", "role_"  # the two levels: before the names of the role level's networks and metrics
EFFECTS = "action_effects"


class RODELearnerSettings(RoleSpacesSettings, ActionEffectsSettings, QLearnerSettings):
    role_interval: int = Field(ge=1, description="steps between two choices of a role")
    role_action_spaces_update_start: int = Field(
        ge=0,
        description="environment steps after which roles are formed; representations are learned until then",
    )
    stored_roles: bool = Field(
        description="the action level learns in the roles that were played (False: in roles chosen anew)"
    )
    reselection_epsilon: float = Field(
        ge=0, le=1, description="chance of a random role where the learner chooses roles anew"
    )
    rode_faithful_optimizer: bool = Field(
        description="policies of a fourth role and later ones never learn, as in RODE's code"
    )


class Level(NamedTuple):
    """What a level of the team is taught: R of its steps, and what was chosen in them."""

    batch: PackedEpisodes
    chosen: Tensor  # [R, N], live utilities of the taken actions
    next_chosen: Tensor  # [R, N], target utilities of the next ones


class RODELearner(QLearner):
    """RODE (Wang et al., arXiv:2010.01523): section 3 and its authors' code.

    Both levels learn as QMIX does, each by a mixer of its own, from one loss. The role level's steps are chunks of
    `role_interval` steps. docs/rode.md has a line for each key and every departure.
    """

    Settings = RODELearnerSettings
    parts = ("mixer", "role_mixer")
    extras = ("roles",)
    provides = ("roles",)
    requires_of_mac = ("roles",)

    policy: RoleTeamPolicy

    def __init__(
        self,
        settings: RODELearnerSettings,
        *,
        spec: EnvSpec,
        policy: RoleTeamPolicy,
        make_role_mixer: Callable[..., nn.Module],
        device: torch.device,
        seed: int,
        **parts: Any,
    ) -> None:
        """`make_role_mixer()` makes the role level's mixer; all else is as `QLearner` has it."""
        settings.refuse_unknown_actions(spec.n_actions)
        role_mixer = make_role_mixer()
        refuse_own_rewards(spec, role_mixer)
        self.role_mixing = self.make_role_mixing(
            settings, role_mixer, policy=policy, spec=spec, device=device, seed=derive_seed(seed, "roles")
        )
        super().__init__(settings, spec=spec, policy=policy, device=device, seed=seed, **parts)
        self.networks[EFFECTS] = settings.representations(spec).to(device)
        self.add_networks_loss(
            EFFECTS,
            (EFFECTS,),
            partial(settings.rmsprop, lr=settings.lr),
            grad_norm_clip=settings.grad_norm_clip,
        )
        self.generator = generator(seed, "roles", device)
        self.formed = torch.tensor(False)  # on the CPU: asked before every update
        self.keep(role_generator=self.generator, roles_formed=self.formed)

    def make_role_mixing(
        self,
        settings: RODELearnerSettings,
        mixer: nn.Module,
        *,
        policy: RoleTeamPolicy,
        spec: EnvSpec,
        device: torch.device,
        seed: int,
    ) -> Mixing:
        """How the values of roles become joint values."""
        return StateMixing(mixer)

    def make_action_mixing(
        self,
        settings: RODELearnerSettings,
        mixer: nn.Module,
        *,
        spec: EnvSpec,
        device: torch.device,
        seed: int,
    ) -> Mixing:
        """How the utilities of actions become joint values."""
        return StateMixing(mixer)

    def make_mixing(self, settings: RODELearnerSettings, mixer: nn.Module, **parts: Any) -> Mixing:
        mixing = self.make_action_mixing(settings, mixer, **parts)
        of_roles = {ROLE + name: network for name, network in self.role_mixing.networks.items()}
        mixing.networks = {**mixing.networks, **of_roles}
        return mixing

    def update(self, batch: Episodes, clock: Clock) -> Metrics:
        """One update; the first one after `role_action_spaces_update_start` steps is followed by the roles' forming."""
        metrics = super().update(batch, clock)
        if not self.formed and clock.steps > self.settings.role_action_spaces_update_start:
            self.form_roles(clock)
        return metrics

    @torch.no_grad()
    def form_roles(self, clock: Clock) -> None:
        """Cluster the actions by what they do, once: representations and roles stay as they are from now on."""
        latents = self.networks[EFFECTS].latents()
        allowed = self.settings.spaces(latents).to(latents.device)
        self.policy.roles.become(RoleSpaces(allowed, latents))
        self.targets.copy_now(clock)
        self.formed.fill_(True)

    def step(self, batch: Episodes) -> Metrics:
        loss = self.loss(batch)
        gradient = self.gradient("td", loss)
        if self.settings.rode_faithful_optimizer:
            gradient = self.without_later_roles(gradient)
        metrics = self.step_along("td", gradient, loss)
        if not self.formed:
            effects = effects_loss(self.networks[EFFECTS], batch, self.settings)
            metrics |= self.minimise(EFFECTS, effects)
        return metrics

    def without_later_roles(self, gradient: Any) -> list[Tensor | None]:
        """The gradient, zero for the policies of roles behind the first three."""
        last = {each for layer in self.policy.network.last_layers for each in layer.parameters()}
        trained = FIRST_ROLES * self.settings.action_latent_dim
        parameters = self.parameters_of("td")
        return [
            torch.cat([each[:trained], torch.zeros_like(each[trained:])]) if parameter in last else each
            for parameter, each in zip(parameters, gradient, strict=True)
        ]

    def loss(self, episodes: Episodes) -> Loss:
        levels = self.levels(episodes, self.generator)
        actions = self.mixed_loss(self.mixing, self.networks, self.targets, *levels[ACTION])
        live, target = Prefixed(self.networks, ROLE), Prefixed(self.targets, ROLE)
        roles = self.mixed_loss(self.role_mixing, live, target, *levels[ROLE])
        metrics = {ROLE + name: value for name, value in roles.metrics.items()}
        metrics[f"{ROLE}loss"] = roles.value.detach()
        return Loss(actions.value + roles.value, actions.metrics | metrics)

    def levels(self, episodes: Episodes, generator: torch.Generator) -> dict[str, Level]:
        """What both levels are taught; `generator` draws where roles are chosen anew."""
        batch = PackedEpisodes.of(episodes, self.policy)
        played = episodes.extras["roles"].long()  # [B, T, N]
        chunks = RoleChunks.of(batch, self.settings.role_interval, played, self.policy.roles.exists)
        values = self.role_values(self.policy, batch, chunks)
        with torch.no_grad():
            later = self.role_values(self.targets["policy"], batch, chunks)
        roles, later_roles = self.roles(values, later, chunks, generator)
        return {
            ACTION: Level(batch, *self.utilities_in(roles, later_roles, batch)),
            ROLE: Level(chunks.batch, *self.chosen(values, later, chunks.batch)),
        }

    @staticmethod
    def role_values(policy: RoleTeamPolicy, batch: PackedEpisodes, chunks: RoleChunks) -> Tensor:
        """Q_i(rho) at the moments when roles are chosen: [P', N, R]."""
        outputs = policy.unroll_roles(batch.inputs, batch.packing)  # [P, N, H]
        return policy.role_values(chunks.at_choices(outputs))

    def utilities_in(
        self, roles: Tensor, later_roles: Tensor, batch: PackedEpisodes
    ) -> tuple[Tensor, Tensor]:
        """`QLearner.utilities` of agents in roles, [P, N] for live and target networks."""
        live, target = self.policy, self.targets["policy"]
        queries = live.unroll_packed(batch.inputs, batch.packing)  # [P, N, R, D]
        with torch.no_grad():
            target_queries = target.unroll_packed(batch.inputs, batch.packing)
            later = target.roles.action_values(target_queries, later_roles)
        return self.chosen(live.roles.action_values(queries, roles), later, batch)

    @torch.no_grad()
    def roles(
        self, values: Tensor, later: Tensor, chunks: RoleChunks, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The role of every agent at every moment, for live and target networks: [P, N] int64 both.

        Chosen anew, each side chooses by its own values; of roles that were played, the last moment's may not be known,
        and is then the live networks' choice.
        """
        if not self.settings.stored_roles:
            live, target = (self.reselected(each, generator) for each in (values, later))
            return chunks.spread(live), chunks.spread(target)
        exists = self.policy.roles.exists.expand_as(values)
        choices = greedy_actions(values, exists)  # [P', N]
        packing, episodes = chunks.batch.packing, chunks.batch.episodes
        choices.index_copy_(0, packing.before, packing.of_steps(episodes.actions))
        roles = chunks.spread(choices)
        return roles, roles

    def reselected(self, values: Tensor, generator: torch.Generator) -> Tensor:
        """Roles by their values, epsilon-greedily: [P', N, R] -> [P', N]."""
        return epsilon_greedy(self.policy.decide_roles(values), self.settings.reselection_epsilon, generator)

    def diagnostics(self, episodes: Episodes) -> Metrics:
        """How many roles there are, and how often each was played."""
        played = episodes.extras["roles"][episodes.mask]  # [R, N]
        exists = self.policy.roles.exists
        shares = {
            f"{ROLE}{role}_share": (played == role).float().mean() for role in range(self.policy.roles.most)
        }
        return {"n_roles": exists.sum(), **shares}
