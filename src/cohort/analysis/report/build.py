"""The page: runs taken apart into panels, and its sections put together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cohort.analysis import comparability
from cohort.analysis.curves import Settings
from cohort.analysis.figure import Panel
from cohort.analysis.language import Column
from cohort.analysis.plot import (
    Axis,
    axis_panel,
    caption,
    chosen_metrics,
    comparable,
    map_axes,
    unequal_lengths,
    varied_keys,
)
from cohort.analysis.report import sections
from cohort.analysis.report.charts import charts, library, palette
from cohort.analysis.report.claims import verdicts
from cohort.analysis.report.groups import separated
from cohort.analysis.report.media import media_files, media_section
from cohort.analysis.report.page import Section, document
from cohort.analysis.runs import AXES, Run
from cohort.errors import UserError
from cohort.recording.provenance import typed_command


@dataclass(frozen=True)
class Contents:
    """What the page shows of runs.

    Attributes:
        by: fields; a curve for each of their values.
        metrics: names with commas; None for win rate and return.
        settings: how runs become curves.
        media_mb: megabytes of videos and pictures.
        title: of the page; "" leaves it to the runs.
    """

    by: Sequence[Column]
    metrics: str | None
    settings: Settings
    media_mb: float
    title: str = ""


def report(runs: Sequence[Run], contents: Contents) -> str:
    """The page, as HTML.

    Raises:
        UserError: no run has a metric that was named.
    """
    learning = [run for run in runs if not run.config.get("evaluate")]
    metrics = _metrics(contents.metrics, learning)
    axes = [separated(axis) for axis in map_axes(learning, contents.by)]
    panels, notes = _panels(axes, metrics, contents)
    notes += [difference.short() for difference in comparability.worth_a_note(learning)]
    x = AXES[contents.settings.x]
    parts = [
        Section("attention", "Know first", sections.attention(runs, list(dict.fromkeys(notes)))),
        Section(
            "curves",
            "Curves",
            sections.curves(panels, charts(panels, contents.settings), caption(contents.settings)),
        ),
        Section("results", "Final values", sections.results(panels, runs, metrics, x)),
        Section("settings", "Settings that differ", sections.settings(runs, sections.columns_of(axes, runs))),
        Section("claims", "What papers say", sections.claims(verdicts(runs))),
        Section("media", "Videos and pictures", media_section(media_files(runs), contents.media_mb)),
        Section("origin", "Where the runs come from", sections.provenance(runs)),
    ]
    scripts = [library(), f"const COLOURS = {palette()};"] if panels else []
    return document(
        contents.title or _title(runs), _lead(runs), [part for part in parts if part.content], scripts
    )


def _panels(
    axes: Sequence[Axis], metrics: Sequence[str], contents: Contents
) -> tuple[list[Panel], list[str]]:
    """What can be drawn, and what to say of it. Nothing is refused: what does not compare is marked."""
    if not axes:
        return [], []
    axes, mixed, _ = comparable(axes, varied_keys(contents.by), allow=True)
    panels: list[Panel] = []
    notes = [f"* {text}" for texts in mixed.values() for text in texts]
    for axis in axes:
        for metric in metrics:
            try:
                panel = axis_panel(axis, metric, contents.settings, mixed)
            except UserError as error:
                notes.append(f"{axis.title}: {error}")
                continue
            panels += [] if panel is None else [panel]
    return panels, notes + unequal_lengths(panels, contents.settings)


def _metrics(typed: str | None, runs: Sequence[Run]) -> list[str]:
    """The metrics of the page; none where nothing was named and nothing is logged yet."""
    try:
        return chosen_metrics(typed, runs)
    except UserError:
        if typed is not None:
            raise
        return []


def _title(runs: Sequence[Run]) -> str:
    methods, maps = ([getattr(run, name) for run in runs] for name in ("method", "map_name"))
    return f"{_some(methods, 'methods')} on {_some(maps, 'maps')}"


def _some(names: Sequence[str], noun: str) -> str:
    distinct = list(dict.fromkeys(names))
    return f"{len(distinct)} {noun}" if len(distinct) > 3 else ", ".join(distinct)


def _lead(runs: Sequence[Run]) -> str:
    count = f"{len(runs)} runs" if len(runs) != 1 else "1 run"
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return f"{count}, read on {now}: {typed_command()}"
