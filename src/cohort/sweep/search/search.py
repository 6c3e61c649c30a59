"""The trials of a search: proposed when there is room, concluded when their runs have ended."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from cohort.configuration.updates import ENV_ARGS
from cohort.sweep.folder import SearchDescription, SweepRun
from cohort.sweep.journal import Journal
from cohort.sweep.search.objective import Objective
from cohort.sweep.search.samplers import import_optuna, propose
from cohort.sweep.search.space import Space
from cohort.sweep.search.summary import summary


class Search:
    """Reads and writes trials in the sweep's journal. All its state is there."""

    def __init__(self, description: SearchDescription, journal: Journal, results: Path) -> None:
        """`results`: the folder that run folders are in.

        Raises:
            UserError: Optuna is not installed.
        """
        import_optuna()
        self._description, self._journal, self._results = description, journal, results
        self.objective = Objective.read(description.objective)
        self.space = space_of(description)

    @property
    def known(self) -> tuple[SweepRun, ...]:
        """The runs of the trials so far."""
        return tuple(run for trial in self._journal.trials for run in self._runs(trial.values))

    @property
    def total(self) -> int:
        """How many runs there will be."""
        return self._description.trials * self.space.runs_per_trial

    def more(self, has_room: Callable[[SweepRun], bool]) -> Sequence[SweepRun]:
        """Propose one more trial, write it down, and give its runs; none where there is no room or none is left."""
        search, trials = self._description, self._journal.trials
        if len(trials) >= search.trials or not all(has_room(run) for run in search.alike.values()):
            return ()
        values = propose(search.sampler, self.space.parameters, trials, search.minimise)
        self._journal.propose(values)
        return self._runs(values)

    def settle(self) -> None:
        """Conclude trials whose runs have all ended, and reopen those that have a run to be carried out again."""
        for number, trial in enumerate(self._journal.trials):
            entries = [self._journal.entries[run] for run in self._journal.runs_of(number)]
            over = all(entry.state in ("completed", "failed") for entry in entries)
            if over and trial.outcome is None:
                self._journal.conclude(number, self.objective.of_trial(entries, self._results))
            elif not over and trial.outcome is not None:
                self._journal.reopen(number)

    @property
    def states(self) -> set[str]:
        """How its runs stand, as a sweep's: that runs diverge belongs to a search, unless all of them do."""
        trials = self._journal.trials
        states = {trial.outcome.state for trial in trials if trial.outcome} - {"diverged"} or {"failed"}
        if len(trials) < self._description.trials:
            states.add("waiting")
        if any(trial.outcome is None for trial in trials):
            states.add("interrupted")
        return states

    def summary(self) -> str:
        """The table of trials, the best settings as a command, and counts."""
        return summary(self._description, self.space, self._journal.trials)

    def _runs(self, values: dict[str, str]) -> list[SweepRun]:
        found = []
        for place, words in enumerate(self.space.runs(values)):
            alike = self._description.alike[words.config]
            varied = {
                key.removeprefix("--").removeprefix(f"{ENV_ARGS}."): text for key, text in values.items()
            }
            seed = int(self.space.seeds[place]) if self.space.seeds else alike.seed
            found.append(replace(alike, words=tuple(words.words), seed=seed, varied=varied))
        return found


def space_of(description: SearchDescription) -> Space:
    """What was typed, taken apart again."""
    return Space.read(description.config, description.env_config, description.typed)
