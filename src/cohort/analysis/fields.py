"""The fields of a run, by name: columns, sorting and conditions all use them.

status, method, map, seed, t_env, ...     facts of the run (`FACTS`)
config.lr, config.env_args.map_name       a key of its configuration
metrics.test_return_mean                  the last value of a metric
max(metrics.test_return_mean)             another summary of a metric (`SUMMARIES`)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from cohort.analysis.runs import Run
from cohort.errors import UserError
from cohort.recording.headline import headline
from cohort.registry import nearest

Value = str | int | float | bool | list | None

LATE = 5  # values that late() averages


@dataclass(frozen=True)
class Fact:
    """A fact of a run: how to get it, what it means, and the unit in which it is shown."""

    of: Callable[[Run], Value]
    meaning: str
    unit: str = "plain"


def _age(run: Run) -> float | None:
    seen = run.status.seen
    return None if seen is None else (datetime.now().astimezone() - seen).total_seconds()


def _headline(run: Run) -> str | None:
    found = headline(run.recent_metrics)
    return None if found is None else f"{found[0]} {found[1]:.4g}"


def _speed(run: Run) -> float | None:
    return run.status.t_env / run.status.wall_seconds if run.status.wall_seconds else None


FACTS: dict[str, Fact] = {
    "name": Fact(lambda run: run.name, "the run folder's name"),
    "place": Fact(lambda run: run.place, "where the record lies"),
    "status": Fact(
        lambda run: run.status.state,
        "RUNNING, COMPLETED, INTERRUPTED, TERMINATED, DIVERGED, FAILED; DEAD: killed; UNCLOSED: at the end; SILENT",
    ),
    "method": Fact(lambda run: run.method, "config.name"),
    "env": Fact(lambda run: run.env, "config.env"),
    "map": Fact(lambda run: run.map_name, "config.env_args.map_name, else the environment"),
    "seed": Fact(lambda run: run.seed, "config.seed"),
    "label": Fact(lambda run: run.config.get("label"), "config.label"),
    "t_env": Fact(lambda run: run.status.t_env, "environment steps so far", "steps"),
    "updates": Fact(lambda run: run.updates, "learner updates so far", "steps"),
    "episode": Fact(lambda run: run.episode, "training episodes so far", "steps"),
    "wall": Fact(lambda run: run.status.wall_seconds, "seconds of running, all sessions", "seconds"),
    "age": Fact(_age, "seconds since it was last heard of", "seconds"),
    "speed": Fact(_speed, "environment steps per second of running", "count"),
    "updates_per_episode": Fact(lambda run: run.updates_per_episode, "as logged, without the first wait"),
    "started": Fact(lambda run: run.started, "start of the first session, as 2026-11-20T18:09:14"),
    "commit": Fact(lambda run: (run.git.get("commit") or "")[:7] or None, "of the last session"),
    "dirty": Fact(lambda run: run.git.get("dirty"), "whether sources differed from the commit"),
    "host": Fact(
        lambda run: run.sessions[-1].get("hostname") if run.sessions else None, "machine of the last session"
    ),
    "headline": Fact(_headline, "the last value of the metric that the run is judged by"),
}


@dataclass(frozen=True)
class Summary:
    """A number computed from all values of one metric."""

    of: Callable[[np.ndarray, np.ndarray, float], float | None]  # of (steps, values, the second argument)
    meaning: str
    needs_number: bool = False
    unit: str = "plain"


def _reached(steps: np.ndarray, values: np.ndarray, level: float) -> float | None:
    reached = steps[values >= level]
    return float(reached[0]) if len(reached) else None


SUMMARIES: dict[str, Summary] = {
    "max": Summary(lambda steps, values, _: float(values.max()), "the maximum"),
    "min": Summary(lambda steps, values, _: float(values.min()), "the minimum"),
    "first": Summary(lambda steps, values, _: float(values[0]), "the first value"),
    "late": Summary(lambda steps, values, _: float(values[-LATE:].mean()), f"mean of the last {LATE} values"),
    "reached": Summary(
        _reached, "environment steps when a level was first reached", needs_number=True, unit="steps"
    ),
}


@dataclass(frozen=True)
class Field:
    """A field of a run.

    Attributes:
        text: as it was typed.
        unit: plain, steps, seconds or count: how a table shows it.
        ask: its value for a run; None where it is missing.
        key: ("config" or "metrics", the key), which at least one run must have; None for facts.
    """

    text: str
    unit: str
    ask: Callable[[Run], Value]
    key: tuple[str, str] | None = None


def named_field(name: str) -> Field:
    """The field that a name without parentheses stands for.

    Raises:
        UserError: there is no such field; the message proposes the nearest.
    """
    if name in FACTS:
        return Field(name, FACTS[name].unit, FACTS[name].of)
    kind, dot, key = name.partition(".")
    if dot and key and kind == "config":
        return Field(name, "plain", lambda run: run.flat_config.get(key), ("config", key))
    if dot and key and kind == "metrics":
        return Field(name, "plain", lambda run: run.last(key), ("metrics", key))
    hint = nearest(name, list(FACTS)) or f" Is config.{name} or metrics.{name} meant?"
    raise UserError(
        f"unknown field {name!r}.{hint}\n"
        f"Known: config.<key>, metrics.<name>, {', '.join(FACTS)}; and {', '.join(SUMMARIES)} of a metric, "
        "as max(metrics.test_return_mean)."
    )


def summary_field(function: str, metric: Field, number: float | None, text: str) -> Field:
    """The field that `function(metric)` or `function(metric, number)` stands for.

    Raises:
        UserError: there is no such function, or its arguments are wrong.
    """
    if function not in SUMMARIES:
        known = ", ".join(f"{name} ({summary.meaning})" for name, summary in SUMMARIES.items())
        raise UserError(
            f"unknown function {function!r}.{nearest(function, list(SUMMARIES))}\nKnown: {known}."
        )
    summary = SUMMARIES[function]
    if metric.key is None or metric.key[0] != "metrics":
        raise UserError(
            f"{function}() summarises a metric, as {function}(metrics.test_return_mean), not {metric.text}."
        )
    if summary.needs_number != (number is not None):
        form = f"{function}({metric.text}{', 0.9' if summary.needs_number else ''})"
        raise UserError(f"{text}: {function} is {summary.meaning}. Type it as {form}.")

    def ask(run: Run) -> float | None:
        steps, values = run.series(metric.key[1])
        return summary.of(steps, values, number or 0.0) if len(values) else None

    return Field(text, summary.unit, ask, metric.key)


def refuse_unknown(fields: Sequence[Field], runs: Sequence[Run]) -> None:
    """Refuse a key or metric that no run has: a typo must not look like an empty result.

    Raises:
        UserError: there is one; the message proposes the nearest known keys.
    """
    for field in fields:
        if field.key is None or not runs:
            continue
        kind, key = field.key
        if kind == "config":
            if any(key in run.flat_config for run in runs):
                continue
            known = sorted({name for run in runs for name in run.flat_config})
        else:
            if any(run.last(key) is not None for run in runs):
                continue
            known = sorted({name for run in runs for name in run.recent_metrics})
        hint = nearest(key, known) or (
            f" There are: {', '.join(known[:40])}." if known else " They have none."
        )
        inside = f"config.env_args.{key}"
        if kind == "config" and f"env_args.{key}" in known:
            hint = f" Did you mean '{inside}'?"
        thing = "key" if kind == "config" else "metric"
        raise UserError(f"{kind}.{key}: none of the {len(runs)} runs has this {thing}.{hint}")
