"""The table of trials, the best settings as a command, and how many trials there were of each kind."""

from collections.abc import Sequence

from cohort.analysis.tables import shown
from cohort.sweep.folder import SearchDescription
from cohort.sweep.journal import Trial
from cohort.sweep.loop import table_text
from cohort.sweep.search.space import Space


def best_of(trials: Sequence[Trial], minimise: bool) -> int | None:
    """The number of the best completed trial, the first of equals; None where none is completed."""
    done = [(number, one.outcome.value) for number, one in enumerate(trials) if is_completed(one)]
    return min(done, key=lambda pair: pair[1] if minimise else -pair[1], default=(None, 0.0))[0]


def is_completed(trial: Trial) -> bool:
    return trial.outcome is not None and trial.outcome.state == "completed"


def counts(trials: Sequence[Trial], wanted: int) -> str:
    """As "17 completed, 2 diverged, 1 failed of 20 trials"."""
    states = [trial.outcome.state if trial.outcome else "not over" for trial in trials]
    states += ["not begun"] * (wanted - len(trials))
    order = ("completed", "diverged", "failed", "not over", "not begun")
    told = ", ".join(f"{states.count(state)} {state}" for state in order if state in states)
    return f"{told} of {max(wanted, len(trials))} trials"


def summary(search: SearchDescription, space: Space, trials: Sequence[Trial]) -> str:
    """All of it; the table with the best trial first, those without a value last."""
    best = best_of(trials, search.minimise)
    measure = "value" if best is None else trials[best].outcome.measure
    lines = [table_text(*_table(search, space, measure, trials))]
    if best is not None:
        value = shown(trials[best].outcome.value)
        seeds = f", the mean of {len(space.seeds)} seeds" if len(space.seeds) > 1 else ""
        lines.append(f"best: trial {best + 1}, {trials[best].outcome.measure} {value}{seeds}")
        lines.append(f"  {space.command(trials[best].values)}\n")
    lines.append(counts(trials, search.trials))
    return "\n".join(lines)


def _table(
    search: SearchDescription, space: Space, measure: str, trials: Sequence[Trial]
) -> tuple[list[str], list[list[str]]]:
    def place(number: int) -> tuple[bool, float]:
        if not is_completed(trials[number]):
            return True, 0.0
        value = trials[number].outcome.value
        return False, value if search.minimise else -value

    keys = [one.key for one in space.parameters]
    rows = []
    for number in sorted(range(len(trials)), key=place):
        values, outcome = trials[number].values, trials[number].outcome
        result = range_ = notes = ""
        if outcome is not None:
            result, notes = shown(outcome.value), outcome.reason
            if len(outcome.values) > 1:
                range_ = f"{shown(min(outcome.values))} to {shown(max(outcome.values))}"
        state = outcome.state.upper() if outcome else "NOT OVER"
        rows.append([str(number + 1), *(values[key] for key in keys), state, result, range_, notes])
    headings = ["trial", *(key.removeprefix("--") for key in keys), "state", measure, "seeds", "notes"]
    empty = [
        place
        for place, heading in enumerate(headings)
        if heading in ("seeds", "notes") and not any(r[place] for r in rows)
    ]
    kept = [place for place in range(len(headings)) if place not in empty]
    return [headings[place] for place in kept], [[row[place] for place in kept] for row in rows]
