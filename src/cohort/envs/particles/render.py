"""Pictures of particle worlds: one game at a time, as frames for a video or one for a glance."""

from typing import Any

import numpy as np

from cohort.envs.canvas import DIM, PAPER, TEXT, Canvas, Colour, agent_colour, refuse_view
from cohort.envs.particles.bodies import Drawable, Marks

PREY, LANDMARK = (250, 250, 250), (205, 212, 220)
_GROUND, _GRID, _AXIS, _BORDER, _OUTSIDE = (
    (24, 28, 34),
    (37, 43, 51),
    (52, 60, 70),
    (120, 132, 146),
    (14, 16, 20),
)
_MARK, _CAUGHT = (200, 208, 216), (255, 92, 92)

HEADER = 54  # pixels above the plane
_STEPS_PER_SECOND = 2.5
_AGENT, _LANDMARK, _PREY = 13, 12, 12  # radii in pixels: the points themselves have no size
_FADING = 0.8  # of a trail, from one step to the one before
_DIAMOND = np.array([(1, 0), (0, 1), (-1, 0), (0, -1)])
_STAR = np.array(
    [
        (r * np.cos(a), r * np.sin(a))
        for k in range(10)
        for r, a in [((1.25, 0.6)[k % 2], np.pi * (k / 5 + 0.5))]
    ]
)


class Renderer:
    """Draws one game of a particle world, step after step.

    Agents are discs with numbers, landmarks diamonds (in their agent's colour where they have one), the prey a star.
    Trails show the episode so far. Thin lines and rings are the scenario's `marks`: what its reward looks at. A square
    is the arena, or where episodes start.
    """

    def __init__(
        self,
        env: Drawable,
        game: int = 0,
        agent: int | None = None,
        frames_per_step: int = 10,
        width: int = 640,
    ) -> None:
        """Prepare to draw; call `frames` after each `reset` and `step` of `env`.

        Args:
            env: the environment, which is only looked at.
            game: which of its games.
            agent: show what this agent's observation holds, as lines to all that it sees.
            frames_per_step: frames for each step of the environment.
            width: of a frame, in pixels.

        Raises:
            ValueError: there is no such game or agent, or a frame count below one.
        """
        refuse_view(game, env.batch_size, agent, env.n_agents, frames_per_step)
        self.env, self.game, self.agent, self.frames_per_step = env, game, agent, frames_per_step
        self.canvas = Canvas((width, HEADER + width), HEADER, _OUTSIDE if env.arena else _GROUND)
        self._scene: Any = None  # the one that was drawn last
        self._t = 0  # its step
        self._image: np.ndarray | None = None  # its picture
        self._trail: list[np.ndarray] = []  # [E, 2] each, of this episode
        self._seen_from = 0  # step of this episode with which watching began
        self._return, self._half = 0.0, 0.0

    @property
    def fps(self) -> float:
        """Frames per second of a video that one can follow."""
        return self.frames_per_step * _STEPS_PER_SECOND

    def frames(self) -> list[np.ndarray]:
        """What happened since the last call, as images [H, W, 3] uint8.

        One frame after a reset, `frames_per_step` after a step, none if nothing happened. When the episode ends, the
        last one is held for a second. After several steps without a call one frame of the present.
        """
        env, before = self.env, self._scene
        if env.scene is before:
            return []
        followed = before is not None and env.t == self._t + 1
        self._scene, self._t = env.scene, env.t
        places = env.positions(env.scene)[self.game].cpu().numpy()
        if followed:
            images = self._step(places)
        else:
            self._trail, self._seen_from, self._return = [places], env.t, 0.0
            self._half = self._view(places)
            images = [self._paint(places, self._half)]
        self._image = images[-1]
        return images + [images[-1]] * (round(self.fps) if env.t >= env.spec.episode_limit else 0)

    def frame(self) -> np.ndarray:
        """The game as it is now, [H, W, 3] uint8. Raises `RuntimeError` when it has not begun."""
        self.frames()
        if self._image is None:
            raise RuntimeError("call the environment's reset() before drawing it")
        return self._image

    def _step(self, places: np.ndarray) -> list[np.ndarray]:
        """Frames from the places that were drawn last to these."""
        start, near, images = self._trail[-1], self._half, []
        far = max(near, self._view(places))
        for k in range(1, self.frames_per_step + 1):
            part = k / self.frames_per_step
            if part == 1:
                self._return += float(self.env.paid[self.game].sum())
            images.append(self._paint(start + part * (places - start), near + part * (far - near)))
        self._trail.append(places)
        self._half = far
        return images

    def _view(self, places: np.ndarray) -> float:
        """Half the side of the square that shows everybody, and the arena or the start."""
        return max(
            1.12 * (self.env.arena or self.env.settings.world_size), 1.08 * float(np.abs(places).max())
        )

    def _paint(self, places: np.ndarray, half: float) -> np.ndarray:
        canvas, marks = self.canvas, self.env.marks(places, self.game)
        canvas.clear()
        canvas.aim(-half, half, canvas.size[0] / (2 * half))
        self._plane(half)
        self._trails(places)
        self._marks(marks)
        if self.agent is not None:
            self._sight(places)
        for kind in ("landmark", "prey", "agent"):
            for i, body in enumerate(self.env.cast):
                if body.kind == kind:
                    self._body(i, places[i], marks)
        canvas.strip()
        self._caption()
        return canvas.frame()

    def _plane(self, half: float) -> None:
        """The ground with a line every half unit, and the border of the arena or of the start."""
        canvas, arena = self.canvas, self.env.arena
        side = arena or self.env.settings.world_size
        corners = side * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        if arena:
            canvas.shape(np.zeros(2), corners, _GROUND, _GROUND)
        edge = arena or half
        for k in range(-int(2 * edge), int(2 * edge) + 1):
            colour = _GRID if k else _AXIS
            for ends in (
                np.array([(k / 2, -edge), (k / 2, edge)]),
                np.array([(-edge, k / 2), (edge, k / 2)]),
            ):
                canvas.line(*ends, colour, opacity=1, width=1)
        for start, end in zip(corners, np.roll(corners, -1, 0), strict=True):
            canvas.line(start, end, _BORDER, opacity=1 if arena else 0.45, width=2 if arena else 1)

    def _colour(self, i: int) -> Colour:
        body = self.env.cast[i]
        owner = i if body.kind == "agent" else body.owner
        if owner is None:
            return PREY if body.kind == "prey" else LANDMARK
        return agent_colour(owner, self.env.n_agents)

    def _trails(self, places: np.ndarray) -> None:
        path = [*self._trail, places]
        for age, (start, end) in enumerate(zip(path[-2::-1], path[:0:-1], strict=True)):
            for i in range(len(places)):
                if not np.array_equal(start[i], end[i]):
                    opacity = 0.7 * _FADING**age
                    self.canvas.line(start[i], end[i], self._colour(i), opacity=opacity, width=2.5)

    def _marks(self, marks: Marks) -> None:
        for start, end in marks.lines:
            self.canvas.line(start, end, _MARK, opacity=0.35, width=1.2)
        for place, radius in marks.rings:
            self.canvas.disc(place, radius, _CAUGHT, 0.07)
            self.canvas.circle(place, radius, _CAUGHT, opacity=0.6, width=1.5)

    def _sight(self, places: np.ndarray) -> None:
        own = places[self.agent]
        for i, place in enumerate(places):
            if i != self.agent:
                self.canvas.line(own, place, self._colour(self.agent), opacity=0.5, width=1.5)
        self.canvas.circle(own, (_AGENT + 6) / self.canvas.scale, TEXT, opacity=1, width=2)

    def _body(self, i: int, place: np.ndarray, marks: Marks) -> None:
        canvas, colour, unit = self.canvas, self._colour(i), 1 / self.canvas.scale
        kind = self.env.cast[i].kind
        if kind == "landmark":
            canvas.disc(place, 1.9 * _LANDMARK * unit, colour, 0.16)
            canvas.shape(place, _DIAMOND * _LANDMARK * unit, colour, PAPER)
            return
        if kind == "prey":
            canvas.shape(place, _STAR * _PREY * unit, colour, PAPER)
            return
        if any(np.hypot(*(place - centre)) < radius for centre, radius in marks.rings):
            canvas.disc(place, (_AGENT + 7) * unit, _CAUGHT, 0.55)
        canvas.disc(place, (_AGENT + 1.5) * unit, PAPER, 1.0)
        canvas.disc(place, _AGENT * unit, colour, 1.0)
        canvas.label(place, str(i), 14, PAPER)

    def _caption(self) -> None:
        """The strip above the plane: what is played, how far it is, and what it has brought."""
        canvas, width = self.canvas, self.canvas.size[0]
        canvas.text(14, HEADER / 2, self.env.title, 17, bold=True)
        canvas.text(width / 2, HEADER / 2, f"step {self._t} / {self.env.spec.episode_limit}", 15, DIM, "mm")
        since = f" since step {self._seen_from}" if self._seen_from else ""
        canvas.text(width - 14, HEADER / 2, f"return{since} {self._return:.2f}", 15, TEXT, "rm", bold=True)


def draw(env: Drawable, game: int = 0, agent: int | None = None) -> np.ndarray:
    """One picture [H, W, 3] uint8 of a game as it is now; see `Renderer`."""
    return Renderer(env, game, agent).frame()
