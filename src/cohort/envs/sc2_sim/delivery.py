"""What is on its way: missiles in the air, second hits and sweeping beams.

Damage lands when it arrives, on its target wherever that has gone; on one that died before it is lost.
"""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.units import TICKS_PER_SECOND, Unit, UnitConstants

HORIZON = 8  # ticks: nothing is longer on its way
_FARTHEST = 9.0  # metres, more than any weapon reaches from centre to centre


class Delivery:
    """The rule of one map. A queue [K, B, ticks * U] has a volley for each tick to come, one behind the other.

    Attributes:
        shots: [S] int64 which unit makes each shot: every unit one, those that hit twice another.
        real: [B, S] bool where teams are drawn, and any unit has two shots: only who hits twice makes the second.
    """

    def __init__(self, constants: UnitConstants) -> None:
        self.n_units = constants.n_units
        self.shots = torch.arange(self.n_units, device=constants.health.device)
        wait, self.real = constants.lag, None
        if any(unit.hit_interval for unit in constants.units):
            twice = constants.who(constants.second_hit > 0)
            self.shots = torch.cat((self.shots, twice))
            second = (constants.lag + constants.second_hit).index_select(-1, twice)
            wait = torch.cat((constants.lag, second), -1)
            if constants.second_hit.dim() > 1:
                again = constants.second_hit > 0
                self.real = torch.cat((torch.ones_like(again), again), 1)
        self.slowness = constants.slowness.index_select(-1, self.shots)
        if (longest := max(map(_longest, constants.units))) > HORIZON:
            raise ValueError(f"a shot may be on its way for {longest:.1f} ticks, more than {HORIZON}")
        self.rounded_lag = wait + 0.5  # a shot arrives in the nearest tick

    @staticmethod
    def needed(constants: UnitConstants) -> bool:
        """Whether any weapon of the map does not hit at once."""
        return any(unit.missile_speed or unit.delay or unit.hit_interval for unit in constants.units)

    def open(self, pending: Tensor, ticks: int) -> Tensor:
        """The queue of a step of `ticks` that begins with `pending` [B, K * HORIZON * U] on its way."""
        queue = pending.view(len(pending), -1, HORIZON * self.n_units).transpose(0, 1)
        return torch.nn.functional.pad(queue, (0, ticks * self.n_units))

    def close(self, queue: Tensor) -> Tensor:
        """What is still on its way after the step: [B, K * HORIZON * U]."""
        return queue[:, :, -HORIZON * self.n_units :].transpose(0, 1).flatten(1)

    def places(self, victim: Tensor, distance2: Tensor) -> Tensor:
        """Where in a queue that begins now each shot arrives: [B, S] int64.

        Args:
            victim: [B, S] whom each shot is for.
            distance2: [B, U] squared metres from each unit to its target.
        """
        distance = distance2.clamp_max(_FARTHEST**2).sqrt_()
        if len(self.shots) > self.n_units:
            distance = distance.index_select(1, self.shots)
        ticks = torch.addcmul(self.rounded_lag, distance, self.slowness)
        return torch.add(victim, ticks.long(), alpha=self.n_units)

    def send(self, queue: Tensor, tick: int, places: Tensor, weapon: Tensor, fires: Tensor) -> Tensor:
        """The queue after those who fire [B, U] in this tick, each shot doing `weapon` at `places`, [K, B, S] both."""
        if len(self.shots) > self.n_units:
            fires = fires.index_select(1, self.shots)
        if self.real is not None:
            fires = fires.logical_and(self.real)
        queue[:, :, tick * self.n_units :].scatter_add_(2, places, weapon * fires)
        return queue

    def add(self, queue: Tensor, tick: int, volleys: Tensor) -> Tensor:
        """The queue with more volleys, [K, B, ticks * U], the first of which arrives in this tick."""
        first = tick * self.n_units
        queue[:, :, first : first + volleys.shape[2]] += volleys
        return queue

    def arriving(self, queue: Tensor, tick: int) -> Tensor:
        """The volley [K, B, U] that lands in this tick."""
        return queue[:, :, tick * self.n_units : (tick + 1) * self.n_units]


def _longest(unit: Unit) -> float:
    """Ticks that a shot of the unit may be on its way."""
    flight = _FARTHEST / unit.missile_speed if unit.missile_speed else 0.0
    return (unit.delay + unit.hit_interval + flight) * TICKS_PER_SECOND
