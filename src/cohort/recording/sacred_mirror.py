"""Sacred, all of it: no other module knows that it exists.

Sacred 0.8.7 is used as a record only. Its command line, its capture of output (children that outlive the run
block it), its scan of git and of imported modules, and its logging stay out: the run's folder has better of
each.
"""

import json
import logging
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cohort.recording.credentials import without_credentials
from cohort.recording.files import write_text_atomically
from cohort.recording.folder import RunFolder
from cohort.recording.info import as_readers_expect, info_lists
from cohort.recording.metrics import Record
from cohort.recording.mirrors import Mirror
from cohort.recording.origin import Origin
from cohort.recording.status import State

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Sacred imports pkg_resources, which announces its own removal
    import sacred.run
    from sacred import SETTINGS, Experiment
    from sacred.observers import FileStorageObserver, RunObserver
    from sacred.serializer import flatten
    from sacred.utils import SacredInterrupt

MAX_POINTS = 2000

# Sacred calls datetime.utcnow, which Python 3.12 and later deprecate: not this program's to mend.
warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"sacred\.")
SETTINGS.CAPTURE_MODE = "no"
SETTINGS.DISCOVER_SOURCES = "none"
SETTINGS.DISCOVER_DEPENDENCIES = "none"
SETTINGS.HOST_INFO.INCLUDE_CPU_INFO = False  # provenance.json says more, and
SETTINGS.HOST_INFO.INCLUDE_GPU_INFO = False  # an nvidia-smi that Sacred cannot parse would fail the run
SETTINGS.HOST_INFO.CAPTURED_ENV = []  # environment variables hold secrets
# Sacred would seed Python, numpy and torch again just before `main`, over generators that a resume has restored.
sacred.run.set_global_seed = lambda seed: None


class RunEnded(SacredInterrupt):
    """Raised by `main` when everything is saved and the run is not completed."""

    STATUS: State


class RunDiverged(RunEnded):
    """Numbers have left the finite."""

    STATUS: State = "DIVERGED"


class RunInterrupted(RunEnded):
    """A signal has ended the training loop."""

    def __init__(self, signal_name: str) -> None:
        """Close the record as INTERRUPTED after SIGINT, as TERMINATED after SIGTERM."""
        super().__init__(f"stopped by {signal_name}")
        self.signal_name = signal_name
        self.STATUS = "INTERRUPTED" if signal_name == "SIGINT" else "TERMINATED"


@dataclass(frozen=True)
class SacredOutcome:
    """How a session ended.

    Attributes:
        status: COMPLETED, INTERRUPTED, TERMINATED or DIVERGED (a failure is raised instead).
        result: what `main` returned; None when it was interrupted.
        sacred_id: the number of Sacred's record; None when Sacred could not be started.
    """

    status: State
    result: dict[str, float] | None
    sacred_id: str | None


def record_with_sacred(
    main: Callable[[Mirror], dict[str, float] | None],
    *,
    config: Mapping[str, Any],
    folder: RunFolder,
    command: str,
    name: str,
    t_max: int,
    report: Callable[[str], None],
    environment: Mapping[str, str | int] | None = None,
    origin: Origin | None = None,
    earlier_seconds: float = 0.0,
    beat_seconds: float = 10.0,
) -> SacredOutcome:
    """Run `main` as one Sacred run; an observer that fails is reported and nothing else.

    Every session of a run gets a new Sacred id; `meta.run_folder` in its record is what they have in common.
    No random generator is touched: seeding is the experiment's own business.

    Args:
        main: the run. It receives the mirror to give to its recorder, returns the final headline metrics, and
            raises a `RunEnded` when it is not completed.
        config: the full configuration.
        folder: the run's folder; the record lies in its `sacred`.
        command: what was typed.
        name: the experiment's name.
        t_max: the run's length in environment steps, by which the metrics are thinned.
        report: prints one line on the console.
        environment: facts about a foreign game, as its version; kept in the record's `meta`.
        origin: files, commit and machine; kept in the record's `experiment` and `host`.
        earlier_seconds: running time of the sessions before this one.
        beat_seconds: how often the record receives the metrics.
    """
    experiment = _experiment(name, config)
    observer = _FileObserver(folder.sacred, origin or Origin(folder.root))
    experiment.observers = [_GuardedObserver(observer, report)]
    entered = False

    def train() -> dict[str, float] | None:
        nonlocal entered
        entered = True
        run = experiment.current_run
        try:
            mirror = SacredMirror(run.log_scalar, t_max)
            observer.info_of = mirror.info
            result = main(mirror)
            return None if result is None else {key: float(value) for key, value in result.items()}
        finally:
            for path in _artifacts(folder):
                run.add_artifact(str(path))

    try:
        experiment.main(train)
        run = experiment.run(
            meta_info={
                "typed_command": without_credentials(command),
                "run_folder": folder.name,
                "environment": _recordable(environment or {}),
                "session": _earlier_sessions(folder.sacred) + 1,
                "earlier_seconds": earlier_seconds,
            },
            options={"--beat-interval": beat_seconds},
        )
        return SacredOutcome("COMPLETED", run.result, run._id)
    except RunEnded as stop:
        return SacredOutcome(stop.STATUS, None, experiment.current_run._id)
    except Exception as error:
        if entered:
            raise
        report(f"Sacred could not be started ({type(error).__name__}: {error}). The run goes on without it.")
    return _without_sacred(main, t_max)


class SacredMirror:
    """Sends metrics to Sacred, at most about 2,000 points of each: every heartbeat rewrites them all."""

    name = "Sacred"

    def __init__(self, log_scalar: Callable[[str, float, int], None], t_max: int) -> None:
        """Send to `log_scalar(name, value, step)`, one value for each 2,000th part of `t_max` steps."""
        self._log_scalar = log_scalar
        self._cell = max(1.0, t_max / MAX_POINTS)
        self._sent: dict[str, int] = {}
        self._held: dict[str, tuple[float, int]] = {}
        self._curves: dict[str, tuple[list[int], list[float]]] = {}
        self._lock = threading.Lock()  # Sacred's thread asks for `info`

    def begin(self, earlier: Sequence[Record]) -> None:
        """Send what earlier sessions logged first, so that the new record is complete by itself."""
        for record in earlier:
            self.log(record)

    def log(self, record: Record) -> None:
        """Send the values that are the first of their kind in this part of the run."""
        cell = int(record.t_env / self._cell)
        for name, value in record.metrics.items():
            if self._sent.get(name) != cell:
                self._sent[name] = cell
                self._held.pop(name, None)
                self._send(name, value, record.t_env)
            else:
                self._held[name] = (value, record.t_env)

    def close(self) -> None:
        """Send each metric's last value, should it have been thinned away."""
        for name, (value, t_env) in self._held.items():
            self._send(name, value, t_env)
        self._held.clear()

    def info(self) -> dict[str, list[float]]:
        """What PyMARL keeps in Sacred's `info`."""
        with self._lock:
            return info_lists(self._curves)

    def _send(self, name: str, value: float, t_env: int) -> None:
        with self._lock:
            steps, values = self._curves.setdefault(name, ([], []))
            steps.append(t_env)
            values.append(value)
        self._log_scalar(name, value, t_env)


class _FileObserver(FileStorageObserver):
    """Sacred's file observer, writing whole files or none, and its metrics without detours."""

    def __init__(self, folder: Path, origin: Origin) -> None:
        """Write below `folder`; `info_of` is asked at each beat for what PyMARL keeps in `info`."""
        super().__init__(folder)
        self._origin = origin
        self.info_of: Callable[[], dict[str, Any]] = dict
        self._written: dict[str, Any] = {}

    def started_event(
        self, ex_info: dict[str, Any], command: str, host_info: dict[str, Any], **event: Any
    ) -> str | None:
        """Begin a record that says where the run comes from."""
        ex_info = {**ex_info, **self._origin.experiment()}
        host_info = {
            key: value for key, value in (host_info | self._origin.host).items() if value is not None
        }
        return super().started_event(ex_info=ex_info, command=command, host_info=host_info, **event)

    def heartbeat_event(self, info: dict[str, Any], **event: Any) -> None:
        """Tell that the run lives, and write `info.json` where it has grown."""
        super().heartbeat_event(info={}, **event)
        self.info = self.info_of()
        if self.info != self._written:
            self.save_json(self.info, "info.json")
            self._written = self.info

    def save_json(self, obj: Any, filename: str) -> None:
        """Replace one of the record's files: a full disk must not leave half of it."""
        if filename in (
            "metrics.json",
            "info.json",
        ):  # plain numbers already: jsonpickle would take seconds over them
            text = json.dumps(obj, sort_keys=True)
        else:
            text = json.dumps(flatten(obj), sort_keys=True, indent=2)
        write_text_atomically(Path(self.dir) / filename, text, durable=False)

    def log_metrics(self, metrics_by_name: dict[str, Any], info: dict[str, Any]) -> None:
        """Skip the beats that bring nothing."""
        if metrics_by_name:
            super().log_metrics(metrics_by_name, info)


class _GuardedObserver(RunObserver):
    """Keeps an observer's failures away from the run, and what it could not store for the next beat.

    Sacred itself lets a failing start end the run, and silences an observer for good after one failing beat.
    Beats come from Sacred's thread and endings from the main one, hence the lock.
    """

    def __init__(self, inner: RunObserver, report: Callable[[str], None]) -> None:
        self.priority = inner.priority
        self._inner = inner
        self._name = type(inner).__name__.lstrip("_")
        self._report = report
        self._started = False
        self._failing = False
        self._ended = False
        self._unsent: dict[str, dict[str, Any]] = {}
        self._info: dict[str, Any] = {}
        self._lock = threading.RLock()

    def started_event(self, **event: Any) -> str | None:
        """Begin a record; without a beginning there will be nothing else."""
        try:
            number = self._inner.started_event(**event)
        except Exception as error:
            self._report(
                f"Sacred's {self._name} could not start a record ({error}). The run goes on without it."
            )
            return event.get("_id")
        self._started = True
        return number

    def log_metrics(self, metrics_by_name: dict[str, Any], info: dict[str, Any]) -> None:
        """Store new points together with those that failed before."""
        if not self._started:
            return
        with self._lock:
            self._info = info
            for name, points in metrics_by_name.items():
                known = self._unsent.setdefault(
                    name, {"steps": [], "values": [], "timestamps": [], "name": name}
                )
                for key in ("steps", "values", "timestamps"):
                    known[key] = known[key] + points[key]
            if self._unsent and self._call("log_metrics", metrics_by_name=self._unsent, info=info):
                self._unsent = {}

    def heartbeat_event(self, **event: Any) -> None:
        """Tell that the run lives."""
        if self._call("heartbeat_event", **event) and self._failing and not self._unsent:
            self._failing = False
            self._report(f"Sacred's {self._name} is back; its metrics are complete.")

    def artifact_event(self, **event: Any) -> None:
        """Keep a file."""
        self._call("artifact_event", **event)

    def completed_event(self, **event: Any) -> None:
        """End the record well."""
        self._end("completed_event", event)

    def interrupted_event(self, **event: Any) -> None:
        """End the record early."""
        self._end("interrupted_event", event)

    def failed_event(self, **event: Any) -> None:
        """End the record with a traceback."""
        self._end("failed_event", event)

    def join(self) -> None:
        """Say what is missing in the end."""
        self._call("join")
        missing = sum(len(points["values"]) for points in self._unsent.values())
        if missing:
            self._report(f"Sacred's {self._name} misses {missing:,} values; metrics.jsonl has them all.")
        if self._started and not self._ended:
            self._report(f"Sacred's {self._name} still says RUNNING: its record could not be closed.")

    def _end(self, event: str, arguments: dict[str, Any]) -> None:
        self.log_metrics({}, self._info)  # a last chance for what the beats could not store
        self._ended = self._call(event, **arguments)

    def _call(self, event: str, **arguments: Any) -> bool:
        """Whether the observer took the event; the first refusal in a row is reported."""
        if not self._started:
            return False
        with self._lock:
            try:
                getattr(self._inner, event)(**arguments)
                return True
            except Exception as error:
                if not self._failing:
                    self._report(
                        f"Sacred's {self._name} fails ({type(error).__name__}: {error}). "
                        "The run goes on, and it is tried again."
                    )
                self._failing = True
                return False


def _without_sacred(main: Callable[[Mirror], dict[str, float] | None], t_max: int) -> SacredOutcome:
    try:
        return SacredOutcome("COMPLETED", main(SacredMirror(lambda name, value, step: None, t_max)), None)
    except RunEnded as stop:
        return SacredOutcome(stop.STATUS, None, None)


def _experiment(name: str, config: Mapping[str, Any]) -> Experiment:
    experiment = Experiment(name, save_git_info=False)
    # Sacred takes the file that calls it for the experiment's source. The run's folder has the source's hash.
    experiment.mainfile, experiment.sources = None, set()
    experiment.logger = logging.getLogger("cohort.sacred")
    experiment.logger.setLevel(logging.CRITICAL + 1)
    experiment.add_config(_recordable(as_readers_expect(config)))
    return experiment


def _recordable(value: Any) -> Any:
    """`value` in JSON's types, without passwords, and with keys that MongoDB and jsonpickle accept."""
    if isinstance(value, Mapping):
        return {_recordable_key(key): _recordable(inner) for key, inner in value.items()}
    if isinstance(value, (set, frozenset)):
        return _recordable(sorted(value, key=str))
    if isinstance(value, (list, tuple)):
        return [_recordable(inner) for inner in value]
    if isinstance(value, (bool, int, float, type(None))):
        return value
    if hasattr(value, "item"):
        return _recordable(value.item())
    return without_credentials(str(value))


def _recordable_key(key: Any) -> str:
    return str(key).replace(".", "_").replace("=", "_").replace("$", "_").replace("/", "_") or "_"


def _artifacts(folder: RunFolder) -> list[Path]:
    kept = (folder.console, folder.metrics, folder.curve, folder.provenance)
    return [path for path in kept if path.is_file()]


def _earlier_sessions(folder: Path) -> int:
    return sum(child.name.isdecimal() for child in folder.iterdir()) if folder.is_dir() else 0
