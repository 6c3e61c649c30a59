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
from papers.wording import ranged

ENDED = ("COMPLETED", "DIVERGED", "FAILED")  # all other runs may still go on
CHOOSE = "Choose with --where, or name the folders to read."


@dataclass(frozen=True)
class Arm:
    """One method in one scenario.

    Attributes:
        config: the algorithm's name, as --config has it.
        env_config: the environment's, as --env-config has it.
        typed: what is typed after `with`; the environment's keys as `env_args.<key>`.
        fixed: keys that must have the configuration files' values. In other keys, where no run agrees with the
            files in all of them, runs may depart, and a note says so.
        usual: keys in which runs with the files' values are preferred.
        varied: keys besides `typed` in which it may differ from the arms that it is compared with.
        recorded: what its command types besides: how long it runs and what it keeps. Runs without it count, too.
    """

    config: str
    env_config: str
    typed: Mapping[str, Any] = field(default_factory=dict)
    fixed: frozenset[str] = frozenset()
    usual: frozenset[str] = frozenset()
    varied: frozenset[str] = frozenset()
    recorded: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def published(self) -> dict[str, Any]:
        """The configuration that its command gives, with flat keys."""
        typed: dict[str, Any] = {}
        for key, value in self.typed.items():
            prefix, _, inner = key.rpartition(".")
            (typed.setdefault(prefix, {}) if prefix else typed)[inner] = value
        merged = Sources.read(self.config, self.env_config, typed).merged()
        inner = {f"{ENV_ARGS}.{key}": value for key, value in merged.pop(ENV_ARGS).items()}
        return merged | inner

    def departures(self, run: Run) -> dict[str, Any]:
        """The keys in which a run has another value than its command gives, with the run's values."""
        return {
            key: value
            for key, value in run.flat_config.items()
            if key in self.published and _matters(key) and value != self.published[key]
        }

    def is_of(self, run: Run) -> bool:
        """Whether a run is of this method and scenario, with everything that is typed or fixed.

        A file that extends another inherits keys that its own method has no use for; runs do not record these. What a
        run's game has no key for is another game's.
        """
        published, config = self.published, run.flat_config
        known = [key for key in self.fixed if key in config or key.startswith(f"{ENV_ARGS}.")]
        fixed = {key: published[key] for key in known if key in published}
        return (
            (run.method, run.env) == (published["name"], published["env"])
            and all(config.get(key) == value for key, value in (fixed | dict(self.typed)).items())
            and not run.config.get("evaluate")
        )


def command(arms: Sequence[Arm], seeds: Sequence[int]) -> str:
    """What to type for the runs of all `arms`, which are of one scenario: every algorithm with every typed value."""
    typed: dict[str, list[str]] = {"seed": [ranged(seeds)]}
    for arm in arms:
        for key, value in (arm.typed | arm.recorded).items():
            typed.setdefault(key, []).append(f"{value:g}" if isinstance(value, float) else str(value))
    words = [
        f"--config={','.join(dict.fromkeys(arm.config for arm in arms))}",
        f"--env-config={arms[0].env_config}",
        "with",
        *(f"{key}={','.join(dict.fromkeys(values))}" for key, values in typed.items()),
    ]
    return f"python run.py {' '.join(words)}"


def products(arms: Sequence[Arm]) -> list[list[Arm]]:
    """`arms` of one scenario with the same typed keys, in groups of which each is one sweep."""
    groups: dict[tuple, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(tuple(arm.typed.values()), []).append(arm)
    configs = [[arm.config for arm in group] for group in groups.values()]
    values = [set(each) for each in zip(*groups, strict=True)]
    is_product = prod(map(len, values)) == len(groups) and all(each == configs[0] for each in configs)
    return [list(arms)] if is_product else list(groups.values())


@dataclass
class Choice:
    """The runs of one arm.

    Attributes:
        runs: seeds of one configuration.
        departures: the keys in which that configuration departs from the files, with its values.
        unfinished: runs that were left out because they may still go on, while others are done.
        others: how many runs of other configurations were left out.
    """

    runs: list[Run]
    departures: dict[str, Any] = field(default_factory=dict)
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
    departures = arm.departures(kept[0]) if kept else {}
    return Choice(kept, departures, unfinished, len(mine) - len(kept) - len(unfinished))


def _matters(key: str) -> bool:
    prefix, _, inner = key.rpartition(".")
    return inner not in NOT_THE_GAME if prefix == ENV_ARGS else key not in NOT_THE_METHOD
