"""`python -m benchmarks.report --figure docs/results.png results/*`: a table and a figure of finished runs.

Runs of one method on one map are one curve: the median over seeds, and the range from the least to the greatest.
"""

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import yaml

from src.recording.curve import short_steps
from src.recording.metrics import read_metrics, series

matplotlib.use("Agg")
import matplotlib.pyplot as plt

WIN, RETURN = "test_battle_won_mean", "test_return_mean"
LATE = 5  # evaluations that "late" averages over


@dataclass(frozen=True)
class Run:
    """What one run folder says."""

    method: str
    map_name: str
    seed: int
    steps: np.ndarray
    wins: np.ndarray
    returns: np.ndarray
    seconds: float

    @property
    def speed(self) -> float:
        return self.steps[-1] / self.seconds

    def first_reaching(self, level: float) -> float:
        """Environment steps at the first evaluation with a win rate of at least `level`; NaN if none has it."""
        reached = self.steps[self.wins >= level]
        return float(reached[0]) if len(reached) else float("nan")


def read_run(folder: Path) -> Run:
    config = yaml.safe_load((folder / "config.yaml").read_text())
    records = read_metrics(folder / "metrics.jsonl")
    steps, wins = series(records, WIN)
    _, returns = series(records, RETURN)
    return Run(
        method=config["name"],
        map_name=config["env_args"]["map_name"],
        seed=config["seed"],
        steps=steps,
        wins=wins,
        returns=returns,
        seconds=records[-1].wall_time,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--figure", type=Path, required=True, help="the PNG to write")
    options = parser.parse_args()
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for folder in options.folders:
        run = read_run(folder)
        groups[run.map_name, run.method].append(run)
    print_table(groups)
    draw(groups, options.figure)


def print_table(groups: dict[tuple[str, str], list[Run]]) -> None:
    print(
        "| map | method | seeds | steps | final win rate | late win rate | late return | 0.9 reached at | steps/s |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for (map_name, method), runs in sorted(groups.items()):
        cells = [
            ", ".join(str(run.seed) for run in sorted(runs, key=lambda run: run.seed)),
            short_steps(min(run.steps[-1] for run in runs)),
            spread([run.wins[-1] for run in runs], "{:.2f}"),
            spread([run.wins[-LATE:].mean() for run in runs], "{:.2f}"),
            spread([run.returns[-LATE:].mean() for run in runs], "{:.1f}"),
            spread([run.first_reaching(0.9) / 1000 for run in runs], "{:.0f}k"),
            spread([run.speed for run in runs], "{:,.0f}"),
        ]
        print(f"| {map_name} | {method} | {' | '.join(cells)} |")


def spread(values: list[float], form: str) -> str:
    """Median and range over seeds; a run that never got there counts as later than all others."""
    known = sorted(float("inf") if np.isnan(value) else value for value in values)
    shown = [
        "never" if np.isinf(v) else form.format(v) for v in (float(np.median(known)), known[0], known[-1])
    ]
    return shown[0] if len(known) == 1 else f"{shown[0]} ({shown[1]} to {shown[2]})"


def draw(groups: dict[tuple[str, str], list[Run]], path: Path) -> None:
    maps = list(dict.fromkeys(map_name for map_name, _ in groups))
    methods = sorted({method for _, method in groups})
    colours = dict(zip(methods, plt.get_cmap("tab10").colors, strict=False))
    figure, panels = plt.subplots(
        2, len(maps), figsize=(3.6 * len(maps), 5.2), squeeze=False, sharex="col", layout="constrained"
    )
    for column, map_name in enumerate(maps):
        for row, (name, label) in enumerate((("wins", "test win rate"), ("returns", "test return"))):
            axes = panels[row, column]
            for (where, method), runs in sorted(groups.items()):
                if where == map_name:
                    draw_curve(axes, runs, name, f"{method} ({len(runs)})", colours[method])
            axes.set_ylim(*((-0.03, 1.03) if name == "wins" else (0, 20.5)))
            axes.grid(alpha=0.25)
            axes.xaxis.set_major_formatter(lambda steps, _: short_steps(steps))
            if column == 0:
                axes.set_ylabel(label)
        panels[0, column].set_title(map_name)
        panels[0, column].legend(frameon=False, fontsize=8, title="method (seeds)", title_fontsize=8)
        panels[1, column].set_xlabel("environment steps")
    figure.suptitle("sc2_sim: these figures do not compare with StarCraft II", fontsize=10)
    figure.savefig(path, dpi=110)
    print(f"\nfigure: {path}")


def draw_curve(axes: plt.Axes, runs: list[Run], name: str, label: str, colour: tuple) -> None:
    """Evaluations fall on slightly different steps in each run: values are read off straight lines between them."""
    end = min(run.steps[-1] for run in runs)
    grid = np.linspace(0, end, 60)
    values = np.array([np.interp(grid, run.steps, getattr(run, name)) for run in runs])
    axes.plot(grid, np.median(values, axis=0), color=colour, label=label, linewidth=1.6)
    if len(runs) > 1:
        axes.fill_between(grid, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, linewidth=0)


if __name__ == "__main__":
    main()
