"""One session of a sweep: a new one, or one that goes on where an earlier one stopped."""

import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cohort.configuration.files import CONFIG_FOLDER
from cohort.configuration.plan import Plan, Sources, make_plan
from cohort.configuration.task import task_name
from cohort.configuration.updates import ENV_ARGS, parse_updates
from cohort.errors import UserError
from cohort.program import PACKAGE, program_name
from cohort.recording.console import Console
from cohort.recording.folder import create_run_folder
from cohort.recording.mongo.target import VARIABLE
from cohort.recording.provenance import collect_provenance, typed_command
from cohort.recording.stop import stop_on_signals
from cohort.sweep.display import Display
from cohort.sweep.expansion import CONFIG, RunWords
from cohort.sweep.folder import (
    Description,
    SweepFolder,
    SweepRun,
    read_description,
    write_description,
)
from cohort.sweep.journal import Journal
from cohort.sweep.loop import Sweep
from cohort.sweep.options import SweepOptions
from cohort.sweep.processes import Pool, ProcessPool, usable_cores, visible_gpus

MANY = 1000  # runs that want to be confirmed
EXIT_STATUS = {"SIGINT": 130, "SIGTERM": 143}


def start(words: Sequence[RunWords], options: SweepOptions, mongo_url: str | None) -> int:
    """Check every run, then carry them out; the exit status."""
    if len(words) > MANY and not (options.yes or options.dry_run):
        raise UserError(f"this sweep has {len(words):,} runs. If that is meant: add --yes.")
    plans = _checked_plans(words)
    runs = tuple(_sweep_run(one, plan) for one, plan in zip(words, plans, strict=True))
    if options.dry_run:
        for number, run in enumerate(runs, 1):
            print(f"{number:>{len(str(len(runs)))}}  {' '.join(run.words)}")
        print(_counted(len(runs)))
        return 0
    command = typed_command()
    description = Description(command, os.getcwd(), collect_provenance(command, PACKAGE, CONFIG_FOLDER), runs)
    results = Path(plans[0].run.local_results_path)
    folder = SweepFolder(create_run_folder(results, _name(plans)).root)
    folder.output(0).parent.mkdir()
    write_description(folder, description)
    try:
        return _carry_out(folder, description, options, mongo_url)
    except UserError:
        if folder.journal.stat().st_size == 0:  # there is no such cluster: nothing has begun
            shutil.rmtree(folder.root)
        raise


def resume(path: Path, options: SweepOptions, mongo_url: str | None) -> int:
    """Go on with a sweep that was stopped or killed; the exit status."""
    folder = SweepFolder(path)
    description = read_description(folder)
    if not Path(description.directory).is_dir():
        raise UserError(f"{path} was started in {description.directory}, which is no longer there.")
    return _carry_out(folder, description, options, mongo_url)


def _checked_plans(words: Sequence[RunWords]) -> list[Plan]:
    """Raises `UserError` on the first run that cannot be, or that is there twice."""
    plans: list[Plan] = []
    seen: dict[str, int] = {}
    for number, one in enumerate(words, 1):
        try:
            plan = make_plan(Sources.read(one.config, one.env_config, parse_updates(one.typed)))
        except UserError as error:
            raise UserError(f"run {number} of {len(words)}: {error}\nNo run was started.") from error
        earlier = seen.setdefault(plan.text(), number)
        if earlier != number:
            raise UserError(
                f"runs {earlier} and {number} are the same: {' '.join(one.words)}. "
                "Name each value once; --dry-run prints the runs."
            )
        plans.append(plan)
    return plans


def _sweep_run(words: RunWords, plan: Plan) -> SweepRun:
    # what has a column of its own needs no other
    shown = {CONFIG: plan.run.name, f"{ENV_ARGS}.map_name": None, "seed": None}
    varied = {
        key.removeprefix("--").removeprefix(f"{ENV_ARGS}."): value
        for key, value in words.varied.items()
        if key not in shown or shown[key] not in (None, value)
    }
    return SweepRun(
        words=tuple(words.words),
        method=plan.run.name,
        map_name=task_name(plan.config),
        seed=plan.run.seed,
        t_max=plan.run.t_max,
        threads=plan.run.torch_threads,
        cuda=plan.run.use_cuda,
        varied=varied,
    )


def _name(plans: Sequence[Plan]) -> str:
    parts = [
        dict.fromkeys(each)
        for each in (
            [p.run.name for p in plans],
            [task_name(p.config) for p in plans],
            [p.run.label for p in plans],
        )
    ]
    return "__".join(["sweep", *("-".join(part) for part in parts if any(part))])


def _carry_out(
    folder: SweepFolder, description: Description, options: SweepOptions, mongo_url: str | None
) -> int:
    console = Console()
    with Journal(folder.journal, len(description.runs)) as journal:
        console.open_log(folder.console)
        console.print(f"sweep: {folder.root} ({_counted(len(description.runs))})")
        folder.stop.unlink(missing_ok=True)
        pool = _pool(folder, description, options, {VARIABLE: mongo_url} if mongo_url else {})
        with (
            closing(pool),
            stop_on_signals() as stop,
        ):  # in this order: Ray listens to signals once it is started
            sweep = Sweep(folder, description, journal, pool, Display(console, description.runs))
            sweep.take_over(options.retry_failed)
            sweep.run(stop)
        sweep.summarise(console)
        states = {entry.state for entry in journal.entries}
    if hint := _how_to_go_on(folder, states):
        console.print(hint)
    console.close()
    return 0 if states == {"completed"} else EXIT_STATUS.get(stop.signal_name, 1)


def _how_to_go_on(folder: SweepFolder, states: set[str]) -> str:
    if states & {"interrupted", "waiting"}:
        return f"go on with: {program_name()} --resume={folder.root}"
    if "failed" in states:
        return f"once it is mended: {program_name()} --resume={folder.root} --retry-failed"
    return ""


def _counted(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs:,} runs"


def _pool(
    folder: SweepFolder, description: Description, options: SweepOptions, environment: dict[str, str]
) -> Pool:
    directory = Path(description.directory)
    if options.cluster is not None:
        from cohort.sweep.ray_cluster import RayPool

        return RayPool(options.cluster, options.jobs, folder, directory, environment)
    jobs = options.jobs or max(1, usable_cores() // max(run.threads for run in description.runs))
    gpus = visible_gpus() if any(run.cuda for run in description.runs) else []
    return ProcessPool(jobs, directory, environment, gpus)
