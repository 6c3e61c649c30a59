"""What happened inside the last step of one game, for pictures: the same battle again in smaller pieces."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cohort.envs.sc2_sim.battle import Battle
from cohort.envs.sc2_sim.games import Drawable, Games
from cohort.envs.sc2_sim.maps import CENTRE
from cohort.envs.sc2_sim.planes import COOLDOWN, ENERGY, HEALTH, SHIELD

_PIECE = (
    2  # ticks; enemies choose targets every second tick, so longer or odd pieces would tell another story
)


class Moment(NamedTuple):
    """One game at one moment, as arrays; U counts allies first. Positions are metres from the lower left corner."""

    episode: int
    time: float  # steps since the episode began
    place: np.ndarray  # [U, 2], where they died for the dead, NaN if that was not seen
    alive: np.ndarray  # [U] bool
    health: np.ndarray  # [U]
    shield: np.ndarray  # [U], 0 where the map has no shields
    energy: np.ndarray  # [U], 0 where the map has no medivacs
    target: np.ndarray  # [U] on whom each unit acted since the moment before, -1 for nobody
    fired: np.ndarray  # [U] bool, since the moment before
    healed: np.ndarray  # [U] bool, since the moment before
    burst: np.ndarray  # [U] bool, banelings that burst since the moment before


class SubstepReplay:
    """Follows one of an environment's games.

    Between two calls of `moments` the environment may be stepped once; the moments inside that step are then
    recovered exactly, because a battle is a pure function of the state before it, the actions and the random stream.
    """

    def __init__(self, env: Drawable, game: int) -> None:
        self.env, self.game = env, game
        settings = env.settings
        self.pieces = settings.step_mul // _PIECE if settings.step_mul % _PIECE == 0 else 1
        in_pieces = settings.model_copy(update={"step_mul": settings.step_mul // self.pieces})
        facts = env.facts
        self.battle = Battle(facts, in_pieces, env.battle.constants, env.observer.terrain)
        self.bursts = np.array([unit.burst > 0 for unit in env.battle.constants.units])
        self.last: Games | None = None
        self.now: Moment | None = None

    @torch.no_grad()
    def moments(self) -> list[Moment]:
        """The moments since the last call, oldest first: those of a step, none without one, else only the present."""
        before, after = self.last, self._games()
        self.last = after
        if before is None or int(after.episode) != int(before.episode) or int(after.t) < int(before.t):
            self.now = None
        elif int(after.t) == int(before.t):
            return []
        elif int(after.t) == int(before.t) + 1:
            return self._retell(before, after)
        self.now = self._moment(after.units, float(after.t))
        return [self.now]

    def _games(self) -> Games:
        """This game alone, out of all B."""
        games, one = self.env.games, slice(self.game, self.game + 1)
        columns = {name: tensor[one].clone() for name, tensor in games._asdict().items() if name != "units"}
        return games._replace(units=games.units[:, one].clone(), **columns)

    def _retell(self, before: Games, after: Games) -> list[Moment]:
        battle, units, course = self.battle, before.units, before.course
        orders = battle.orders(units, after.actions, before.keys)
        reload = battle.reload_times(before.keys, before.t)
        told = []
        for piece in range(1, self.pieces + 1):
            start = units
            units, course = battle.advance(units, course, orders, reload)
            end = after.units if piece == self.pieces else units  # to the last bit what the environment says
            self.now = self._moment(end, float(before.t) + piece / self.pieces, start, course.target)
            told.append(self.now)
        return told

    def _moment(
        self, units: Tensor, time: float, before: Tensor | None = None, target: Tensor | None = None
    ) -> Moment:
        planes = units[:, 0].cpu().numpy()
        alive = planes[HEALTH] > 0
        known = self.now.place if self.now else np.full((planes.shape[1], 2), np.nan)
        moment = Moment(
            episode=int(self.last.episode),
            time=time,
            place=np.where(alive[:, None], planes[:2].T + CENTRE, known),
            alive=alive,
            health=planes[HEALTH],
            shield=planes[SHIELD] if len(planes) > SHIELD else np.zeros_like(planes[0]),
            energy=planes[ENERGY] if len(planes) > ENERGY else np.zeros_like(planes[0]),
            **_nothing(len(alive)),
        )
        if before is None:
            return moment
        # A cooldown only ever runs down but for the moment of a shot; energy only recovers but for healing.
        earlier, target = before[:, 0].cpu().numpy(), target[0].cpu().numpy()
        was_alive = earlier[HEALTH] > 0
        fired = was_alive & (target >= 0) & (planes[COOLDOWN] > earlier[COOLDOWN])
        killed = was_alive & ~alive & self.env.settings.banelings_burst_when_killed
        healed = moment.energy < (earlier[ENERGY] if len(planes) > ENERGY else moment.energy)
        return moment._replace(
            target=target, fired=fired, healed=healed & was_alive, burst=self.bursts & (fired | killed)
        )


def _nothing(n_units: int) -> dict[str, np.ndarray]:
    """Entries of a moment before which nothing happened."""
    no = np.zeros(n_units, bool)
    return {"target": np.full(n_units, -1), "fired": no, "healed": no, "burst": no}
