"""The command line: what was typed, and which of the program's few jobs it asks for.

What a job needs is imported when it is asked for: torch alone takes longer than most of them.
"""

import argparse
import os
import re
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from cohort.commands import COMMANDS, run_command
from cohort.configuration.updates import parse_updates
from cohort.errors import UserError
from cohort.loading import loading
from cohort.program import program_name
from cohort.recording.credentials import EXAMPLE, without_credentials
from cohort.recording.folder import place_named
from cohort.recording.mongo.target import VARIABLE
from cohort.registry import nearest
from cohort.sweep.expansion import RunWords, expand, names_several
from cohort.sweep.options import OPTIONS, SEARCH_OPTIONS, SweepOptions, add_options, read_options

if TYPE_CHECKING:
    from cohort.sweep.search.space import Space

USAGE = """{program} --config=ALGORITHM --env-config=ENVIRONMENT [--mongo=URL] [print_config] [with KEY=VALUE ...]
       {program} --resume=RUN_OR_SWEEP_FOLDER[,RUN_FOLDER ...] [--mongo=URL] [with t_max=STEPS ...]
       {program} --list"""
EPILOG = """examples:
  {program} --config=mnmpg --env-config=sc2_sim with env_args.map_name=3m
  {program} --config=qmix --env-config=matrix_games with env_args.map_name=two_step seed=3 t_max=20000
  {program} --config=qmix --env-config=sc2_sim print_config with env_args.map_name=8m
  {program} --config=qmix,vdn --env-config=sc2_sim with seed=0..4 env_args.map_name=3m,8m
  {program} --config=qmix --env-config=sc2_sim --search=tpe --trials=50 with lr=0.0001..0.01..log seed=0..2
  {program} --config=qmix --env-config=sc2_sim with evaluate=True checkpoint_path=results/RUN_FOLDER

Every key of a run, with its value: print_config. What each means: config/default.yaml and docs/."""


@dataclass(frozen=True)
class Command:
    """What was typed, taken apart. A sweep has `runs`, a search a `space`, and either then no `updates`."""

    config: str | None
    env_config: str | None
    resume: Path | None
    list: bool
    print_config: bool
    updates: dict[str, Any]
    mongo_url: str | None = field(default=None, repr=False)  # it may hold a password
    runs: tuple[RunWords, ...] = ()
    space: "Space | None" = None
    sweep: SweepOptions = field(default_factory=SweepOptions)


class _Parser(argparse.ArgumentParser):
    """Reports through `UserError`, as everything else does."""

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith("?") else "."
        raise UserError(f"{message}{end}\nusage: {self.usage}\nMore: {program_name()} --help")


def parse(words: Sequence[str]) -> Command:
    """Take the command line apart. Raises `UserError` on words that mean nothing."""
    program = program_name()
    parser = _Parser(
        prog=program, usage=USAGE.format(program=program), epilog=EPILOG.format(program=program) + _jobs(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Trains a team of agents and leaves a complete record in results/.", allow_abbrev=False,
    )  # fmt: skip
    parser.add_argument("--config", metavar="ALGORITHM", help="a name from config/algs, or a YAML file")
    parser.add_argument("--env-config", metavar="ENVIRONMENT", help="a name from config/envs, or a YAML file")
    parser.add_argument(
        "--resume",
        metavar="FOLDER",
        type=Path,
        help="go on with a run or sweep that was stopped or killed; a part of a name in results/ will do; "
        "several runs, with commas between them, go on in one program",
    )
    parser.add_argument(
        "--mongo", metavar="URL", default=os.environ.get(VARIABLE),
        help=f"record in MongoDB as well: {EXAMPLE}; the variable {VARIABLE} does the same, unseen by ps",
    )  # fmt: skip
    parser.add_argument("--list", action="store_true", help="print every algorithm, environment and map")
    add_options(parser)
    parser.add_argument(
        "words", nargs="*", metavar="print_config | with KEY=VALUE ...", help="as Sacred has it"
    )
    before, typed = _split_at_with(words)
    options, strange = parser.parse_known_args(before)
    # argparse takes two dashes after an equals sign for the end of options
    if empty := [name for name, value in vars(options).items() if value == [] and name != "words"]:
        parser.error(f"--{empty[0].replace('_', '-')}=-- names nothing")
    if strange:
        known = ["--config", "--env-config", "--resume", "--mongo", "--list", "--help", *OPTIONS]
        parser.error(
            f"unknown option {strange[0]!r}.{nearest(strange[0].partition('=')[0], known)}".rstrip(".")
        )
    if unknown := [word for word in options.words if word != "print_config"]:
        hint = f" Keys come after the word with: with {unknown[0]}" if "=" in unknown[0] else ""
        raise UserError(f"unknown command {unknown[0]!r}. Known: print_config.{hint}")
    space = _space_of_search(options, typed)
    runs = [] if space else _runs_of_sweep(options, typed)
    return Command(
        config=options.config,
        env_config=options.env_config,
        resume=options.resume,
        list=options.list,
        print_config="print_config" in options.words,
        updates={} if runs or space else parse_updates(typed),
        mongo_url=options.mongo,
        runs=tuple(runs),
        space=space,
        sweep=read_options(options),
    )


def _space_of_search(options: argparse.Namespace, typed: list[str]) -> "Space | None":
    """What is searched, if anything is."""
    search = read_options(options)
    told = [option for option in search.typed if option in SEARCH_OPTIONS]
    if options.resume is not None:
        if strange := [option for option in told if option != "--trials"]:
            raise UserError(
                f"a resumed search is what it was: leave out {strange[0]}. More --trials are welcome."
            )
        return None
    if not told or options.config is None or options.env_config is None or options.list:
        return None
    if search.search is None:
        raise UserError(f"{told[0]} belongs to a search: add --search=tpe.")
    if "print_config" in options.words:
        raise UserError(
            "print_config shows one run, and this is a search: --dry-run prints what is searched."
        )
    from cohort.sweep.search.space import Space

    return Space.read(options.config, options.env_config, typed)


def _runs_of_sweep(options: argparse.Namespace, typed: list[str]) -> list[RunWords]:
    """The runs that are meant, if a sweep is."""
    if options.config is None or options.env_config is None or options.resume is not None or options.list:
        return []
    several = names_several(options.config, options.env_config, typed)
    if not several and not read_options(options).typed:
        return []
    if "print_config" in options.words:
        raise UserError("print_config shows one run, and this is a sweep: --dry-run prints its runs.")
    return expand(options.config, options.env_config, typed)


def _jobs() -> str:
    """The jobs beside training, for --help."""
    lines = [f"  {program_name()} {word:<12} {sentence}" for word, (_, sentence) in COMMANDS.items()]
    return "\n\nother jobs, each with --help:\n" + "\n".join(lines)


def _split_at_with(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Options may stand on both sides of `with`, as PyMARL's scripts have them."""
    if "with" not in words:
        return list(words), []
    place = list(words).index("with")
    options = [word for word in words[place + 1 :] if word.startswith("--")]
    return [*words[:place], *options], [word for word in words[place + 1 :] if not word.startswith("--")]


def main(words: Sequence[str] | None = None) -> int:
    """Do what was typed; the process's exit status. A user's mistake is one message, never a traceback."""
    words = sys.argv[1:] if words is None else words
    try:
        if words and words[0] in COMMANDS:
            return run_command(words[0], words[1:])
        return _dispatch(parse(words))
    except UserError as error:
        print(_one_screen(without_credentials(f"error: {error}")), file=sys.stderr)
        return 2
    except BrokenPipeError:  # whoever reads has had enough: `run.py --list | head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (Python flushes it at the exit)
        return 141
    except OSError as error:
        if error.filename is None:
            raise
        print(
            _one_screen(without_credentials(f"error: {error.filename}: {error.strerror}.")), file=sys.stderr
        )
        return 2
    except KeyboardInterrupt:  # before there is a run that could be stopped properly
        print("stopped", file=sys.stderr)
        return 130


def _one_screen(text: str) -> str:
    """`text` in lines that a terminal shows whole, and not more of them than it shows at once."""
    text = re.sub(r"\S{400,}", lambda word: f"{word[0][:200]}...{word[0][-50:]}", text)
    lines = [
        part
        for line in text.splitlines()
        for part in textwrap.wrap(line, 160, break_on_hyphens=False) or [""]
    ]
    return "\n".join(lines if len(lines) <= 20 else [*lines[:19], "..."])


def _dispatch(command: Command) -> int:
    if command.list:
        from cohort.listing import print_listing

        print_listing()
        return 0
    if command.resume is not None:
        return _resume(command)
    if command.config is None or command.env_config is None:
        from cohort.configuration import files

        missing = "--config" if command.config is None else "--env-config"
        raise UserError(
            f"{missing} is missing. Known: {', '.join(files.names(missing))}.\n"
            f"usage: {USAGE.format(program=program_name())}\nMore: {program_name()} --help"
        )
    if command.runs:
        from cohort.sweep import session as sweeps

        return sweeps.start(command.runs, command.sweep, command.mongo_url)
    if command.space is not None:
        from cohort.sweep import session as sweeps

        return sweeps.start_search(command.space, command.sweep, command.mongo_url)
    return _train(command)


def _train(command: Command) -> int:
    with loading():  # the plan loads the classes that it names
        from cohort.configuration.plan import Sources, make_plan

        plan = make_plan(Sources.read(command.config, command.env_config, command.updates))
    if command.print_config:
        print(plan.text(), end="")
        return 0
    with loading():
        from cohort import session
    if plan.run.seeds_at_once > 1:
        from cohort import at_once

        return at_once.start(plan, command.mongo_url)
    return session.start(plan, command.mongo_url)


def _resume(command: Command) -> int:
    from cohort.sweep.folder import is_sweep

    if command.config or command.env_config:
        raise UserError("--resume takes the configuration of its run: leave out --config and --env-config.")
    places = _places(command.resume)
    place = places[0]
    if is_sweep(place) and len(places) == 1:
        return _resume_sweep(command, place)
    if command.sweep.typed:
        raise UserError(f"{command.sweep.typed[0]} belongs to sweeps, and {place} is none.")
    with loading():
        from cohort import session
    if len(places) > 1:
        from cohort import at_once

        return at_once.resume(places, command.updates, command.mongo_url)
    return session.resume(place, command.updates, command.mongo_url)


def _places(named: Path) -> list[Path]:
    """The folders that are meant: one, or several with commas between them."""
    names = [named] if named.exists() else [Path(name) for name in str(named).split(",") if name]
    return [place_named(name) for name in names or [named]]


def _resume_sweep(command: Command, place: Path) -> int:
    from cohort.sweep import session as sweeps

    if command.updates:
        raise UserError("a resumed sweep keeps its runs as they are: leave out what follows the word with.")
    return sweeps.resume(place, command.sweep, command.mongo_url)
