"""How scenarios, labels, seeds and lengths of runs are written."""

from collections.abc import Iterable, Sequence

from cohort.analysis.runs import Run


def scenario(env_config: str) -> str:
    """A scenario as people write it: "predator prey"."""
    return env_config.replace("_", " ")


def plain(label: str) -> str:
    """A legend entry without its mathematics, for a terminal."""
    return label.replace("$", "").replace("\\|", "|").replace("{", "").replace("}", "")


def ranged(seeds: Sequence[int]) -> str:
    """Seeds in order as a sweep has them: 1..5 or 2,4."""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]}..{seeds[-1]}"
    return ",".join(map(str, seeds))


def listed(seeds: Iterable[object]) -> str:
    """Every seed: 1, 2, 3."""
    return ", ".join(str(seed) for seed in sorted(seeds, key=str))


def updates_of(runs: Sequence[Run], metric: str = "") -> str:
    """After how many updates, from the fewest to the most; empty where no record says it.

    With a `metric`: those at which it was last logged, which for a test may be long before a run ended.
    """
    updates = sorted(found for run in runs if (found := _updates(run, metric)) is not None)
    if not updates:
        return ""
    fewest = "" if updates[0] == updates[-1] else f"{updates[0]:,} to "
    return f"{fewest}{updates[-1]:,} updates"


def _updates(run: Run, metric: str) -> int | None:
    if not metric or run.updates is None:
        return run.updates
    places, _ = run.series(metric, "updates")
    return int(places[-1]) if len(places) else None
