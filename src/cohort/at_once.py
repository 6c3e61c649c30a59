"""Several runs in one program: seeds of one configuration, or runs that go on. Each is a run as if it were alone.

Each run is an ordinary session in a thread of its own. The threads take turns, and the runs' games, which cost as much
for one run as for all, advance together (`envs/together.py`): no number differs from that of a run alone.
"""

import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from cohort import session
from cohort.components.process import share_freed_memory
from cohort.components.turns import Turns
from cohort.configuration.plan import Plan
from cohort.envs.base import Transition
from cohort.envs.together import Ask, TogetherComponent, refuse_apart, step_all
from cohort.errors import UserError
from cohort.program import program_name
from cohort.recording.console import Console
from cohort.recording.folder import RunFolder, open_run_folder
from cohort.recording.resuming import ended_well
from cohort.recording.stop import Stop, stop_on_signals


class Beside(session.Alone):
    """What surrounds one of several sessions."""

    def __init__(self, number: int, turns: Turns[Ask, Transition], stop: Stop, folders: list[Path]) -> None:
        """`number` sessions; `folders` takes those of their records."""
        self._number, self._turns, self._stop, self._folders = number, turns, stop, folders

    def adapted(self, plan: Plan) -> Plan:
        env = TogetherComponent.of(plan["env"], self._turns)
        return replace(plan, components={**plan.components, "env": env})

    def console(self, plan: Plan) -> Console:
        return Console(label=f"seed {plan.run.seed}: ")

    def listening(self) -> AbstractContextManager[Stop]:
        return nullcontext(self._stop)

    def began(self, folder: RunFolder) -> None:
        self._folders.append(folder.root)
        if len(self._folders) == self._number:
            names = ",".join(map(str, self._folders))
            Console().print(f"should they be stopped, go on with all: {program_name()} --resume={names}")


Session = Callable[[session.Alone], int]


def start(plan: Plan, mongo_url: str | None = None) -> int:
    """Train `seeds_at_once` seeds; the exit status, 0 if that of all is."""
    refuse_apart(plan["env"], f"seeds_at_once={plan.run.seeds_at_once}")
    plans = [_of_seed(plan, plan.run.seed + number) for number in range(plan.run.seeds_at_once)]
    return _carry_out([partial(session.start, each, mongo_url) for each in plans])


def resume(paths: Sequence[Path], typed: Mapping[str, Any], mongo_url: str | None = None) -> int:
    """Go on with several runs; those that are finished stay so, unless they are told a later end."""
    going = [path for path in paths if "t_max" in typed or not ended_well(open_run_folder(path))]
    if not going:
        raise UserError("all of these runs are finished. To train them further: with t_max=<more>.")
    return _carry_out([partial(session.resume, path, typed, mongo_url) for path in going])


def _of_seed(plan: Plan, seed: int) -> Plan:
    """The plan of one seed alone."""
    changed = {"seed": seed, "seeds_at_once": 1}
    return replace(plan, run=plan.run.model_copy(update=changed), config={**plan.config, **changed})


def _carry_out(sessions: Sequence[Session]) -> int:
    """All of them, to their ends; the largest exit status."""
    statuses = [0] * len(sessions)
    share_freed_memory()
    with stop_on_signals() as stop:
        turns: Turns[Ask, Transition] = Turns(step_all)
        around = Beside(len(sessions), turns, stop, [])

        def body(number: int) -> None:
            statuses[number] = _status(partial(sessions[number], around=around))

        turns.run([partial(body, number) for number in range(len(sessions))])
    return max(statuses, default=0)


def _status(carried_out: Callable[[], int]) -> int:
    """A session's exit status; what ends it early does not end the others."""
    try:
        return carried_out()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return session.EXIT_STATUS["INTERRUPTED"]
    except Exception:
        traceback.print_exc()
        return 1
