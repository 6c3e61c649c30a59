"""How far the run is, how fast it goes, and when it will be done."""

import sys
import time
from collections import deque
from collections.abc import Callable

from rich.live import Live
from rich.text import Text

from cohort.recording.console import Console
from cohort.recording.headline import headline
from cohort.recording.metrics import Record

WINDOW_SECONDS = 30.0
REFRESH_SECONDS = 0.25


class Progress:
    """One line that is redrawn on a terminal; elsewhere one plain line per log event.

    Speed and time left count this session's steps alone: those of earlier sessions took their time elsewhere.
    The speed is that of the last half minute; the time left goes by the whole session, evaluations included.
    """

    def __init__(self, console: Console, t_max: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Report on `console` about a run of `t_max` environment steps."""
        self._console = console
        self._t_max = t_max
        self._clock = clock
        self._latest: dict[str, float] = {}
        self._live: Live | None = None
        self.begin(0, 0)

    def begin(self, t_env: int, episode: int) -> None:
        """Start a session at the step where the last one ended."""
        self._t_env, self._episode = t_env, episode
        self._started = (self._clock(), t_env)
        self._recent = deque([self._started])
        self._drawn = float("-inf")

    def advance(self, t_env: int, episode: int) -> None:
        """Note where the run is. Cheap: to be called in every iteration."""
        now = self._clock()
        self._t_env, self._episode = t_env, episode
        if now - self._recent[-1][0] >= REFRESH_SECONDS or len(self._recent) == 1:
            self._recent.append((now, t_env))
        while len(self._recent) > 2 and now - self._recent[1][0] >= WINDOW_SECONDS:
            self._recent.popleft()
        if now - self._drawn >= REFRESH_SECONDS:
            self._drawn = now
            self._draw()

    def event(self, record: Record) -> None:
        """Take over newly logged values; prints the plain line (on a terminal: into the log alone)."""
        self.recall(record)
        self.advance(record.t_env, record.episode)
        if self._console.terminal is None:
            self._console.print(self.line())
        else:
            self._console.log_only(self.line())

    def recall(self, record: Record) -> None:
        """Take over values that an earlier session logged."""
        self._latest.update(record.metrics)

    def line(self) -> str:
        """Where the run is, in columns that stay aligned from one line to the next."""
        return "  ".join(self._columns().values())

    def short_line(self, width: int) -> str:
        """The same within `width` characters: single spaces, and the least needed columns left out."""
        columns = {name: " ".join(text.split()) for name, text in self._columns().items()}
        for name in ("episodes", "percent", "headline", "speed"):
            if len("  ".join(columns.values())) <= width:
                break
            columns.pop(name, None)
        return "  ".join(columns.values())

    def _columns(self) -> dict[str, str]:
        t_max, speed = f"{self._t_max:,}", self.speed()
        columns = {
            "steps": f"{self._t_env:>{len(t_max)},} of {t_max} steps",
            "percent": f"{100 * self._t_env / max(1, self._t_max):5.1f} %",
            "episodes": f"{self._episode:>7,} episodes",
            "speed": f"{'-' if speed is None else format(speed, ',.0f'):>7} steps/s",
        }
        found = headline(self._latest)
        if found is not None:
            columns["headline"] = f"{found[0]:>13} {found[1]:8.3f}"
        columns["left"] = f"left {duration(self.seconds_left())}"
        return columns

    def speed(self) -> float | None:
        """Environment steps per second over the last half minute; None before there are any."""
        return _rate(self._recent[0], (self._clock(), self._t_env))

    def seconds_left(self) -> float | None:
        """Seconds to `t_max` at this session's average speed; None before there is one."""
        rate = _rate(self._started, (self._clock(), self._t_env))
        return max(0, self._t_max - self._t_env) / rate if rate else None

    def close(self) -> None:
        """Remove the live line, leaving its last state as ordinary text."""
        if self._live is not None:
            live, self._live = self._live, None
            self._attempt(live.stop)
            self._console.print(self.line())

    def _draw(self) -> None:
        terminal = self._console.terminal
        if terminal is None:
            return
        text = Text(self.short_line(terminal.width), no_wrap=True, overflow="ellipsis")
        if self._live is None:
            self._live = Live(
                text,
                console=terminal,
                auto_refresh=False,  # no thread: the training loop draws
                transient=True,
                redirect_stdout=self._console.stream is sys.stdout,
                redirect_stderr=sys.stderr.isatty(),  # `2> file` must still receive it
            )
            self._attempt(self._live.start)
        self._attempt(lambda: self._live and self._live.update(text, refresh=True))

    def _attempt(self, draw: Callable[[], object]) -> None:
        """A terminal that is gone ends the drawing, not the run."""
        try:
            draw()
        except (OSError, ValueError):
            self._live = None
            self._console.disconnect()


def duration(seconds: float | None) -> str:
    """`seconds` as h:mm:ss."""
    if seconds is None:
        return "-:--:--"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _rate(start: tuple[float, int], now: tuple[float, int]) -> float | None:
    seconds, steps = now[0] - start[0], now[1] - start[1]
    return steps / seconds if seconds > 0 and steps > 0 else None
