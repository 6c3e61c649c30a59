"""The sections of the page, each from runs."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from cohort.analysis.diff import differences
from cohort.analysis.figure import Panel, metric_label
from cohort.analysis.ls import seeds_text
from cohort.analysis.plot import Axis
from cohort.analysis.report.claims import Verdicts
from cohort.analysis.report.markup import Markup, bullets, element, joined, table
from cohort.analysis.runs import Run
from cohort.analysis.tables import duration, shown
from cohort.recording.curve import short_steps

DONE = "COMPLETED"
VALUES = 5  # of one setting that a cell lists
SETTINGS = ("config.", "game: ", "updates per episode")
SAID_ELSEWHERE = ("config.seed", "config.name", "status", "t_env", "metrics.")


def attention(runs: Sequence[Run], notes: Sequence[str]) -> Markup:
    """Runs that have diverged or are not completed, and what makes curves differ besides the method."""
    return bullets([*_unfinished(runs), *notes])


def _unfinished(runs: Sequence[Run]) -> list[str]:
    lines = []
    for run in runs:
        state = run.status.state
        if state == DONE and not run.diverged:
            continue
        says = state if state != DONE else "DIVERGED"
        lines.append(f"{run.name}: {says}, {short_steps(run.status.t_env)} of {_planned(run)} steps")
    return lines


def curves(panels: Sequence[Panel], figures: Sequence[str], caption: str) -> Markup:
    """A place for each figure, with its data; the page's script draws it."""
    if not panels:
        return element("p", "No run has logged a result that could be drawn.")
    parts = []
    for panel, data in zip(panels, figures, strict=True):
        title = f"{panel.title}: {metric_label(panel.metric)}"
        parts.append(
            element(
                "figure",
                element("figcaption", element("b", title)),
                element("div", class_="plot", role="img", aria_label=f"Curves of {title}"),
                element("script", Markup(data), type="application/json"),
                class_="chart",
            )
        )
    switch = element("label", element("input", type="checkbox", id="runs"), " show every run")
    needs = element("noscript", element("p", "The curves are drawn by JavaScript, which is off here."))
    about = element("p", f"{caption}; in brackets the number of runs. ", switch, class_="note")
    return joined([about, needs, element("div", *parts, class_="charts")])


def results(panels: Sequence[Panel], runs: Sequence[Run], metrics: Sequence[str], x: str) -> Markup:
    """Where curves end, and below it the last values of every run."""
    every = element("details", element("summary", "every run"), _run_rows(runs, metrics))
    return joined([_curve_rows(panels, x), every] if panels else [_run_rows(runs, metrics)])


def _curve_rows(panels: Sequence[Panel], x: str) -> Markup:
    """The last point of each curve, with its interval: a row for each map and curve, a column for each metric."""
    metrics = list(dict.fromkeys(panel.metric for panel in panels))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for panel in panels:
        for label, curve in panel.curves.items():
            row = cells.setdefault((panel.title, label), {})
            row.setdefault("seeds", seeds_text(curve.runs))
            row.setdefault("at", short_steps(curve.x[-1]))
            row[panel.metric] = shown(float(curve.centre[-1]))
            if curve.low is not None and curve.high is not None:
                row[panel.metric] += f" [{shown(float(curve.low[-1]))}, {shown(float(curve.high[-1]))}]"
    headings = ["curve", "map", "seeds", f"at {x}", *map(metric_label, metrics)]
    rows = [
        [label, title, row["seeds"], row["at"], *(row.get(metric, "") for metric in metrics)]
        for (title, label), row in cells.items()
    ]
    return table(headings, rows)


def _run_rows(runs: Sequence[Run], metrics: Sequence[str]) -> Markup:
    """A row for each run, with the last value of each metric."""
    headings = ["run", "status", "seed", "steps", "of", *map(metric_label, metrics), "running"]
    rows = []
    for run in runs:
        status = run.status
        last = [shown(run.last(metric)) for metric in metrics]
        steps = (short_steps(status.t_env), _planned(run))
        rows.append([run.name, status.state, str(run.seed), *steps, *last, duration(status.wall_seconds)])
    return table(headings, rows)


def columns_of(axes: Sequence[Axis], runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Heading -> the runs that a column of settings speaks of: those of a curve, on all maps."""
    columns: dict[str, list[Run]] = {}
    for axis in axes:
        for label, members in axis.groups.items():
            columns.setdefault(label, []).extend(members)
    return columns if len(columns) > 1 else {run.name: [run] for run in runs}


def settings(runs: Sequence[Run], columns: Mapping[str, Sequence[Run]]) -> Markup:
    """What `run.py diff` finds, with the columns of `columns_of`; nothing of a single run."""
    if len(runs) < 2:
        return Markup()
    rows, equal = differences(runs)
    place = {id(run): number for number, run in enumerate(runs, start=1)}
    folded = [
        [
            row[0].removeprefix("config."),
            *(_folded([row[place[id(run)]] for run in members]) for members in columns.values()),
        ]
        for row in rows
        if row[0].startswith(SETTINGS) and not row[0].startswith(SAID_ELSEWHERE)
    ]
    others = [row[0] for row in rows if not row[0].startswith((*SETTINGS, *SAID_ELSEWHERE))]
    parts = (
        [table(["", *columns], folded, "tall")]
        if folded
        else [element("p", "No setting differs but the seed.")]
    )
    said = f"{equal} other facts are equal."
    if others:
        said += f" Of code and machine differ: {', '.join(others)}."
    return joined([*parts, element("p", said, class_="note")])


def claims(found: Sequence[Verdicts]) -> Markup:
    """A table of verdicts for each paper."""
    parts: list[Markup] = []
    for one in found:
        parts += [element("h3", one.paper), table(one.headings, one.rows, "wrapped")]
        parts.append(element("details", element("summary", "how it is measured"), bullets(one.notes)))
    return joined(parts)


def provenance(runs: Sequence[Run]) -> Markup:
    """Where each run comes from: code, date, machine, and what was typed."""
    headings = [
        "run",
        "seed",
        "started",
        "last heard of",
        "commit",
        "versions",
        "machine",
        "processor",
        "typed",
    ]
    return table(headings, [_origin(run) for run in runs])


def _origin(run: Run) -> list[str]:
    session = run.sessions[-1] if run.sessions else {}
    torch = (session.get("packages") or {}).get("torch")
    versions = [f"Python {session.get('python')}", *([f"torch {torch}"] if torch else [])]
    gpus = session.get("gpus") or []
    processor = ", ".join(gpus) if run.config.get("use_cuda") and gpus else session.get("cpu") or ""
    sessions = f" ({len(run.sessions)} sessions)" if len(run.sessions) > 1 else ""
    return [
        *(run.name, str(run.seed), _minute(run.started) + sessions),
        run.status.seen.strftime("%Y-%m-%d %H:%M") if run.status.seen else "",
        *(_commits(run), ", ".join(versions), session.get("hostname") or "", processor),
        str(session.get("command") or ""),
    ]  # fmt: skip


def _commits(run: Run) -> str:
    """The code of every session: a run may have been resumed with another."""
    found = [session.get("git") or {} for session in run.sessions] or [{}]
    texts = [
        (commit[:10] if (commit := git.get("commit")) else "not on record")
        + (" with changes" if git.get("dirty") else "")
        for git in found
    ]
    return " then ".join(dict.fromkeys(texts))


def _minute(moment: str | None) -> str:
    try:
        return datetime.fromisoformat(moment or "").strftime("%Y-%m-%d %H:%M")
    except (TypeError, ValueError):
        return str(moment or "")


def _folded(values: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(values))
    more = [f"and {len(distinct) - VALUES} more"] if len(distinct) > VALUES else []
    return " / ".join([*distinct[:VALUES], *more])


def _planned(run: Run) -> str:
    planned = run.config.get("t_max")
    return short_steps(planned) if isinstance(planned, int | float) else "?"
