"""Reads `published.yaml`: win rates of the real game over environment steps or episodes, and where they are from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cohort.analysis.runs import AXES
from cohort.errors import UserError

PUBLISHED = Path(__file__).with_name("published.yaml")

Cell = tuple[str, str]  # a map and a method


@dataclass(frozen=True)
class Source:
    """One public record of runs.

    Attributes:
        name: its short name.
        title: what it is.
        game: the version of StarCraft II, or "unknown".
        axis: what its points count, one of `cohort.analysis.runs.AXES`: environment steps or episodes.
        window: how much of the axis before a point its win rates average.
        read: how and where its numbers were read.
    """

    name: str
    title: str
    game: str
    axis: str
    window: int
    read: str


@dataclass(frozen=True)
class RealCurve:
    """One method on one map: point of the source's axis -> win rates of its runs [n], between 0 and 1."""

    source: Source
    points: Mapping[int, np.ndarray]


@dataclass(frozen=True)
class TableValue:
    """One win rate as a table has it, at so many environment steps."""

    table: str
    at: int
    win_rate: float


@dataclass(frozen=True)
class Published:
    """Everything in the file.

    Attributes:
        sources: by name, in the order of preference.
        curves: each cell's curves, in the order of preference.
        tables: each cell's numbers from tables.
    """

    sources: Mapping[str, Source]
    curves: Mapping[Cell, Mapping[str, RealCurve]]
    tables: Mapping[Cell, list[TableValue]]


def read_published(path: Path = PUBLISHED) -> Published:
    """The numbers in a file like `published.yaml`.

    Raises:
        UserError: a source is described and has no curves or the other way round, its axis is unknown, or a win rate
            does not lie between 0 and 1.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    sources = {name: _source(name, told, content["window"]) for name, told in content["sources"].items()}
    if set(sources) != set(content["curves"]):
        odd = ", ".join(sorted(set(sources) ^ set(content["curves"])))
        raise UserError(f"{path}: {odd} must stand under sources and under curves.")
    curves: dict[Cell, dict[str, RealCurve]] = {}
    for name, source in sources.items():
        for map_name, methods in content["curves"][name].items():
            for method, points in methods.items():
                numbers = {int(at): np.array(runs, dtype=float) for at, runs in points.items()}
                where = f"{path}: {name}, {map_name}, {method}"
                _check(where, np.concatenate(list(numbers.values())))
                curves.setdefault((map_name, method), {})[name] = RealCurve(source, numbers)
    tables: dict[Cell, list[TableValue]] = {}
    for name, table in (content.get("tables") or {}).items():
        for map_name, methods in table["win_rates"].items():
            for method, win_rate in methods.items():
                _check(f"{path}: {name}, {map_name}, {method}", np.array([win_rate], dtype=float))
                value = TableValue(name, int(table["at"]), float(win_rate))
                tables.setdefault((map_name, method), []).append(value)
    return Published(sources, curves, tables)


def _source(name: str, told: Mapping[str, Any], windows: Mapping[str, int]) -> Source:
    axis = told["axis"]
    if axis not in AXES or axis not in windows:
        raise UserError(f"The source {name} counts {axis!r}; there are {', '.join(windows)}.")
    return Source(name, told["title"], str(told["game"]), axis, int(windows[axis]), told["read"])


def _check(where: str, win_rates: np.ndarray) -> None:
    if not len(win_rates) or not ((win_rates >= 0) & (win_rates <= 1)).all():
        raise UserError(f"{where}: win rates must lie between 0 and 1, and there must be one.")
