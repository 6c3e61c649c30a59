"""What the training loop talks to: one place that records, mirrors and shows."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from cohort.recording.console import Console
from cohort.recording.folder import RunFolder
from cohort.recording.headline import results
from cohort.recording.metrics import MetricsFile, read_metrics
from cohort.recording.mirrors import GuardedMirror, Mirror
from cohort.recording.progress import Progress
from cohort.recording.status import State, StatusFile

STATUS_SECONDS = 5.0


class Recorder:
    """Keeps one session of a run on record. Use as a context manager, or call `close`."""

    def __init__(
        self,
        folder: RunFolder,
        console: Console,
        progress: Progress,
        mirrors: Sequence[Mirror] = (),
        clock: Callable[[], float] = time.monotonic,
        metrics: MetricsFile | None = None,
    ) -> None:
        """Open the run's metrics and say that it is running.

        Args:
            folder: the run's.
            console: what a person sees.
            progress: one line of it.
            mirrors: what repeats the metrics elsewhere.
            clock: seconds.
            metrics: the folder's metrics where they are open already, as a resumed run's are.

        Raises:
            UserError: another process is recording this run.
        """
        self._folder = folder
        self._console = console
        self._progress = progress
        self._clock = clock
        self._metrics = metrics or MetricsFile(folder.metrics)
        self._mirrors = [GuardedMirror(mirror, console.print) for mirror in mirrors]
        self._begun = False
        self._status = StatusFile(folder.status, console.print)
        self._state: State = "RUNNING"
        self._latest: dict[str, float] = {}
        self._t_env = self._updates = self._episode = 0
        self._diverged = False
        self._earlier_seconds = 0.0
        self._started = clock()
        self._status_written = float("-inf")
        if self._metrics.position() == 0:  # a resumed run keeps its status until its state is loaded
            self._write_status()

    @property
    def wall_time(self) -> float:
        """Seconds spent running, over all sessions."""
        return self._earlier_seconds + self._clock() - self._started

    def tick(self, t_env: int, updates: int, episode: int) -> None:
        """Note where the run is. Cheap: to be called in every iteration."""
        self._t_env, self._updates, self._episode = t_env, updates, episode
        self._progress.advance(t_env, episode)
        if self._clock() - self._status_written >= STATUS_SECONDS:
            self._write_status()

    def log(self, t_env: int, updates: int, episode: int, metrics: Mapping[str, float]) -> None:
        """Record values: in the metrics file first, then in the mirrors and on the console."""
        self._begin_mirrors()
        wall_time = self.wall_time
        record = self._metrics.append(t_env, metrics, updates=updates, episode=episode, wall_time=wall_time)
        self._latest.update(record.metrics)
        for mirror in self._mirrors:
            mirror.log(record)
        self._t_env, self._updates, self._episode = t_env, updates, episode
        self._progress.event(record)
        self._look_for_divergence(record.metrics, t_env)
        self._write_status()

    @property
    def diverged(self) -> bool:
        """Whether numbers have left the finite, in this session or an earlier one that the run goes on from."""
        return self._diverged

    def tell_of_divergence(self, what: str, t_env: int) -> None:
        """Say once in a session that `what` is not finite; a return may still look like a number after that."""
        if not self._diverged:
            self._diverged = True
            self._console.print(
                f"diverged: {what} not finite at {t_env:,} steps. What follows says nothing about the method; smaller "
                "learning rates may help, and when_diverged=go_on does not stop"
            )

    def _look_for_divergence(self, metrics: Mapping[str, float], t_env: int) -> None:
        strange = [name for name, value in metrics.items() if not math.isfinite(value)]
        if strange:
            self.tell_of_divergence(", ".join(strange[:3]) + " and more" * (len(strange) > 3), t_env)

    def results(self) -> dict[str, float]:
        """What the run is summed up by so far: its last win rates and returns."""
        return results(self._latest)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps; pushes the metrics to the disk, so that they are there when it is."""
        return {
            "metrics_position": self._metrics.position(),
            "wall_time": self.wall_time,
            "t_env": self._t_env,
            "updates": self._updates,
            "episode": self._episode,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Return to a checkpoint: later metrics are set aside, and the mirrors learn the earlier ones.

        Raises:
            UserError: the metrics file is not the one that the checkpoint was made with.
        """
        self._metrics.rewind(state["metrics_position"])
        self._t_env, self._updates, self._episode = state["t_env"], state["updates"], state["episode"]
        self._earlier_seconds, self._started = state["wall_time"], self._clock()
        self._progress.begin(self._t_env, self._episode)
        self._begin_mirrors()
        self._write_status()

    def close(self, state: State) -> None:
        """End the session with its final state; a second call changes nothing."""
        if self._state != "RUNNING":
            return
        self._state = state
        self._progress.close()
        self._begin_mirrors()  # a session that logged nothing is still a session
        for mirror in self._mirrors:
            mirror.close()
        try:
            self._metrics.close()
        finally:
            self._write_status()

    def __enter__(self) -> Self:
        """The recorder itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close with the state that fits how the block was left."""
        try:
            self.close(_state_after(error))
        except OSError:
            if error is None:
                raise  # else what went wrong first is what counts

    def _begin_mirrors(self) -> None:
        if self._begun:
            return
        self._begun = True
        earlier = read_metrics(self._folder.metrics)
        for record in earlier:
            self._latest.update(record.metrics)
            self._progress.recall(record)
            self._look_for_divergence(record.metrics, record.t_env)
        for mirror in self._mirrors:
            mirror.begin(earlier)

    def _write_status(self) -> None:
        self._status_written = self._clock()
        self._status.write(
            self._state,
            t_env=self._t_env,
            updates=self._updates,
            episode=self._episode,
            wall_seconds=self.wall_time,
        )


def _state_after(error: BaseException | None) -> State:
    """Interrupts carry the state that Sacred stores as `STATUS`; asking by name keeps Sacred out of here."""
    if error is None:
        return "COMPLETED"
    return getattr(error, "STATUS", "INTERRUPTED" if isinstance(error, KeyboardInterrupt) else "FAILED")
