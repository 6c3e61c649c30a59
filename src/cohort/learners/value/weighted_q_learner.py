"""Weighted QMIX: OW-QMIX and CW-QMIX."""

from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.episodes import Episodes
from cohort.components.functional import greedy_actions, masked_mean, taken
from cohort.envs.base import EnvSpec
from cohort.learners.base import Loss
from cohort.learners.packed import PackedEpisodes
from cohort.learners.value.q_learner import QLearner, QLearnerSettings, StateMixing
from cohort.modules.mixers.central import CentralMixer, CentralMixerSettings
from cohort.modules.mixers.simple import IndependentMixer


class WeightedQLearnerSettings(CentralMixerSettings, QLearnerSettings):
    weighting: Literal["optimistic", "central"] = Field(description="OW-QMIX, or CW-QMIX")
    w: float = Field(gt=0, le=1, description="alpha, what an error counts that is not in favour")
    double_q: Literal[True] = Field(description="the live utilities choose the next joint action")


class WeightedQLearner(QLearner):
    """Weighted QMIX (Rashid et al. 2020, arXiv:2006.10800, section 4; equations 6 to 9).

    A central Q^* has utilities and an unrestricted mixer of its own. Both Q_tot and Q^* learn the value that the target
    copy of Q^* gives to the next joint action, which QMIX's live utilities choose. Errors of Q_tot count `w` unless
    the joint action was underestimated (optimistic, OW), or is the greedy one or worth more than it (central, CW).

    As the authors' code has it: CW compares with the target copy of Q^*, both losses are added with equal weights, and
    one optimiser moves everything.
    """

    Settings = WeightedQLearnerSettings

    def make_mixing(
        self,
        settings: WeightedQLearnerSettings,
        mixer: nn.Module,
        *,
        spec: EnvSpec,
        device: torch.device,
        seed: int,
    ) -> StateMixing:
        if isinstance(mixer, IndependentMixer):
            raise ValueError(
                "weighted QMIX weighs the errors of one joint value, and mixer=independent has one for each agent: "
                "choose mixer=qmix or vdn"
            )
        mixing = StateMixing(mixer)
        mixing.networks["central_policy"] = self.policy.fresh()
        mixing.networks["central_mixer"] = CentralMixer(settings, spec=spec).to(device)
        return mixing

    def loss(self, episodes: Episodes) -> Loss:
        batch = PackedEpisodes.of(episodes, self.policy)
        packing, live = batch.packing, self.networks
        actions = packing.of_steps(episodes.actions)  # [R, N]
        utilities = self.policy.unroll_packed(batch.inputs, packing)  # [P, N, A]
        chosen = taken(packing.before_steps(utilities), actions)
        joint = packing.padded(self.mixing.joint(live, chosen, batch))  # [B, T, 1]

        central = live["central_policy"].unroll_packed(batch.inputs, packing)
        chosen = taken(packing.before_steps(central), actions)
        unrestricted = packing.padded(live["central_mixer"](chosen, batch.states_before))  # [B, T, 1]

        with torch.no_grad():
            best = greedy_actions(utilities, batch.available_actions)  # [P, N]
            value = self.greedy_value(best, batch)  # [P, 1]
            target = self.returns(packing.after_steps(value), batch)  # [B, T, 1]
            if self.settings.weighting == "optimistic":
                favoured = joint < target
            else:
                is_best = (actions == packing.before_steps(best)).all(dim=-1, keepdim=True)  # [R, 1]
                favoured = packing.padded(is_best) | (target > packing.padded(packing.before_steps(value)))
            weight = torch.where(favoured, 1.0, self.settings.w)

        mask = episodes.mask.unsqueeze(-1)
        restricted = self.temporal_difference(joint, target, episodes, weight)
        error = unrestricted - target
        metrics = restricted.metrics | {
            "central_td_error_abs": masked_mean(error.detach().abs(), mask),
            "weight_mean": masked_mean(weight, mask),
        }
        return Loss(restricted.value + masked_mean(error.square(), mask), metrics)

    def greedy_value(self, best: Tensor, batch: PackedEpisodes) -> Tensor:
        """What the target copy of Q^* gives to a joint action at every moment: [P, N] -> [P, 1]."""
        central = self.targets["central_policy"].unroll_packed(batch.inputs, batch.packing)
        return self.targets["central_mixer"](taken(central, best), batch.states)
