"""An arm of a paper's experiments: the command that makes its runs, and which recorded runs are those."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

from cohort.analysis import comparability
from cohort.analysis.comparability import NOT_THE_GAME, NOT_THE_METHOD
from cohort.analysis.runs import Run
from cohort.configuration.plan import Sources
from cohort.configuration.updates import ENV_ARGS

ENDED = ("COMPLETED", "FAILED")  # all other runs may still go on
CHOOSE = "Choose with --where."


@dataclass(frozen=True)
class Arm:
    """One method in one scenario.

    Attributes:
        config: the algorithm's name, as --config has it.
        env_config: the environment's, as --env-config has it.
        typed: what is typed after `with`, with the environment's keys as `env_args.<key>`.
        fixed: keys in which its runs are as the files have it. In others they may depart where no run is as in the
            files: who draws says so.
        usual: keys in which runs that are as the files have it go before those that are not.
        varied: keys in which it may differ from what it is compared with, beside those that are typed.
    """

    config: str
    env_config: str
    typed: Mapping[str, Any] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    usual: frozenset[str] = frozenset()
    varied: frozenset[str] = frozenset()

    @cached_property
    def published(self) -> dict[str, Any]:
        """The configuration that this command gives, flat."""
        typed: dict[str, Any] = {}
        for key, value in self.typed.items():
            prefix, _, inner = key.rpartition(".")
            (typed.setdefault(prefix, {}) if prefix else typed)[inner] = value
        merged = Sources.read(self.config, self.env_config, typed).merged()
        inner = {f"{ENV_ARGS}.{key}": value for key, value in merged.pop(ENV_ARGS).items()}
        return merged | inner

    def departures(self, run: Run) -> dict[str, Any]:
        """The keys in which a run was told something else than this command says, with what it was told."""
        return {
            key: value
            for key, value in run.flat_config.items()
            if key in self.published and _matters(key) and value != self.published[key]
        }

    def is_of(self, run: Run) -> bool:
        """Whether a run is of this method and scenario, with everything that is typed or fixed."""
        published = self.published
        kept = self.typed | {key: published[key] for key in self.fixed if key in published}
        return (
            (run.method, run.env) == (published["name"], published["env"])
            and all(run.flat_config.get(key) == value for key, value in kept.items())
            and not run.config.get("evaluate")
        )


def command(arms: Sequence[Arm], seeds: Sequence[int]) -> str:
    """What to type for runs of all `arms`: of one scenario, every algorithm with all that is typed."""
    typed: dict[str, list[str]] = {"seed": [ranged(seeds)]}
    for arm in arms:
        for key, value in arm.typed.items():
            typed.setdefault(key, []).append(f"{value:g}" if isinstance(value, float) else str(value))
    words = [
        f"--config={','.join(dict.fromkeys(arm.config for arm in arms))}",
        f"--env-config={arms[0].env_config}",
        "with",
        *(f"{key}={','.join(dict.fromkeys(values))}" for key, values in typed.items()),
    ]
    return f"python run.py {' '.join(words)}"


def products(arms: Sequence[Arm]) -> list[list[Arm]]:
    """`arms` of one scenario with the same typed keys, in groups that one sweep each makes."""
    groups: dict[tuple, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(tuple(arm.typed.values()), []).append(arm)
    configs = [[arm.config for arm in group] for group in groups.values()]
    values = [set(each) for each in zip(*groups, strict=True)]
    is_product = prod(map(len, values)) == len(groups) and all(each == configs[0] for each in configs)
    return [list(arms)] if is_product else list(groups.values())


def ranged(seeds: Sequence[int]) -> str:
    """Seeds in order as a sweep has them: 1..5 or 2,4."""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]}..{seeds[-1]}"
    return ",".join(map(str, seeds))


@dataclass
class Choice:
    """The runs of one arm.

    Attributes:
        runs: seeds of one configuration.
        departs: the keys in which that configuration departs from the files, with its values.
        unfinished: runs that were left out because they may still go on, while others are done.
        others: how many runs of other configurations were left out.
    """

    runs: list[Run]
    departs: dict[str, Any] = field(default_factory=dict)
    unfinished: list[Run] = field(default_factory=list)
    others: int = 0


def choose(arm: Arm, runs: Sequence[Run]) -> Choice:
    """The runs of `arm`: those of the configuration files where there are any, else those of another configuration.

    Where some are done, those that were stopped or still go on are left out; failed ones stay, and end the curve.

    Raises:
        UserError: none is of the files' configuration and the others are of several, or a seed is there twice.
    """
    mine = [run for run in runs if arm.is_of(run)]
    mine = [run for run in mine if not arm.usual & arm.departures(run).keys()] or mine
    exact = [run for run in mine if not arm.departures(run)]
    kept = exact or mine
    done = [run for run in kept if run.status.state in ENDED]
    unfinished = (
        [run for run in kept if run not in done]
        if any(run.status.state == "COMPLETED" for run in done)
        else []
    )
    kept = [run for run in kept if run not in unfinished]
    comparability.refuse(
        comparability.within_curve(kept), f"{arm.env_config}: the runs of {arm.config}", CHOOSE
    )
    departs = arm.departures(kept[0]) if kept else {}
    return Choice(kept, departs, unfinished, len(mine) - len(kept) - len(unfinished))


def _matters(key: str) -> bool:
    prefix, _, inner = key.rpartition(".")
    return inner not in NOT_THE_GAME if prefix == ENV_ARGS else key not in NOT_THE_METHOD
