"""Pictures of a game that is played in a worker process."""

import numpy as np

from cohort.envs.workers.pool import Pool


class Film:
    """Draws one game from its next `reset` on, as `cohort.recording.replay.Replay` wants it."""

    def __init__(self, pool: Pool, game: int, fps: float) -> None:
        """Film `game`, which has been told so; `fps`: pictures of a second."""
        self.fps, self._pool, self._game, self._over = fps, pool, game, False

    def frames(self) -> list[np.ndarray]:
        """The picture [H, W, 3] uint8 of this moment; none once the game has ended."""
        if self._over:
            return []
        self._over = not self._pool.plays(self._game)
        picture = self._pool.ask(self._game, "picture")
        return [] if picture is None else [picture]
