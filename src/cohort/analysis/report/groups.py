"""Which runs make a curve of the page."""

from collections.abc import Sequence

from cohort.analysis.comparability import within_curve
from cohort.analysis.plot import Axis, Groups
from cohort.analysis.runs import Run

KEYS, CURVES = 3, 12  # so many keys that differ, and curves that they make, still fit into a legend


def separated(axis: Axis) -> Axis:
    """The axis with runs that differ in a few keys in curves of their own, whose entries name key and value."""
    groups: dict[str, list[Run]] = {}
    for label, runs in axis.groups.items():
        for entry, members in _by_keys(label, runs).items():
            groups.setdefault(entry, []).extend(members)
    return Axis(axis.title, groups)


def _by_keys(label: str, runs: Sequence[Run]) -> Groups:
    known = {key for run in runs for key in run.flat_config}
    keys = [difference.what for difference in within_curve(runs) if difference.what in known]
    if not 0 < len(keys) <= KEYS:
        return {label: runs}
    groups: dict[str, list[Run]] = {}
    for run in runs:
        values = [f"{key}={run.flat_config.get(key, '-')}" for key in keys]
        groups.setdefault(", ".join([label, *values]), []).append(run)
    return groups if len(groups) <= CURVES else {label: runs}
