"""SMAC's rewards, and ADER's sparse one."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.maps import MapFacts
from cohort.envs.sc2_sim.planes import HEALTH, SHIELD
from cohort.envs.sc2_sim.settings import BattleSettings
from cohort.envs.sc2_sim.units import UnitConstants
from cohort.envs.smac_settings import ADER_REWARDS


def max_reward(facts: MapFacts, settings: BattleSettings, constants: UnitConstants) -> float | Tensor:
    """What a won battle pays before scaling: all enemies' health and shield, their deaths and the win.

    [B] where teams are drawn.
    """
    bodies = (constants.health + constants.shield)[..., facts.n_agents :].sum(-1)
    rest = facts.n_enemies * settings.reward_death_value + settings.reward_win
    return (float(bodies) if bodies.dim() == 0 else bodies) + rest


class Rewards:
    """Team reward [B] of one step from the unit planes before and after it."""

    def __init__(
        self, facts: MapFacts, settings: BattleSettings, constants: UnitConstants, absolute: bool = True
    ) -> None:
        """With `absolute`, `reward_only_positive` takes the absolute value, as SMAC does; else it cuts at zero."""
        self.n, self.settings, self.absolute = facts.n_agents, settings, absolute
        self.scale = 1.0
        if settings.reward_scale:
            self.scale = settings.reward_scale_rate / max_reward(facts, settings, constants)

    def __call__(self, before: Tensor, after: Tensor, won: Tensor, lost: Tensor) -> Tensor:
        """Reward [B] for going from `before` to `after`, both [P, B, U]."""
        if self.settings.reward_sparse:
            return (won.float() - lost.float()) * self.scale
        died = (before[HEALTH] > 0) & (after[HEALTH] <= 0)
        if self.settings.reward_ader_sparse:
            return self._ader(died, won)
        harm = _body(before) - _body(after)  # [B, U]
        return self._shaped(harm, died, won, lost) * self.scale

    def _shaped(self, harm: Tensor, died: Tensor, won: Tensor, lost: Tensor) -> Tensor:
        settings, n = self.settings, self.n
        worth = harm.add(died, alpha=settings.reward_death_value)
        reward = worth[:, n:].sum(1)
        if settings.reward_only_positive:
            # SMAC takes the absolute value: shields that recover pay too.
            reward = reward.abs() if self.absolute else reward.clamp_min(0)
        else:
            reward = reward - settings.reward_negative_scale * worth[:, :n].sum(1)
        return reward + settings.reward_win * won + settings.reward_defeat * lost

    def _ader(self, died: Tensor, won: Tensor) -> Tensor:
        each_step, enemy, ally, win = ADER_REWARDS
        deaths = died.float()
        return each_step + enemy * deaths[:, self.n :].sum(1) + ally * deaths[:, : self.n].sum(1) + win * won


def _body(units: Tensor) -> Tensor:
    """Health and shield [B, U] of the living, 0 for the dead."""
    health = units[HEALTH]
    if units.shape[0] <= SHIELD:
        return health
    return torch.where(health > 0, health + units[SHIELD], 0.0)
