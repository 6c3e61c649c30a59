"""`RunSelector`: finds the runs of arms, and remembers what is missing and what must be said of them."""

from collections.abc import Mapping, Sequence

from cohort.analysis import comparability
from cohort.analysis.curves import Curve, Settings, make_curve
from cohort.analysis.figure import Panel
from cohort.analysis.runs import Run
from papers.arms import CHOOSE, Arm, Choice, choose, command, products
from papers.figure_spec import FigureSpec
from papers.wording import plain, ranged, scenario

SEEDS = 5  # runs of each arm, where a paper does not say otherwise


class RunSelector:
    """Finds runs arm by arm, and remembers what was missing and what must be said of those that were found.

    Attributes:
        runs: all that may be chosen from.
        notes: small print of a figure or table.
        remarks: what only whoever typed the command wants to know.
    """

    def __init__(self, runs: Sequence[Run], seeds: int = SEEDS) -> None:
        """Choose from `runs`; of each arm, `seeds` should be there."""
        self.runs, self.seeds = runs, seeds
        self.notes: list[str] = []
        self.remarks: list[str] = []
        self._marked: set[tuple[str, str]] = set()
        self._departing: dict[tuple[str, str], list[str]] = {}
        self._lacking: dict[tuple, list[tuple[str, Arm]]] = {}
        self._given: dict[str, list[Run]] = {}

    def of(self, label: str, arm: Arm, wanted: int | None = None, entry: str | None = None) -> list[Run]:
        """The runs of an arm.

        Args:
            label: what notes call it.
            arm: which runs.
            wanted: how many should be there; default: `seeds`. Those that are not are missing.
            entry: what the legend calls it; default: `label`.

        Raises:
            UserError: the runs are of several configurations, or cannot stand beside those given out before.
        """
        choice = choose(arm, self.runs)
        self._note_choice(arm, label, entry or label, choice)
        if choice.departures:
            self._marked.add((arm.env_config, entry or label))
        self._note_missing(label, arm, choice, self.seeds if wanted is None else wanted)
        for run in choice.runs:
            if run.diverged and (note := f"diverged: {label}, seed {run.seed}") not in self.notes:
                self.notes.append(note)
        self._refuse_incomparable(arm, choice.runs)
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

    def figure(
        self,
        panels: Sequence[Panel],
        x_label: str,
        caption: str,
        entries: Sequence[str] = (),
        notes: Sequence[str] = (),
        same_colour: Mapping[str, str] | None = None,
        columns: int | None = None,
    ) -> FigureSpec:
        """The figure that was put together."""
        return FigureSpec(
            panels=panels,
            x_label=x_label,
            caption=caption,
            entries=entries,
            notes=[*self.notes, *self.departures, *notes],
            absent=self.absent,
            remarks=self.remarks,
            missing=self.missing,
            same_colour=same_colour or {},
            columns=columns,
        )

    def _note_choice(self, arm: Arm, label: str, entry: str, choice: Choice) -> None:
        where, remarks = f"{scenario(arm.env_config)}, {plain(label)}", []
        if choice.departures:
            values = ", ".join(f"{key}={value}" for key, value in choice.departures.items())
            departing = self._departing.setdefault((scenario(arm.env_config), values), [])
            departing += [plain(entry)] if plain(entry) not in departing else []
        if choice.unfinished:
            names = ", ".join(run.name for run in choice.unfinished)
            remarks.append(f"{where}: not done, and left out beside those that are: {names}")
        if choice.others:
            remarks.append(f"{where}: {choice.others} runs of other configurations left out")
        self.remarks += [text for text in remarks if text not in self.remarks]

    def _note_missing(self, label: str, arm: Arm, choice: Choice, wanted: int) -> None:
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
        """Which runs depart from the configuration files, and in what."""
        scenarios: dict[tuple[str, str], list[str]] = {}
        for (where, values), labels in self._departing.items():
            scenarios.setdefault((", ".join(labels), values), []).append(where)
        return [
            f"* {' and '.join(where)}, {labels}: {values}, not as in src/config"
            for (labels, values), where in scenarios.items()
        ]

    @property
    def commands(self) -> list[str]:
        """What is missing, with what to type."""
        return [f"missing: {what}\n  {command}" for what, command in self.missing.items()]

    @property
    def absent(self) -> list[str]:
        """One line that names what has no run at all; none where there is nothing."""
        absent: dict[tuple[str, str], dict[str, None]] = {}  # scenario and map -> methods
        for (env_config, _, _, some), lacking in self._lacking.items():
            if some:
                continue
            for label, arm in lacking:
                game_map = str(arm.typed.get("env_args.map_name", ""))
                names = absent.setdefault((scenario(env_config), game_map), {})
                names[plain(label).removesuffix(f" ({game_map})")] = None
        maps: dict[tuple[str, str], list[str]] = {}  # scenario and methods -> maps
        for (where, game_map), names in absent.items():
            maps.setdefault((where, ", ".join(names)), []).extend([game_map] if game_map else [])
        texts = [f"{', '.join([where, *some])} ({names})" for (where, names), some in maps.items()]
        return [f"no runs: {'; '.join(texts)}"] if texts else []

    def _refuse_incomparable(self, arm: Arm, runs: Sequence[Run]) -> None:
        """Refuse runs that must not stand beside those that were given out before."""
        given = self._given.setdefault(arm.env_config, [])
        given += [run for run in runs if run not in given]
        comparability.refuse(
            comparability.between_curves(given, arm.varied | set(arm.typed)),
            f"{scenario(arm.env_config)}: runs that are to be compared",
            CHOOSE,
        )
