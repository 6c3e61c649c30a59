"""Pictures of Pursuit: one game at a time, as frames for a video or one for a glance."""

from typing import Any, Protocol

import numpy as np
from torch import Tensor

from cohort.envs.base import EnvSpec
from cohort.envs.canvas import DIM, PAPER, TEXT, Canvas, Colour, agent_colour, refuse_view
from cohort.envs.pursuit.board import Board, Scene, free_cells

EVADER, WALL = (250, 250, 250), (86, 96, 110)
_GROUND, _GRID, _CAUGHT = (24, 28, 34), (37, 43, 51), (255, 92, 92)

HEADER = 54  # pixels above the map
_STEPS_PER_SECOND = 5
_PURSUER, _EVADER = 0.36, 0.22  # radii in cells
_CELL = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])


class Drawable(Protocol):
    """What is asked of `Pursuit`."""

    settings: Any
    spec: EnvSpec
    batch_size: int
    board: Board
    title: str
    scene: Scene | None
    t: int
    over: Tensor  # [B] bool
    paid: Tensor  # [B] or [B, N]


class Renderer:
    """Draws one game of Pursuit, step after step.

    Pursuers are discs with numbers, evaders small white ones; where several share a cell, their number stands on it. A
    red ring is where an evader was just caught. y points upwards.
    """

    def __init__(
        self,
        env: Drawable,
        game: int = 0,
        agent: int | None = None,
        frames_per_step: int = 4,
        width: int = 640,
    ) -> None:
        """Prepare to draw; call `frames` after each `reset` and `step` of `env`.

        Args:
            env: the environment, which is only looked at.
            game: which of its games.
            agent: show the square that this pursuer sees.
            frames_per_step: frames for each step of the environment.
            width: of a frame, in pixels.

        Raises:
            ValueError: there is no such game or agent, or a frame count below one.
        """
        refuse_view(game, env.batch_size, agent, env.spec.n_agents, frames_per_step)
        self.env, self.game, self.agent, self.frames_per_step = env, game, agent, frames_per_step
        x_size, y_size = env.settings.x_size, env.settings.y_size
        height = HEADER + round(width * y_size / x_size)
        self.canvas = Canvas((width, height + height % 2), HEADER, _GROUND)
        self.canvas.aim(-0.5, y_size - 0.5, width / x_size)
        self._map(x_size, y_size)
        self._scene: Scene | None = None  # the one that was drawn last
        self._t = 0  # its step
        self._over = False
        self._image: np.ndarray | None = None  # its picture
        self._places: tuple[np.ndarray, np.ndarray]  # [N, 2] and [E, 2] there; nan for caught evaders
        self._seen_from, self._return = 0, 0.0  # the step with which watching began, and what was paid since

    @property
    def fps(self) -> float:
        """Frames per second of a video that one can follow."""
        return self.frames_per_step * _STEPS_PER_SECOND

    def frames(self) -> list[np.ndarray]:
        """What happened since the last call, as images [H, W, 3] uint8.

        One frame after a reset, `frames_per_step` after a step, none if nothing happened or the game is over. When it
        ends, the last frame is held for a second. After several steps without a call one frame of the present.
        """
        env, before = self.env, self._scene
        begun = env.scene is not None and env.t == 0
        if env.scene is before or (self._over and not begun):
            return []
        followed = before is not None and env.t == self._t + 1
        self._scene, self._t = env.scene, env.t
        places = self._where(env.scene)
        if followed:
            images = self._step(places)
        else:
            self._seen_from, self._return = env.t, 0.0
            images = [self._paint(*places)]
        self._places, self._image = places, images[-1]
        self._over = bool(env.over[self.game]) or env.t >= env.spec.episode_limit
        return images + [images[-1]] * (round(self.fps) if self._over else 0)

    def frame(self) -> np.ndarray:
        """The game as it is now, [H, W, 3] uint8. Raises `RuntimeError` when it has not begun."""
        self.frames()
        if self._image is None:
            raise RuntimeError("call the environment's reset() before drawing it")
        return self._image

    def _where(self, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
        board = self.env.board
        found = []
        for cells in (each[self.game] for each in scene):
            places = np.stack([table[cells].cpu().numpy() for table in (board.x, board.y)], 1).astype(float)
            places[(cells == board.nowhere).cpu().numpy()] = np.nan
            found.append(places)
        return found[0], found[1]

    def _step(self, places: tuple[np.ndarray, np.ndarray]) -> list[np.ndarray]:
        """Frames from the places that were drawn last to these."""
        pursuers, evaders = self._places
        caught = evaders[np.isnan(places[1][:, 0]) & ~np.isnan(evaders[:, 0])]
        images = []
        for k in range(1, self.frames_per_step + 1):
            part = k / self.frames_per_step
            if part == 1:
                self._return += float(self.env.paid[self.game].sum())
            between = (old + part * (new - old) for old, new in zip((pursuers, evaders), places, strict=True))
            images.append(self._paint(*between, caught))
        return images

    def _map(self, x_size: int, y_size: int) -> None:
        """The ground, which every picture begins with."""
        canvas, free = self.canvas, free_cells(x_size, y_size).numpy()
        for x in range(x_size + 1):
            ends = np.array([(x - 0.5, -0.5), (x - 0.5, y_size - 0.5)])
            canvas.line(*ends, _GRID, opacity=1, width=1)
        for y in range(y_size + 1):
            ends = np.array([(-0.5, y - 0.5), (x_size - 0.5, y - 0.5)])
            canvas.line(*ends, _GRID, opacity=1, width=1)
        for y, x in np.argwhere(~free):
            canvas.shape(np.array([x, y]), _CELL, WALL, WALL)
        canvas.keep()

    def _paint(
        self, pursuers: np.ndarray, evaders: np.ndarray, caught: np.ndarray | tuple = ()
    ) -> np.ndarray:
        canvas = self.canvas
        canvas.clear()
        if self.agent is not None:
            side = self.env.settings.obs_range
            canvas.shape(pursuers[self.agent], side * _CELL, self._colour(self.agent), TEXT, 0.18)
        for place in caught:
            canvas.disc(place, 0.45, _CAUGHT, 0.25)
            canvas.circle(place, 0.45, _CAUGHT, opacity=1, width=2)
        here = evaders[~np.isnan(evaders[:, 0])]
        for place in here:
            canvas.disc(place, _EVADER, EVADER, 1.0)
        for i, place in enumerate(pursuers):
            canvas.disc(place, _PURSUER + 0.04, PAPER, 1.0)
            canvas.disc(place, _PURSUER, self._colour(i), 1.0)
            canvas.label(place, str(i), 0.42 * canvas.scale, PAPER)
        for units, corner in ((here, (0.3, -0.32)), (pursuers, (0.3, 0.32))):
            for place, count in zip(*np.unique(units, axis=0, return_counts=True), strict=True):
                if count > 1:
                    canvas.label(place + corner, str(count), 0.36 * canvas.scale, TEXT)
        canvas.strip()
        self._caption(len(evaders) - len(here))
        return canvas.frame()

    def _colour(self, i: int) -> Colour:
        return agent_colour(i, self.env.spec.n_agents)

    def _caption(self, caught: int) -> None:
        """The strip above the map: how far the game is, and what it has brought all pursuers together."""
        canvas, width, env = self.canvas, self.canvas.size[0], self.env
        canvas.text(14, HEADER / 2, env.title, 17, bold=True)
        middle = f"step {self._t} / {env.spec.episode_limit}, {caught} of {env.settings.n_evaders} caught"
        canvas.text(width / 2, HEADER / 2, middle, 15, DIM, "mm")
        since = f" since step {self._seen_from}" if self._seen_from else ""
        canvas.text(width - 14, HEADER / 2, f"return{since} {self._return:.2f}", 15, TEXT, "rm", bold=True)


def draw(env: Drawable, game: int = 0, agent: int | None = None) -> np.ndarray:
    """One picture [H, W, 3] uint8 of a game as it is now; see `Renderer`."""
    return Renderer(env, game, agent).frame()
