"""Q-learning on a mixed joint value: IQL, VDN and QMIX."""

from collections.abc import Callable
from functools import partial
from typing import Literal, Protocol

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import greedy_actions, taken
from cohort.components.returns import td_lambda_returns
from cohort.controllers.team_policy import TeamPolicy
from cohort.envs.base import EnvSpec
from cohort.learners.annealing import AnnealedRateSettings
from cohort.learners.base import DiscountSettings, Learner, Loss
from cohort.learners.flat import FlatParameters
from cohort.learners.mixing import Networks, refuse_other_mixer
from cohort.learners.optimisers import Adam, RMSprop
from cohort.learners.packed import PackedEpisodes
from cohort.learners.targets import ChosenTargetSettings, PolicyAverageSettings
from cohort.learners.temporal_difference import temporal_difference
from cohort.modules.mixers.simple import IndependentMixer


class QLearnerSettings(AnnealedRateSettings, PolicyAverageSettings, ChosenTargetSettings, DiscountSettings):
    optimizer: Literal["rmsprop", "adam"] = Field(
        default="rmsprop", description="RMSprop as in PyMARL, or Adam as in EPyMARL"
    )
    optim_alpha: float = Field(ge=0, lt=1, description="RMSprop's smoothing of squared gradients")
    optim_eps: float = Field(gt=0, description="RMSprop's term for numerical stability")
    grad_norm_clip: float = Field(gt=0, description="largest norm of the whole gradient")
    double_q: bool = Field(description="live networks choose the next action, target networks value it")
    td_lambda: float = Field(
        ge=0,
        le=1,
        description="lambda of the targets' returns: 0 looks one step ahead, 1 to the episode's end",
    )

    @property
    def rmsprop(self) -> Callable[..., torch.optim.Optimizer]:
        """`rmsprop(parameters, lr=)`, whatever `optimizer` is."""
        return partial(RMSprop, alpha=self.optim_alpha, eps=self.optim_eps)

    def make_optimiser(self, parameters: list[Tensor]) -> torch.optim.Optimizer:
        if self.optimizer == "adam":
            return Adam(parameters, lr=self.lr, eps=self.optim_eps)
        return self.rmsprop(parameters, lr=self.lr)


class Mixing(Protocol):
    """How utilities become joint values: a part that a learner owns. Rows R are the real steps of a batch."""

    networks: dict[str, nn.Module]  # what it brings to the learner's networks

    def joint(self, networks: Networks, chosen: Tensor, batch: PackedEpisodes) -> Tensor:
        """Values of the taken actions: utilities [R, N] -> [R, J]."""

    def next_joint(self, targets: Networks, chosen: Tensor, batch: PackedEpisodes) -> Tensor:
        """Values one step later: utilities [R, N] of the next actions -> [R, J]."""


class StateMixing:
    """By a mixer that reads the utilities and the state, all real steps as those of one episode."""

    def __init__(self, mixer: nn.Module) -> None:
        refuse_other_mixer(mixer, ("utilities", "state"))
        self.networks: dict[str, nn.Module] = {"mixer": mixer}

    def joint(self, networks: Networks, chosen: Tensor, batch: PackedEpisodes) -> Tensor:
        return networks["mixer"](chosen.unsqueeze(0), batch.states_before.unsqueeze(0)).squeeze(0)

    def next_joint(self, targets: Networks, chosen: Tensor, batch: PackedEpisodes) -> Tensor:
        return targets["mixer"](chosen.unsqueeze(0), batch.states_after.unsqueeze(0)).squeeze(0)


class QLearner(Learner):
    """QMIX (arXiv:1803.11485, eq. 6-7); VDN and IQL with their mixers.

    Departs from it in: double Q-targets (as PyMARL), one recurrent unroll over the whole episode.
    """

    Settings = QLearnerSettings
    parts = ("mixer",)
    policy_kind = "utilities"

    def __init__(
        self,
        settings: QLearnerSettings,
        *,
        spec: EnvSpec,
        policy: TeamPolicy,
        make_mixer: Callable[..., nn.Module],
        device: torch.device,
        seed: int,
    ) -> None:
        """`policy` stands on `device`, and so does what `make_mixer()` makes; `seed` feeds what a method draws."""
        mixer = make_mixer()
        refuse_own_rewards(spec, mixer)
        self.policy = policy
        self.mixing = self.make_mixing(settings, mixer, spec=spec, device=device, seed=seed)
        networks = {"policy": policy, **self.mixing.networks}
        rules = {**dict.fromkeys(networks, settings.target_rule), **settings.average_rules}
        super().__init__(settings, networks, rules)
        parameters = FlatParameters(_trained(network) for network in self.networks.values())
        optimiser = settings.make_optimiser(parameters.flat)
        self.add_loss(
            "td",
            parameters,
            optimiser,
            grad_norm_clip=settings.grad_norm_clip,
            prefix="",
            rate=settings.rate,
        )

    def make_mixing(
        self, settings: QLearnerSettings, mixer: nn.Module, *, spec: EnvSpec, device: torch.device, seed: int
    ) -> Mixing:
        """How utilities become joint values."""
        return StateMixing(mixer)

    def step(self, batch: Episodes) -> Metrics:
        return self.minimise("td", self.loss(batch))

    def loss(self, episodes: Episodes) -> Loss:
        batch = PackedEpisodes.of(episodes, self.policy)
        return self.mixed_loss(self.mixing, self.networks, self.targets, batch, *self.utilities(batch))

    def mixed_loss(
        self,
        mixing: Mixing,
        networks: Networks,
        targets: Networks,
        batch: PackedEpisodes,
        chosen: Tensor,
        next_chosen: Tensor,
    ) -> Loss:
        """Of joint values that are mixed from utilities of the taken and of the next actions, [R, N] both."""
        episodes = batch.episodes
        joint = batch.packing.padded(mixing.joint(networks, chosen, batch))  # [B, T, J]
        with torch.no_grad():
            target = self.returns(mixing.next_joint(targets, next_chosen, batch), batch)
        return self.temporal_difference(joint, target, episodes)

    def returns(self, next_joint: Tensor, batch: PackedEpisodes) -> Tensor:
        """Targets of all steps from the joint values one step later: [R, J] -> [B, T, J]."""
        episodes = batch.episodes
        return td_lambda_returns(
            episodes.reward,
            episodes.terminated,
            batch.packing.padded(next_joint),
            episodes.mask,
            self.settings.gamma,
            self.settings.td_lambda,
        )

    def utilities(self, batch: PackedEpisodes) -> tuple[Tensor, Tensor]:
        """Live utilities of the taken actions and target utilities of the next ones, at real steps: [R, N] both."""
        utilities = self.policy.unroll_packed(batch.inputs, batch.packing)  # [P, N, A]
        with torch.no_grad():
            later = self.targets["policy"].unroll_packed(batch.inputs, batch.packing)
        return self.chosen(utilities, later, batch)

    def chosen(self, utilities: Tensor, later: Tensor, batch: PackedEpisodes) -> tuple[Tensor, Tensor]:
        """The same from live and target utilities at every real moment: [P, N, A] -> [R, N] both."""
        packing, episodes = batch.packing, batch.episodes
        with torch.no_grad():
            next_utilities = packing.after_steps(later)
            chooser = packing.after_steps(utilities) if self.settings.double_q else next_utilities
            best = greedy_actions(
                chooser, packing.after_steps(packing.of_moments(episodes.available_actions))
            )
        chosen = taken(packing.before_steps(utilities), packing.of_steps(episodes.actions))
        return chosen, taken(next_utilities, best)

    @staticmethod
    def temporal_difference(
        joint: Tensor, target: Tensor, episodes: Episodes, weight: Tensor | float = 1.0
    ) -> Loss:
        """Mean squared error over real steps, squares weighted; [B, T, J] both, no gradient through the target."""
        n_agents = episodes.obs.shape[2]
        return temporal_difference(joint, target, episodes.mask.unsqueeze(-1), weight, logged_over=n_agents)


def refuse_own_rewards(spec: EnvSpec, mixer: nn.Module) -> None:
    """Raises `ValueError` where a mixer learns one value for the team and every agent has a reward of its own."""
    if not spec.common_reward and not isinstance(mixer, IndependentMixer):
        raise ValueError(
            "a mixer learns one value for the team, and here every agent has a reward of its own: "
            "choose mixer=independent (--config=iql), or give the environment a common reward"
        )


def _trained(network: nn.Module) -> list[nn.Parameter]:
    return [each for each in network.parameters() if each.requires_grad]
