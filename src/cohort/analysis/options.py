"""Command-line options that the commands reading runs share."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cohort.analysis.fields import FACTS, SUMMARIES, Field, refuse_unknown
from cohort.analysis.folders import find_runs
from cohort.analysis.language import parse_condition
from cohort.analysis.runs import Run
from cohort.analysis.tables import FORMS
from cohort.arguments import Parser
from cohort.errors import UserError
from cohort.recording.folder import RESULTS, names_like
from cohort.recording.mongo.target import DEFAULT_DATABASE, VARIABLE, MongoTarget
from cohort.registry import nearest

_EXPLAINED = {
    "config.<key>": "a key of the configuration, as config.env_args.map_name",
    "metrics.<name>": "the last value of a metric; metrics.<name>/<name>: of a quotient",
    **{
        f"{name}(metrics.<name>{', <level>' if summary.needs_number else ''})": summary.meaning
        for name, summary in SUMMARIES.items()
    },
    **{name: fact.meaning for name, fact in FACTS.items()},
}
FIELDS = "fields:\n" + "\n".join(f"  {name:<34}{meaning}" for name, meaning in _EXPLAINED.items())


def add_source(parser: Parser, paths: str = "*") -> None:
    """Options that say which runs: folders or a database, and a condition."""
    parser.add_argument(
        "paths",
        nargs=paths,
        metavar="FOLDER",
        help="run folders, or folders that hold them (default: results)",
    )
    add_database(parser)
    parser.add_argument(
        "--where", metavar="CONDITION", help='as "config.mixer=qmix and metrics.test_battle_won_mean>0.8"'
    )


def add_database(parser: Parser) -> None:
    """Options that name MongoDB instead of folders."""
    parser.add_argument(
        "--mongo",
        nargs="?",
        const="",
        metavar="URL",
        help=f"read MongoDB instead of folders; without a URL: the one in {VARIABLE}",
    )
    parser.add_argument("--database", default=DEFAULT_DATABASE, help="default: %(default)s")


def add_form(parser: Parser) -> None:
    """How a table is written."""
    parser.add_argument("--form", choices=FORMS, default="table", help="default: %(default)s")
    parser.add_argument(
        "--markdown", action="store_const", const="markdown", dest="form", help="--form markdown"
    )


def read_runs(options: argparse.Namespace, kept: Path | None = None) -> Sequence[Run]:
    """All runs that the source options name, before any condition; by default those in results and in `kept`.

    Raises:
        UserError: there are none, or the server cannot be reached.
    """
    if options.mongo is None:
        return find_runs([Path(path) for path in options.paths]) if options.paths else _usual_runs(kept)
    if options.paths:
        raise UserError(f"Name folders ({options.paths[0]}) or --mongo, not both.")
    return read_database(options)


def read_database(options: argparse.Namespace) -> Sequence[Run]:
    """All runs in the database that the options name."""
    from cohort.analysis.mongo import find_mongo_runs

    url = options.mongo or os.environ.get(VARIABLE, "")
    if not url:
        raise UserError(
            f"--mongo needs the server's address: --mongo=mongodb://host:27017, or set {VARIABLE}."
        )
    return find_mongo_runs(MongoTarget(url, options.database))


def _usual_runs(kept: Path | None) -> Sequence[Run]:
    """Those in results, where they may have gone on, and those that are kept in a folder of the repository alone."""
    if kept is None or not kept.is_dir():
        return find_runs([RESULTS])
    own = find_runs([RESULTS]) if RESULTS.is_dir() else []
    names = {run.name for run in own}
    return [*own, *(run for run in find_runs([kept]) if run.name not in names)]


def chosen_runs(
    options: argparse.Namespace, fields: Sequence[Field] = (), kept: Path | None = None
) -> list[Run]:
    """The runs that the source options name and that meet `--where`.

    Args:
        options: with what `add_source` adds.
        fields: what else will be asked of the runs: some run must have it, whether it is chosen or not.
        kept: a folder of the repository that is read beside results where no folders are named.

    Raises:
        UserError: there are none, the condition is malformed, or no run has a key that is asked for.
    """
    runs = readable(read_runs(options, kept))
    refuse_unknown(fields, runs)
    if options.where is None:
        return runs
    condition = parse_condition(options.where)
    refuse_unknown(condition.fields, runs)
    return [run for run in runs if condition.holds(run)]


def readable(runs: Sequence[Run]) -> list[Run]:
    """`runs` without those whose configuration is damaged, which are reported on standard error."""
    kept = []
    for run in runs:
        try:
            run.config  # noqa: B018 (read now: everything else needs it)
            kept.append(run)
        except UserError as error:
            print(f"left out: {error}", file=sys.stderr)
    return kept


def the_run(name: str, options: argparse.Namespace) -> Run:
    """The one run that `name` stands for: a folder, or a part of the name of one run in results or the database.

    Raises:
        UserError: there is none, or there are several.
    """
    if options.mongo is not None:
        return _named(name, read_database(options), "the database")
    path = Path(name)
    if path.is_dir():
        runs = find_runs([path])
        if len(runs) > 1:
            raise UserError(f"{name} holds {len(runs)} runs. Name one: {_some(runs)}")
        return runs[0]
    return _named(name, find_runs([RESULTS]) if RESULTS.is_dir() else [], f"{RESULTS}/")


def _named(name: str, runs: Sequence[Run], where: str) -> Run:
    meant = names_like(name, [run.name for run in runs])
    matching = [run for run in runs if run.name in meant]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UserError(f"{name!r} is a part of {len(matching)} runs' names. Name one: {_some(matching)}")
    hint = nearest(name, [run.name for run in runs]) or (f" Runs there: {_some(runs)}" if runs else "")
    raise UserError(
        f"There is no run {name!r}: no such folder, and no run in {where} with that in its name.{hint}"
    )


def _some(runs: Sequence[Run]) -> str:
    shown = ", ".join(run.name for run in runs[:8])
    return shown + (", ..." if len(runs) > 8 else "")
