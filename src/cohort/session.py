"""One session of a run: a new one, one that goes on where an earlier one stopped, or an evaluation."""

import functools
import json
import shutil
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

from cohort.configuration.files import CONFIG_FOLDER
from cohort.configuration.plan import Plan, Sources, make_plan
from cohort.configuration.task import task_name
from cohort.errors import UserError
from cohort.experiment import Experiment
from cohort.program import PACKAGE, program_name
from cohort.recording.checkpoints import stored_bytes
from cohort.recording.console import Console
from cohort.recording.curve import draw_curve
from cohort.recording.files import remove_all_leftovers, write_text_atomically
from cohort.recording.folder import RunFolder, create_run_folder, open_run_folder
from cohort.recording.metrics import MetricsFile
from cohort.recording.mirrors import Mirror
from cohort.recording.models import load_learner
from cohort.recording.mongo.mirror import mirrored_to_mongo
from cohort.recording.mongo.target import MongoTarget
from cohort.recording.origin import Origin
from cohort.recording.progress import Progress
from cohort.recording.provenance import collect_provenance, typed_command, write_provenance
from cohort.recording.recorder import Recorder
from cohort.recording.resuming import edited, ended_well, load_run_checkpoint
from cohort.recording.sacred_mirror import RunDiverged, RunInterrupted, record_with_sacred
from cohort.recording.stop import Stop, stop_on_signals
from cohort.recording.storage import is_storage_failure, storage_failure
from cohort.recording.tensorboard_mirror import TensorBoardMirror
from cohort.recording.wandb_mirror import WandbMirror
from cohort.registry import nearest

# what a resumed run may be told anew: nothing that would change what it has already done
RESUMABLE = (
    *("t_max", "checkpoint_interval", "save_model", "save_model_interval", "use_tensorboard"),
    *("use_wandb", "wandb_project", "wandb_team", "wandb_mode", "mongo_database", "when_diverged"),
)
# how torch says that a tensor cannot be had, in lower case
OUT_OF_MEMORY = (
    "allocate memory",
    "not enough memory",
    "out of memory",
    "overflow",
    "too large",
    "int too big",
)
LINES_OF_TRANSFER = 12  # of what was not taken over
EXIT_STATUS = {"COMPLETED": 0, "DIVERGED": 1, "INTERRUPTED": 130, "TERMINATED": 143}


class Alone:
    """What surrounds a session that has the program for itself."""

    def adapted(self, plan: Plan) -> Plan:
        """What is built of a run's plan."""
        return plan

    def console(self, plan: Plan) -> Console:
        """Where it prints."""
        return Console()

    def listening(self) -> AbstractContextManager[Stop]:
        """While this is open, signals ask it to stop."""
        return stop_on_signals()

    def began(self, folder: RunFolder) -> None:
        """It has a record now."""


ALONE = Alone()


def start(plan: Plan, mongo_url: str | None = None, around: Alone = ALONE) -> int:
    """Train from the beginning, or from a saved model, in a new run folder; the exit status."""
    mongo = _mongo_target(plan, mongo_url)
    plan, console = around.adapted(plan), around.console(plan)
    with closing(_build(plan, console)) as experiment:
        if plan.run.checkpoint_path:
            state, step, path = load_learner(Path(plan.run.checkpoint_path), plan.run.load_step)
            _refuse_nothing_to_train(plan, step, path)
            _load(experiment.load_model, state, path, step)
            console.print(f"model: {path}")
        if plan.run.transfer_from:
            _transfer(experiment, plan, console)
        with around.listening() as stop:  # from here on there is something to close properly
            folder = create_run_folder(Path(plan.run.local_results_path), run_name(plan))
            around.began(folder)
            return _record(experiment, folder, console, stop, mongo, checkpoint=None)


def resume(path: Path, typed: Mapping[str, Any], mongo_url: str | None = None, around: Alone = ALONE) -> int:
    """Go on with a run as if it had never stopped; the exit status."""
    folder = open_run_folder(path)
    for key, value in typed.items():
        if key not in RESUMABLE:
            raise UserError(
                f"{key} = {value!r} (on the command line): a resumed run keeps its configuration."
                f"{nearest(key, list(RESUMABLE))}\nWhat may be given anew: {', '.join(RESUMABLE)}."
            )
    with closing(MetricsFile(folder.metrics)) as metrics:  # from here on nobody else resumes it
        # before the plan: an older program's checkpoint is refused in one sentence
        checkpoint = load_run_checkpoint(folder)
        plan = make_plan(Sources.of_run(folder.config, typed))
        mongo = _mongo_target(plan, mongo_url)
        plan, console = around.adapted(plan), around.console(plan)
        with closing(_build(plan, console)) as experiment:
            _load(experiment.load_state_dict, checkpoint, folder.checkpoint)
            if experiment.trainer.t_env >= plan.run.t_max and ended_well(folder):
                raise UserError(
                    f"{path} is finished: {experiment.trainer.t_env:,} of {plan.run.t_max:,} steps. "
                    "To train it further: with t_max=<more>."
                )
            metrics.refuse_misfit(checkpoint["recorder"]["metrics_position"])
            now = plan.plain_config()
            for line in edited({**checkpoint.get("config", now), **typed}, now):
                console.print(f"changed since the last session: {line}")
            remove_all_leftovers(folder.root)
            with around.listening() as stop:
                around.began(folder)
                return _record(experiment, folder, console, stop, mongo, checkpoint, metrics)


def run_name(plan: Plan) -> str:
    """`<method>__<map or environment>__seed<seed>[__<label>]`."""
    parts = [plan.run.name, task_name(plan.config), f"seed{plan.run.seed}"]
    return "__".join([*parts, plan.run.label] if plan.run.label else parts)


def _refuse_nothing_to_train(plan: Plan, step: int, path: Path) -> None:
    """A model continues to count from its own step."""
    if not plan.run.evaluate and step >= plan.run.t_max:
        raise UserError(
            f"nothing would be trained: {path} is of step {step:,}, from which training goes on, and t_max is "
            f"{plan.run.t_max:,}. Type t_max={2 * step} or another number above {step:,}, or evaluate=True."
        )


def _mongo_target(plan: Plan, url: str | None) -> MongoTarget | None:
    return MongoTarget(url, plan.run.mongo_database) if url else None


def _build(plan: Plan, console: Console) -> Experiment:
    """Build the pieces; what they refuse for a reason the user can mend is the user's to read."""
    if plan.run.use_tensorboard:
        TensorBoardMirror.refuse_missing()
    if _wants_wandb(plan):
        WandbMirror.refuse_missing()
    try:
        return Experiment(plan, console.print)
    except (ValueError, RuntimeError, MemoryError, TypeError, OverflowError) as error:
        text = str(error)
        if not any(sign in text.lower() for sign in OUT_OF_MEMORY):
            if isinstance(error, ValueError):
                raise UserError(text) from error
            raise
        raise UserError(
            "this run is too large for this machine's memory. Lower what makes it large: batch_size_run, "
            f"test_nepisode, buffer_size or the network's sizes.\ntorch says: {text.splitlines()[0][:300]}"
        ) from error


def _transfer(experiment: Experiment, plan: Plan, console: Console) -> None:
    """Begin with another run's networks as far as they match, and show what did and what did not."""
    state, step, path = load_learner(Path(plan.run.transfer_from), plan.run.load_step, key="transfer_from")
    transfer = experiment.transfer(state, str(path))
    if not transfer.matched:
        raise UserError(
            f"transfer_from={plan.run.transfer_from}: nothing in {path} has the name and the shape of anything in this "
            "run's networks. Leave it out, or choose a run of a more similar method."
        )
    shares = ", ".join(f"{name} {copied} of {own}" for name, copied, own in transfer.of_networks())
    console.print(f"transfer: {path}, step {step:,}; tensors taken over: {shares}")
    left = [
        *(f"{name}: {there} there, {here} here" for name, (there, here) in transfer.other_shape.items()),
        *(f"{name}: fits, but belongs to what does not" for name in transfer.together),
        *(f"{name}: only here" for name in transfer.only_here),
        *(f"{name}: only there" for name in transfer.only_there),
    ]
    for line in left[:LINES_OF_TRANSFER]:
        console.print(f"  {line}")
    if len(left) > LINES_OF_TRANSFER:
        console.print(f"  and {len(left) - LINES_OF_TRANSFER} more: transfer.json has all of them")


def _load(load: Any, state: dict[str, Any], path: Path, *more: Any) -> None:
    try:
        load(state, *more)
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise UserError(
            f"{path} does not fit this run: it was saved with another algorithm, map or network size.\n"
            f"torch says: {(str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:300]}"
        ) from error


def _explains_storage_failures(record: Callable[..., int]) -> Callable[..., int]:
    """What cannot be written ends a session in one sentence."""

    @functools.wraps(record)
    def recorded(experiment: Experiment, folder: RunFolder, *more: Any, **named: Any) -> int:
        try:
            return record(experiment, folder, *more, **named)
        except OSError as error:
            if not is_storage_failure(error):
                raise
            raise UserError(_what_to_do(error, experiment, folder)) from error

    return recorded


def _what_to_do(error: OSError, experiment: Experiment, folder: RunFolder) -> str:
    """After something could not be written; a folder that holds nothing yet is removed."""
    needed = stored_bytes(experiment.state_dict())
    if folder.checkpoint.is_file():
        then = f"then go on from the last checkpoint: {program_name()} --resume={folder.root}"
    elif folder.metrics.is_file() and folder.metrics.stat().st_size:
        then = "then start the run again: it had no checkpoint yet"
    else:
        shutil.rmtree(folder.root, ignore_errors=True)
        then = "then start the run again: nothing had been learned"
    return storage_failure(error, error.filename or str(folder.root), needed, then)


def _wants_wandb(plan: Plan) -> bool:
    return plan.run.use_wandb and plan.run.wandb_mode != "disabled"


def _mirrors(plan: Plan, folder: RunFolder) -> list[Mirror]:
    """Those that the configuration asks for."""
    run, found = plan.run, list[Mirror]()
    if run.use_tensorboard:
        found.append(TensorBoardMirror(folder.tensorboard))
    if _wants_wandb(plan):
        found.append(
            WandbMirror(
                folder.wandb, name=folder.name, project=run.wandb_project, team=run.wandb_team, mode=run.wandb_mode,
                config=plan.plain_config(),
            )
        )  # fmt: skip
    return found


@_explains_storage_failures
def _record(
    experiment: Experiment,
    folder: RunFolder,
    console: Console,
    stop: Stop,
    mongo: MongoTarget | None,
    checkpoint: Mapping[str, Any] | None,
    metrics: MetricsFile | None = None,
) -> int:
    plan = experiment.plan
    command = typed_command()
    console.open_log(folder.console)
    console.print(f"run: {folder.root}")
    write_text_atomically(folder.config, plan.text())
    if experiment.transferred is not None:
        write_text_atomically(folder.transfer, json.dumps(experiment.transferred, indent=1) + "\n")
    facts = experiment.environment_facts
    provenance = collect_provenance(command, PACKAGE, CONFIG_FOLDER)
    write_provenance(folder, {**provenance, "environment": facts})
    classes = [each.cls for each in plan.components.values()]
    mirrors = _mirrors(plan, folder)

    def work(sacred: Mirror) -> dict[str, float]:
        progress = Progress(console, plan.run.t_max)
        progress.begin(experiment.trainer.t_env, experiment.trainer.episode)
        with Recorder(folder, console, progress, [sacred, *mirrors], metrics=metrics) as recorder:
            if checkpoint is not None:
                recorder.load_state_dict(checkpoint["recorder"])
            try:
                if plan.run.evaluate:
                    experiment.evaluate_only(recorder, folder)
                else:
                    experiment.train(recorder, folder, stop)
            finally:
                draw_curve(folder.metrics, folder.curve, folder.name, report=console.print)
            if recorder.diverged:
                raise RunDiverged
            if stop.signal_name is not None and not experiment.finished:
                raise RunInterrupted(stop.signal_name)
            return recorder.results()

    try:
        with mirrored_to_mongo(mongo, folder, console.print) as mongo_mirrors:
            mirrors.extend(mongo_mirrors)
            outcome = record_with_sacred(
                work,
                config=plan.config,
                folder=folder,
                command=command,
                name=plan.run.name,
                t_max=plan.run.t_max,
                environment=facts,
                origin=Origin.of(provenance, PACKAGE, classes),
                earlier_seconds=checkpoint["recorder"]["wall_time"] if checkpoint else 0.0,
                report=console.print,
            )
    except KeyboardInterrupt:
        console.print(f"stopped at once; what the last checkpoint holds: --resume={folder.root}")
        return EXIT_STATUS["INTERRUPTED"]
    except Exception:
        console.log_only(traceback.format_exc())
        raise
    best = experiment.best.describe() if experiment.best else ""
    _say_how_it_ended(outcome.status, outcome.result or {}, best, folder, console)
    return EXIT_STATUS[outcome.status]


def _say_how_it_ended(
    status: str, results: Mapping[str, float], best: str, folder: RunFolder, console: Console
) -> None:
    if status in ("INTERRUPTED", "TERMINATED"):
        console.print(f"{status.lower()}; go on with: {program_name()} --resume={folder.root}")
    for name, value in results.items():
        console.print(f"{name}: {value:.4f}")
    if best:
        console.print(f"best: {best}: {folder.best}")
    if folder.curve.is_file():
        console.print(f"curve: {folder.curve}")
    console.close()
