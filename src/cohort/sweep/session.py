"""One session of a sweep: a new one, or one that goes on where an earlier one stopped."""

import os
import shutil
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

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
    SearchDescription,
    SweepFolder,
    SweepRun,
    read_description,
    write_description,
)
from cohort.sweep.journal import Journal
from cohort.sweep.loop import Sweep
from cohort.sweep.options import SAMPLERS, TRIALS, SweepOptions
from cohort.sweep.processes import Pool, ProcessPool, usable_cores, visible_gpus
from cohort.sweep.search.objective import Objective
from cohort.sweep.search.samplers import import_optuna
from cohort.sweep.search.search import Search, space_of
from cohort.sweep.search.space import Space

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
    return _begin("sweep", plans, Description(*_circumstances(), runs), options, mongo_url)


def start_search(space: Space, options: SweepOptions, mongo_url: str | None) -> int:
    """Check the ends of every range and every choice, then carry out the search; the exit status."""
    import_optuna()
    plans = _plans_of_search(space)
    alike = {words.config: _sweep_run(words, plan) for words, plan in plans}
    search = SearchDescription(
        sampler=options.search or SAMPLERS[0],
        trials=options.trials or TRIALS,
        objective=options.objective,
        minimise=options.minimise,
        config=space.config,
        env_config=space.env_config,
        typed=space.typed,
        alike=alike,
    )
    objective = Objective.read(options.objective)
    if (runs := search.trials * space.runs_per_trial) > MANY and not (options.yes or options.dry_run):
        raise UserError(f"this search has {runs:,} runs. If that is meant: add --yes.")
    if options.dry_run:
        aim = "least" if options.minimise else "greatest"
        print(f"{space.describe()}\n{search.trials} trials of {_counted(space.runs_per_trial)} each, "
              f"proposed by {search.sampler}; the {aim} {objective.text} is best")  # fmt: skip
        return 0
    description = Description(*_circumstances(), (), search)
    return _begin("search", [plan for _, plan in plans], description, options, mongo_url)


def _circumstances() -> tuple[str, str, dict[str, Any]]:
    """What was typed, where, and versions."""
    command = typed_command()
    return command, os.getcwd(), collect_provenance(command, PACKAGE, CONFIG_FOLDER)


def _begin(
    kind: str, plans: Sequence[Plan], description: Description, options: SweepOptions, mongo_url: str | None
) -> int:
    """Carry out what is `described` in a new folder."""
    results = Path(plans[0].run.local_results_path)
    folder = SweepFolder(create_run_folder(results, _name(kind, plans)).root)
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
    if options.trials is not None:
        if description.search is None:
            raise UserError(f"--trials belongs to a search, and {path} is none.")
        description = replace(description, search=replace(description.search, trials=options.trials))
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


def _plans_of_search(space: Space) -> list[tuple[RunWords, Plan]]:
    """One run of each algorithm. Raises `UserError` on the first value that cannot be."""
    found: dict[str, tuple[RunWords, Plan]] = {}
    for chosen in space.combinations():
        for words in space.runs(chosen):
            try:
                plan = make_plan(Sources.read(words.config, words.env_config, parse_updates(words.typed)))
            except UserError as error:
                told = ", ".join(f"{key}={text}" for key, text in chosen.items())
                raise UserError(f"with {told}: {error}\nNo run was started.") from error
            found.setdefault(words.config, (words, plan))
    return list(found.values())


def _sweep_run(words: RunWords, plan: Plan) -> SweepRun:
    if plan.run.seeds_at_once > 1:
        raise UserError(
            f"seeds_at_once={plan.run.seeds_at_once} puts several runs into one program, and a sweep starts a program "
            "for each run: leave it out and list the seeds, or name one value for every other key"
        )
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


def _name(kind: str, plans: Sequence[Plan]) -> str:
    parts = [
        dict.fromkeys(each)
        for each in (
            [p.run.name for p in plans],
            [task_name(p.config) for p in plans],
            [p.run.label for p in plans],
        )
    ]
    return "__".join([kind, *("-".join(part) for part in parts if any(part))])


def _carry_out(
    folder: SweepFolder, description: Description, options: SweepOptions, mongo_url: str | None
) -> int:
    console = Console()
    runs_per_trial = space_of(description.search).runs_per_trial if description.search else 0
    with Journal(folder.journal, len(description.runs), runs_per_trial) as journal:
        search = None
        if description.search is not None:
            search = Search(description.search, journal, folder.root.absolute().parent)
            description = replace(description, runs=search.known)
            write_description(folder, description)  # with the number of trials that holds now
        total = search.total if search else len(description.runs)
        console.open_log(folder.console)
        console.print(f"{'search' if search else 'sweep'}: {folder.root} ({_counted(total)})")
        folder.stop.unlink(missing_ok=True)
        pool = _pool(folder, description, options, {VARIABLE: mongo_url} if mongo_url else {})
        with (
            closing(pool),
            stop_on_signals() as stop,
        ):  # in this order: Ray listens to signals once it is started
            display = Display(console, description.runs, total)
            sweep = Sweep(folder, description, journal, pool, display, search)
            sweep.take_over(options.retry_failed)
            sweep.run(stop)
        sweep.summarise(console, search.summary() if search else None)
        states = {entry.state for entry in journal.entries} if search is None else search.states
    if hint := _how_to_go_on(folder, states):
        console.print(hint)
    console.close()
    return 0 if states == {"completed"} else EXIT_STATUS.get(stop.signal_name, 1)


def _how_to_go_on(folder: SweepFolder, states: set[str]) -> str:
    if states & {"interrupted", "waiting", "running"}:
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
    runs = description.search.alike.values() if description.search else description.runs
    jobs = options.jobs or max(1, usable_cores() // max(run.threads for run in runs))
    gpus = visible_gpus() if any(run.cuda for run in runs) else []
    return ProcessPool(jobs, directory, environment, gpus)
