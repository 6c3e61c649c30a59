"""Pictures of battles: one game at a time, as frames for a video or one for a glance."""

import numpy as np

from cohort.envs.canvas import PAPER, Colour, refuse_view
from cohort.envs.sc2_sim.canvas import (
    ALLY,
    ENEMY,
    ENERGY_BAR,
    HEALTH_BAR,
    SHAPES,
    SHIELD_BAR,
    MapCanvas,
)
from cohort.envs.sc2_sim.caption import HEADER, Caption
from cohort.envs.sc2_sim.games import Drawable
from cohort.envs.sc2_sim.observe import SHOOT, SIGHT
from cohort.envs.sc2_sim.substep_replay import Moment, SubstepReplay
from cohort.envs.sc2_sim.units import TICKS_PER_SECOND, unit_names

_FAINT = 0.22  # opacity of what the chosen agent cannot see
_TURNABLE = {"Zealot", "Zergling", "Hydralisk"}  # shapes with a front; the others would only seem to tremble
_SPARK, _CURE, _RING = (255, 250, 225), (120, 240, 160), (235, 238, 242)
_BURST_FRAMES = 5  # how long a burst stays visible
_NUMBERED = 12  # units of a side up to which they carry numbers; in a crowd one could not read them
_TURNING = 0.5  # share of the way to its new heading that a unit turns per frame


class Renderer:
    """Draws one game of `SC2Sim`, step after step.

    Units are blue (the team) and orange (its enemies), with a shape for each type and the numbers that actions and
    observations use. Above them are bars of health, shield and energy; a cross marks where one died. Shots, cures
    and bursts are drawn when they happen, also in the middle of a step.
    """

    def __init__(
        self,
        env: Drawable,
        game: int = 0,
        agent: int | None = None,
        frames_per_step: int = 8,
        width: int = 768,
    ) -> None:
        """Prepare to draw; call `frames` after each `reset` and `step` of `env`.

        Args:
            env: the environment, which is only looked at.
            game: which of its games.
            agent: show what this agent can see: its sight, its range, and all that it cannot see faded.
            frames_per_step: frames for each step of the environment.
            width: of a frame, in pixels; the height follows from the map.

        Raises:
            ValueError: there is no such game or agent, or a frame count below one.
        """
        refuse_view(game, env.batch_size, agent, env.spec.n_agents, frames_per_step)
        facts, constants = env.facts, env.battle.constants
        self.env, self.game, self.agent, self.frames_per_step = env, game, agent, frames_per_step
        self.units, self.n, self.names = constants.units, facts.n_agents, unit_names(facts)
        self.colours = [ALLY] * self.n + [ENEMY] * (len(self.units) - self.n)
        self.full = np.array([(unit.health, unit.shield, unit.max_energy) for unit in self.units])
        self.chronicle, self.canvas = SubstepReplay(env, game), MapCanvas(facts, width, HEADER)
        self.caption = Caption(self.canvas, facts, self.units)
        self._drawn: Moment | None = None
        self._headings = np.zeros((len(self.units), 2))
        self._bursts: list[tuple[np.ndarray, int, int]] = []  # where, which unit, frames ago

    @property
    def fps(self) -> float:
        """Frames per second at which the video runs in StarCraft II's normal time."""
        return self.frames_per_step * TICKS_PER_SECOND / self.env.settings.step_mul

    def frames(self) -> list[np.ndarray]:
        """What happened since the last call, as images [H, W, 3] uint8.

        One frame after a reset, `frames_per_step` after a step, none if nothing happened. When the game ends, the
        last one is held for a second. After several steps without a call one frame of the present.
        """
        start, moments = self._drawn, self.chronicle.moments()
        if not moments:
            return []
        if start is None or start.episode != moments[-1].episode:
            self._begin(moments[-1])
        if len(moments) == 1:
            images = [self._paint(moments[-1], moments, self._ended())]
        else:
            images = self._step([start, *moments])
        return images + [images[-1]] * (round(self.fps) if self._ended() else 0)

    def frame(self) -> np.ndarray:
        """The game as it is now, [H, W, 3] uint8."""
        images = self.frames()
        return images[-1] if images else self._paint(self.chronicle.now, [], self._ended())

    def _begin(self, moment: Moment) -> None:
        """Everybody looks at the other army."""
        armies = [moment.place[part][moment.alive[part]] for part in (slice(0, self.n), slice(self.n, None))]
        towards = armies[1].mean(0) - armies[0].mean(0) if all(map(len, armies)) else np.array([1.0, 0.0])
        towards = towards / max(np.hypot(*towards), 1e-6)
        self._headings[: self.n], self._headings[self.n :] = towards, -towards
        self._bursts, self._drawn = [], None

    def _step(self, moments: list[Moment]) -> list[np.ndarray]:
        """Frames between the first of the moments, which was drawn already, and the last."""
        pieces, images = len(moments) - 1, []
        for k in range(1, self.frames_per_step + 1):
            before, now = ((k + i) * pieces / self.frames_per_step for i in (-1, 0))
            happened = [
                moment for j, moment in enumerate(moments) if j - 1 < now - 1e-9 and j > before + 1e-9
            ]
            images.append(
                self._paint(_between(moments, now), happened, k == self.frames_per_step and self._ended())
            )
        return images

    def _ended(self) -> bool:
        games = self.env.games
        return bool(games.terminated[self.game] | games.truncated[self.game])

    def _paint(self, moment: Moment, happened: list[Moment], ended: bool) -> np.ndarray:
        self.canvas.clear()
        self._turn(moment, happened)
        self._bursts = [(at, i, age + 1) for at, i, age in self._bursts if age + 1 < _BURST_FRAMES]
        self._bursts += [(m.place[i], i, 0) for m in happened for i in m.burst.nonzero()[0]]
        opacity = self._opacity(moment)
        self._circles(moment)
        self._dead(moment)
        for high in (False, True):
            for i in moment.alive.nonzero()[0]:
                if high == (self.units[i].layer == "air" or self.units[i].strides):
                    self._unit(moment, i, opacity[i], high)
        self._effects(moment, happened, opacity)
        for i in moment.alive.nonzero()[0]:
            self._bars(moment, i, opacity[i])
        self.caption.header(moment)
        if self.agent is not None:
            self.caption.order(moment, self.agent, int(self.env.games.actions[self.game, self.agent]))
        if ended:
            self.caption.result(moment)
        self._drawn = moment
        return self.canvas.frame()

    def _opacity(self, moment: Moment) -> np.ndarray:
        """[U], 1 for what may be seen."""
        if self.agent is None:
            return np.ones(len(self.units))
        distance = np.hypot(*(moment.place - moment.place[self.agent]).T)
        return np.where((distance < SIGHT) & moment.alive[self.agent], 1.0, _FAINT)

    def _turn(self, moment: Moment, happened: list[Moment]) -> None:
        """Let units look at their target, or else where they walk."""
        way = moment.place - (self._drawn or moment).place
        for told in happened:
            busy = told.target >= 0
            way = np.where(busy[:, None], moment.place[told.target] - moment.place, way)
        length = np.hypot(*way.T)[:, None]
        new = np.where(length > 0.02, way / np.maximum(length, 1e-6), self._headings)
        mixed = (1 - _TURNING) * self._headings + _TURNING * new
        length = np.hypot(*mixed.T)[:, None]
        self._headings = np.where(length > 0.1, mixed / np.maximum(length, 1e-6), new)

    def _circles(self, moment: Moment) -> None:
        """How far the chosen agent sees and may attack."""
        if self.agent is not None and moment.alive[self.agent]:
            place = moment.place[self.agent]
            self.canvas.disc(place, SIGHT, _RING, 0.05)
            self.canvas.circle(place, SIGHT, _RING, opacity=0.75, width=1.5)
            self.canvas.circle(place, SHOOT, _RING, opacity=0.4, width=1.0)

    def _dead(self, moment: Moment) -> None:
        for i in (~moment.alive & ~np.isnan(moment.place[:, 0])).nonzero()[0]:
            for arm in (np.array([0.2, 0.2]), np.array([0.2, -0.2])):
                at = moment.place[i]
                self.canvas.line(at - arm, at + arm, self.colours[i], opacity=0.45, width=1.5)

    def _unit(self, moment: Moment, i: int, opacity: float, high: bool) -> None:
        unit, place = self.units[i], moment.place[i]
        if high:
            self.canvas.disc(place + (0.25, -0.35), unit.separation, (0, 0, 0), 0.35 * opacity)
        cos, sin = self._headings[i] if self.names[i] in _TURNABLE else (1.0, 0.0)
        outline = SHAPES[self.names[i]] @ np.array([[cos, sin], [-sin, cos]]) * unit.separation
        edge = _RING if i == self.agent else PAPER
        self.canvas.shape(place, outline, self.colours[i], edge, opacity)
        if i == self.agent:
            self.canvas.circle(place, unit.separation + 0.2, _RING, opacity=1, width=2)
        first, last = (0, self.n) if i < self.n else (self.n, len(self.units))
        if last - first <= _NUMBERED:
            size = min(15, 1.1 * unit.separation * self.canvas.scale)
            self.canvas.label(place, str(i - first), size, PAPER, opacity)

    def _bars(self, moment: Moment, i: int, opacity: float) -> None:
        unit, row = self.units[i], 0
        above = moment.place[i] + (0, unit.separation + 0.15)
        levels = np.array([moment.health[i], moment.shield[i], moment.energy[i]])
        if (levels == self.full[i]).all():
            return
        for level, full, colour in zip(
            levels, self.full[i], (HEALTH_BAR, SHIELD_BAR, ENERGY_BAR), strict=True
        ):
            if full:
                self.canvas.bar(above, max(0.8, 1.6 * unit.separation), level / full, colour, row, opacity)
                row += 1

    def _effects(self, moment: Moment, happened: list[Moment], opacity: np.ndarray) -> None:
        for told in happened:
            for i in told.healed.nonzero()[0]:
                self._beam(moment.place[i], moment.place[told.target[i]], _CURE, opacity[i])
            for i in (told.fired & ~told.burst).nonzero()[0]:
                self._shot(moment, i, told.target[i], opacity[i])
        for place, i, age in self._bursts:
            fading = 1 - age / _BURST_FRAMES
            self.canvas.disc(place, self.units[i].burst, self.colours[i], 0.25 * fading)
            self.canvas.circle(place, self.units[i].burst, self.colours[i], opacity=fading, width=2)

    def _shot(self, moment: Moment, i: int, j: int, opacity: float) -> None:
        start, end, unit = moment.place[i], moment.place[j], self.units[i]
        way = end - start
        along = way / max(np.hypot(*way), 1e-6)
        contact = end - along * min(self.units[j].radius, 0.7 * np.hypot(*way))
        bright = _blend(self.colours[i])
        if unit.range > 1:
            self._beam(start + along * unit.radius, contact, bright, opacity)
        if unit.line[0]:
            across = np.array([-along[1], along[0]]) * unit.line[0] / 2
            self._beam(end - across, end + across, bright, opacity)
        self.canvas.disc(contact, 0.32, bright, 0.4 * opacity)
        self.canvas.disc(contact, 0.16, _SPARK, opacity)

    def _beam(self, start: np.ndarray, end: np.ndarray, colour: Colour, opacity: float) -> None:
        self.canvas.line(start, end, colour, opacity=0.3 * opacity, width=5)
        self.canvas.line(start, end, colour, opacity=opacity, width=1.5)


def draw(env: Drawable, game: int = 0, agent: int | None = None) -> np.ndarray:
    """One picture [H, W, 3] uint8 of a game as it is now; see `Renderer`."""
    return Renderer(env, game, agent).frame()


def _between(moments: list[Moment], time: float) -> Moment:
    """The game at `time`, counted in moments, with units on the way from one place to the next."""
    index = min(int(time + 1e-9), len(moments) - 1)
    here, there = moments[index], moments[min(index + 1, len(moments) - 1)]
    part = time - index
    return here._replace(
        place=here.place + part * (there.place - here.place), time=here.time + part * (there.time - here.time)
    )


def _blend(colour: Colour) -> Colour:
    """Halfway to white."""
    return tuple((value + 255) // 2 for value in colour)
