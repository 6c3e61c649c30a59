"""What a trial is worth: a field of its runs, as `run.py ls` names them, averaged over seeds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cohort.analysis.fields import Field
from cohort.analysis.folders import FolderRun
from cohort.analysis.language import parse_columns
from cohort.errors import UserError
from cohort.recording.headline import LABELS
from cohort.registry import nearest
from cohort.sweep.journal import Entry, Outcome

HEADLINE = "test win rate, or test return where there is none"


@dataclass(frozen=True)
class Objective:
    """One metric of a run.

    Attributes:
        text: a field with a metric in it, or words for the last value of the metric that a run is judged by.
        field: None for the latter.
    """

    text: str
    field: Field | None

    @classmethod
    def read(cls, text: str | None) -> "Objective":
        """Raises `UserError` when it is not one field of a metric."""
        if text is None:
            return cls(HEADLINE, None)
        columns = parse_columns(text)
        field = columns[0].field
        if len(columns) != 1 or field.key is None or field.key[0] != "metrics" or field.unit != "plain":
            raise UserError(
                f"--objective={text} is not one metric. Allowed: metrics.test_return_mean (its last value), "
                "'late(metrics.test_return_mean)' (the mean of the last 5), 'max(metrics.test_return_mean)', ..."
            )
        return cls(field.text, field)

    def of_run(self, folder: Path) -> tuple[str, float]:
        """What is measured, in words, and a completed run's value.

        Raises:
            UserError: it never logged the metric.
        """
        run = FolderRun(folder)
        known = sorted({name for record in run.records for name in record.metrics})
        if self.field is not None:
            found = self.text, self.field.ask(run)
            hint = nearest(self.field.key[1], known)
        else:
            metric = next((name for name in LABELS if name in known), "")
            found = LABELS.get(metric, ""), run.last(metric)
            hint = ""
        if found[1] is None:
            raise UserError(f"{folder.name} has no {self.text}.{hint} It logged: {', '.join(known)}.")
        return found[0], float(found[1])

    def of_trial(self, entries: Sequence[Entry], results: Path) -> Outcome:
        """What became of a trial whose runs, one per seed, have all ended.

        Raises:
            UserError: a run that is completed never logged the metric.
        """
        folders = [results / entry.folder if entry.folder else None for entry in entries]
        diverged = [folder is not None and _diverged(folder) for folder in folders]
        ended = list(zip(entries, diverged, strict=True))
        if broken := [entry for entry, strange in ended if entry.state == "failed" and not strange]:
            return Outcome("failed", reason=broken[0].reason)
        if any(diverged):
            return Outcome("diverged", reason=f"{sum(diverged)} of {len(entries)} runs diverged")
        found = [self.of_run(folder) for folder in folders if folder is not None]
        measure, values = found[0][0], tuple(value for _, value in found)
        mean = sum(values) / len(values)
        if not math.isfinite(mean):
            return Outcome("diverged", reason=f"{measure} is {mean}")
        return Outcome("completed", mean, values, measure=measure)


def _diverged(folder: Path) -> bool:
    try:
        return FolderRun(folder).status.state == "DIVERGED"
    except (UserError, OSError):
        return False
