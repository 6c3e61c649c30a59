"""A video of one game while it is played."""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from cohort.errors import UserError


class Replay:
    """Films the first game of an environment. Use as a context manager; call `watch` at the start and after each step.

    The environment draws itself: `env.renderer(agent)` gives an object with `fps` and `frames()`, the pictures
    [H, W, 3] uint8 that lead from the moment it was last asked to this one; none once the game has ended.
    """

    def __init__(self, env: Any, path: Path, agent: int | None = None) -> None:
        """Film `env`'s game 0 into `path` (.mp4 or .gif), as `agent` sees it where that is not None.

        Raises:
            UserError: the environment cannot be drawn, or it has no such agent.
        """
        if not hasattr(env, "renderer"):
            raise UserError(
                f"{type(env).__name__} cannot be drawn: save_replay=True has nothing to show here."
            )
        if agent is not None and agent >= env.spec.n_agents:
            raise UserError(f"agent {agent}: this team has the agents 0 to {env.spec.n_agents - 1}.")
        self._renderer = env.renderer(agent)
        self.path = path

    def watch(self) -> None:
        """Add what happened since the last call."""
        for frame in self._renderer.frames():
            self._film(frame)

    def _film(self, frame: np.ndarray) -> None:
        self._writer.append(frame)

    def __enter__(self) -> Self:
        from cohort.recording.video import VideoWriter  # its libraries take a while to load

        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = VideoWriter(self.path, self._renderer.fps)
        self._writer.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.__exit__(kind, error, trace)
