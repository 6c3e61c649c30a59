"""`FigureSpec`: a paper's figure before it is drawn, and `RunSelector`, which finds its runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cohort.analysis import comparability
from cohort.analysis.curves import Curve, Settings, make_curve
from cohort.analysis.figure import Panel
from cohort.analysis.runs import Run
from papers.arms import CHOOSE, Arm, Choice, choose, command, products, ranged

SEEDS = 5  # runs of each arm, where a paper does not say otherwise


@dataclass(frozen=True)
class FigureSpec:
    """A figure.

    Attributes:
        panels: those for which there are runs.
        x_label: below them.
        caption: what lines and bands are.
        entries: legend entries in the order of their colours.
        alike: legend entry to the one whose colour it shares; it is dashed.
        notes: small print: what a reader of the figure must know.
        absent: small print that names what has no runs at all.
        remarks: what only whoever draws it wants to know.
        missing: what the figure lacks -> what to type.
    """

    panels: Sequence[Panel]
    x_label: str
    caption: str
    entries: Sequence[str] = ()
    notes: Sequence[str] = ()
    absent: Sequence[str] = ()
    remarks: Sequence[str] = ()
    missing: Mapping[str, str] = field(default_factory=dict)
    alike: Mapping[str, str] = field(default_factory=dict)


class RunSelector:
    """Gives out runs arm by arm, and remembers what was missing and what must be said."""

    def __init__(self, runs: Sequence[Run], seeds: int = SEEDS) -> None:
        self.runs, self.seeds = runs, seeds
        self.notes: list[str] = []
        self.remarks: list[str] = []
        self._marked: set[tuple[str, str]] = set()
        self._departing: dict[tuple[str, str], list[str]] = {}
        self._lacking: dict[tuple, list[tuple[str, Arm]]] = {}
        self._given: dict[str, list[Run]] = {}

    def of(self, label: str, arm: Arm, wanted: int | None = None, entry: str | None = None) -> list[Run]:
        """The runs of an arm, of which `wanted` are to be there: the paper's number, unless it is said.

        `label` is what notes call it, and the legend too unless that has another `entry`.
        """
        choice = choose(arm, self.runs)
        self._tell(arm, label, entry or label, choice)
        if choice.departs:
            self._marked.add((arm.env_config, entry or label))
        self._miss(label, arm, choice, self.seeds if wanted is None else wanted)
        self._compare(arm, choice.runs)
        return choice.runs

    def curve(
        self, label: str, arm: Arm, metric: str, settings: Settings, wanted: int | None = None
    ) -> Curve | None:
        """The curve of an arm over its seeds; None where there is nothing to draw yet."""
        runs = self.of(label, arm, wanted)
        return make_curve({arm.env_config: runs}, metric, settings) if runs else None

    def one(self, label: str, arm: Arm, metric: str) -> Run | None:
        """One run of an arm that has a metric: the least seed of the completed ones, else the longest, else None."""
        runs = [run for run in self.of(label, arm, wanted=1) if run.last(metric) is not None]
        completed = [run for run in runs if run.status.state == "COMPLETED"]
        if completed:
            return min(completed, key=lambda run: run.seed or 0)
        return max(runs, key=lambda run: run.status.t_env, default=None)

    def sheet(
        self,
        panels: Sequence[Panel],
        x_label: str,
        caption: str,
        entries: Sequence[str] = (),
        notes: Sequence[str] = (),
        alike: Mapping[str, str] | None = None,
    ) -> FigureSpec:
        """The figure that was put together."""
        said = [*self.notes, *self.departures, *notes]
        return FigureSpec(
            panels, x_label, caption, entries, said, self.absent, self.remarks, self.missing, alike or {}
        )

    def _tell(self, arm: Arm, label: str, entry: str, choice: Choice) -> None:
        where, remarks = f"{scenario(arm.env_config)}, {plain(label)}", []
        if choice.departs:
            told = ", ".join(f"{key}={value}" for key, value in choice.departs.items())
            departing = self._departing.setdefault((scenario(arm.env_config), told), [])
            departing += [plain(entry)] if plain(entry) not in departing else []
        if choice.unfinished:
            names = ", ".join(run.name for run in choice.unfinished)
            remarks.append(f"{where}: not done, and left out beside those that are: {names}")
        if choice.others:
            remarks.append(f"{where}: {choice.others} runs of other configurations left out")
        self.remarks += [text for text in remarks if text not in self.remarks]

    def _miss(self, label: str, arm: Arm, choice: Choice, wanted: int) -> None:
        known = {run.seed for run in [*choice.runs, *choice.unfinished]}
        count = wanted - len(known)
        seeds = [seed for seed in range(1, wanted + len(known) + 1) if seed not in known][: max(0, count)]
        if seeds:
            key = (arm.env_config, tuple(arm.typed), tuple(seeds), bool(choice.runs))
            lacking = self._lacking.setdefault(key, [])
            lacking += [] if (label, arm) in lacking else [(label, arm)]

    def marks(self, env_config: str) -> frozenset[str]:
        """Legend entries that the notes speak of."""
        return frozenset(label for where, label in self._marked if where == env_config)

    @property
    def missing(self) -> dict[str, str]:
        """What was asked for and is not there, in words -> the command that would make it."""
        found = {}
        for (env_config, _, seeds, some), lacking in self._lacking.items():
            for arms in products([arm for _, arm in lacking]):
                names = ", ".join(dict.fromkeys(plain(label) for label, arm in lacking if arm in arms))
                what = f"seed{'s' * (len(seeds) > 1)} {ranged(seeds)} of " if some else ""
                found[f"{scenario(env_config)}: {what}{names}"] = command(arms, seeds)
        return found

    @property
    def departures(self) -> list[str]:
        """Whose configuration is not the files', and in what."""
        worlds: dict[tuple[str, str], list[str]] = {}
        for (where, told), labels in self._departing.items():
            worlds.setdefault((", ".join(labels), told), []).append(where)
        return [
            f"* {' and '.join(where)}, {labels}: {told}, not as in cohort/config"
            for (labels, told), where in worlds.items()
        ]

    @property
    def commands(self) -> list[str]:
        """What is missing, with what to type."""
        return [f"missing: {what}\n  {command}" for what, command in self.missing.items()]

    @property
    def absent(self) -> list[str]:
        """One line that names what has no run at all; none where there is nothing."""
        worlds: dict[str, list[str]] = {}
        for (env_config, _, _, some), lacking in self._lacking.items():
            if not some:
                worlds.setdefault(scenario(env_config), []).extend(plain(label) for label, _ in lacking)
        texts = [f"{world} ({', '.join(dict.fromkeys(labels))})" for world, labels in worlds.items()]
        return [f"no runs: {'; '.join(texts)}"] if texts else []

    def _compare(self, arm: Arm, runs: Sequence[Run]) -> None:
        """Refuse runs that must not stand beside those that were given out before."""
        given = self._given.setdefault(arm.env_config, [])
        given += [run for run in runs if run not in given]
        comparability.refuse(
            comparability.between_curves(given, arm.varied | set(arm.typed)),
            f"{scenario(arm.env_config)}: runs that are to be compared",
            CHOOSE,
        )


def scenario(env_config: str) -> str:
    """A scenario as people write it."""
    return env_config.replace("_", " ")


def plain(label: str) -> str:
    """A legend entry without its mathematics, for a terminal."""
    return label.replace("$", "").replace("\\|", "|").replace("{", "").replace("}", "")
