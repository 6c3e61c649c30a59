"""Q-learning on a mixed joint value: IQL, VDN and QMIX."""

import inspect

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.functional import greedy_actions, masked_mean, one_step_target, taken
from cohort.controllers.shared import SharedController
from cohort.envs.base import EnvSpec
from cohort.learners.base import Loss, LossLearner, LossLearnerSettings
from cohort.modules.mixers.simple import IndependentMixer


class QLearnerSettings(LossLearnerSettings):
    double_q: bool = Field(description="live networks choose the next action, target networks value it")


class QLearner(LossLearner):
    """QMIX (arXiv:1803.11485, eq. 6-7); VDN and IQL with their mixers.

    Departs from it in: double Q-targets (as PyMARL), one recurrent unroll over the whole episode.
    """

    Settings = QLearnerSettings
    parts = ("mixer",)
    policy = "utilities"

    mixer_inputs: tuple[str, ...] = ("utilities", "state")

    def __init__(
        self,
        settings: QLearnerSettings,
        *,
        spec: EnvSpec,
        controller: SharedController,
        mixer: nn.Module,
        device: torch.device,
        seed: int,
        **networks: nn.Module,
    ) -> None:
        """`controller` and `mixer` stand on `device`; `networks` are what a method trains besides."""
        refuse_other_mixer(mixer, self.mixer_inputs, type(self).__name__)
        if not spec.common_reward and not isinstance(mixer, IndependentMixer):
            raise ValueError(
                "a mixer learns one value for the team, and here every agent has a reward of its own: "
                "choose mixer=independent (--config=iql), or give the environment a common reward"
            )
        super().__init__(settings, nn.ModuleDict({"controller": controller, "mixer": mixer, **networks}))

    def loss(self, episodes: Episodes) -> Loss:
        chosen, next_chosen, inputs = self.utilities(episodes)
        joint = self.mix(chosen, episodes, inputs)  # [B, T, J]
        with torch.no_grad():
            next_joint = self.mix_next(next_chosen, episodes, inputs)
            target = one_step_target(episodes.reward, episodes.terminated, next_joint, self.settings.gamma)
        return self.temporal_difference(joint, target, episodes)

    def utilities(self, episodes: Episodes) -> tuple[Tensor, Tensor, Tensor]:
        """Live utilities of the taken actions [B, T, N], target utilities of the next ones, network inputs."""
        inputs = self.networks["controller"].inputs(episodes)  # [B, T+1, N, I]
        utilities = self.networks["controller"].unroll(inputs, episodes)  # [B, T+1, N, A]
        with torch.no_grad():
            next_utilities = self.targets["controller"].unroll(inputs, episodes)[:, 1:]
            chooser = utilities[:, 1:] if self.settings.double_q else next_utilities
            best = greedy_actions(chooser, episodes.available_actions[:, 1:])
        return taken(utilities[:, :-1], episodes.actions), taken(next_utilities, best), inputs

    def mix(self, chosen: Tensor, episodes: Episodes, inputs: Tensor) -> Tensor:
        """Live joint values of the taken actions: [B, T, N] -> [B, T, J]."""
        return self.networks["mixer"](chosen, episodes.state[:, :-1])

    def mix_next(self, next_chosen: Tensor, episodes: Episodes, inputs: Tensor) -> Tensor:
        """Target joint values one step later: [B, T, N] -> [B, T, J]."""
        return self.targets["mixer"](next_chosen, episodes.state[:, 1:])

    @staticmethod
    def temporal_difference(joint: Tensor, target: Tensor, episodes: Episodes) -> Loss:
        """Mean squared error over real steps; [B, T, J] both, no gradient through the target."""
        mask = episodes.mask.unsqueeze(-1)
        error = joint - target
        metrics: Metrics = {
            "td_error_abs": masked_mean(error.detach().abs(), mask),
            "q_taken_mean": masked_mean(joint.detach(), mask),
            "target_mean": masked_mean(target, mask),
        }
        return Loss(masked_mean(error.square(), mask), metrics)


def refuse_other_mixer(mixer: nn.Module, inputs: tuple[str, ...], learner: str) -> None:
    """Raises `ValueError` when `mixer` does not read what `learner` gives it."""
    reads = inspect.signature(mixer.forward)
    try:
        reads.bind(*inputs)
    except TypeError as error:
        raise ValueError(
            f"{learner} gives its mixer {', '.join(inputs)}; {type(mixer).__name__} reads "
            f"{', '.join(reads.parameters)}. Choose another mixer, or another learner."
        ) from error
