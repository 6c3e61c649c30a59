"""The learning curve of one run as a picture.

Drawn with Pillow: to load matplotlib takes longer than a short run learns, and every run ends with this picture.
`run.py plot` draws the figures for papers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cohort.recording.files import replace_atomically
from cohort.recording.metrics import Record, read_metrics, series

Colour = tuple[int, int, int]
Points = tuple[np.ndarray, np.ndarray]  # environment steps and values

WIDTH, TITLE, PANEL, FOOT = 900, 44, 350, 30  # pixels
_LEFT, _RIGHT, _ABOVE, _BELOW = 76, 18, 30, 26  # margins of the axes in their panel
_DETAIL = 2  # pixels drawn for each pixel of the picture: lines come out smooth
_INK, _FAINT, _GRID, _FRAME = (34, 40, 46), (102, 112, 122), (227, 231, 235), (120, 130, 140)
_TRAINING, _TEST = (154, 167, 181), (31, 95, 168)


@dataclass(frozen=True)
class _Panel:
    """One pair of axes: a metric in evaluation, and the same in training behind it."""

    label: str
    test: str
    train: str


_PANELS = (
    _Panel("win rate", "test_battle_won_mean", "battle_won_mean"),
    _Panel("return", "test_return_mean", "return_mean"),
)


def draw_curve(metrics_path: Path, png_path: Path, title: str, *, report: Callable[[str], None]) -> bool:
    """Draw win rate and return, where the run has them, over environment steps.

    A picture is never worth a run: whatever goes wrong is reported and False is returned.
    """
    try:
        _draw(read_metrics(metrics_path), png_path, title)
        return True
    except Exception as error:
        report(f"The learning curve was not drawn ({type(error).__name__}: {error}).")
        return False


def _draw(records: Sequence[Record], png_path: Path, title: str) -> None:
    names = {name for record in records for name in record.metrics}
    panels = [panel for panel in _PANELS if panel.test in names or panel.train in names] or [_PANELS[-1]]
    sheet = _Sheet(TITLE + PANEL * len(panels) + FOOT)
    sheet.text(WIDTH / 2, TITLE / 2, title, 15, _INK, "mm")
    last = max((record.t_env for record in records), default=0)
    for number, panel in enumerate(panels):
        lines = [series(records, panel.train), series(records, panel.test)]
        _draw_panel(sheet, TITLE + PANEL * number, panel, lines, max(1.0, 1.02 * last))
    sheet.text(WIDTH / 2, sheet.height - FOOT / 2, "environment steps", 13, _INK, "mm")
    replace_atomically(png_path, sheet.save)


def _draw_panel(sheet: "_Sheet", top: float, panel: _Panel, lines: Sequence[Points], end: float) -> None:
    """Axes with the lines of training and test; `end` is where the steps' axis ends."""
    low, high = (-0.03, 1.03) if panel.label == "win rate" else value_range([values for _, values in lines])
    box = (_LEFT, top + _ABOVE, WIDTH - _RIGHT, top + PANEL - _BELOW)

    def x(steps: float) -> float:
        return box[0] + (box[2] - box[0]) * steps / end

    def y(value: float) -> float:
        return box[3] - (box[3] - box[1]) * (value - low) / (high - low)

    for step in ticks(0, end, whole=True):
        sheet.line([(x(step), box[1]), (x(step), box[3])], _GRID, 1)
        sheet.text(x(step), box[3] + 12, short_steps(step), 12, _INK, "mm")
    for value in ticks(low, high):
        sheet.line([(box[0], y(value)), (box[2], y(value))], _GRID, 1)
        sheet.text(box[0] - 8, y(value), f"{value:.6g}", 12, _INK, "rm")
    sheet.line([(box[0], box[1]), (box[0], box[3]), (box[2], box[3])], _FRAME, 1)
    sheet.text(box[0], top + _ABOVE / 2, panel.label, 13, _INK, "lm")
    right = float(box[2])
    for (steps, values), label, colour, width in zip(
        lines, ("training", "test"), (_TRAINING, _TEST), (1.2, 2.2), strict=True
    ):
        if not np.isfinite(values).any():
            continue
        for run in finite_runs(steps, values):
            sheet.line([(x(step), y(value)) for step, value in run], colour, width)
        # a single value is no line: it needs a dot to be seen
        if len(steps) == 1 or (label == "test" and len(steps) <= 30):
            for step, value in zip(steps, values, strict=True):
                if math.isfinite(value):
                    sheet.dot(x(step), y(value), 2.8, colour)
        right -= sheet.text(right, top + _ABOVE / 2, label, 12, colour, "rm") + 8
        sheet.line([(right - 22, top + _ABOVE / 2), (right, top + _ABOVE / 2)], colour, width)
        right -= 40
    if not any(np.isfinite(values).any() for _, values in lines):
        sheet.text((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, "no values yet", 13, _FAINT, "mm")


class _Sheet:
    """A white picture; places are pixels of the result from the upper left corner."""

    def __init__(self, height: int) -> None:
        from PIL import Image, ImageDraw

        self.height = height
        self._image = Image.new("RGB", (WIDTH * _DETAIL, height * _DETAIL), (255, 255, 255))
        self._drawing = ImageDraw.Draw(self._image)

    def line(self, places: Sequence[tuple[float, float]], colour: Colour, width: float) -> None:
        points = [(x * _DETAIL, y * _DETAIL) for x, y in places]
        self._drawing.line(points, fill=colour, width=max(1, round(width * _DETAIL)), joint="curve")

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        corners = [_DETAIL * place for place in (x - radius, y - radius, x + radius, y + radius)]
        self._drawing.ellipse(corners, fill=colour)

    def text(self, x: float, y: float, text: str, size: float, colour: Colour, anchor: str) -> float:
        """Write `text`; its width in pixels."""
        from PIL import ImageFont

        font = ImageFont.load_default(size * _DETAIL)
        self._drawing.text((x * _DETAIL, y * _DETAIL), text, fill=colour, font=font, anchor=anchor)
        return self._drawing.textlength(text, font) / _DETAIL

    def save(self, file: object) -> None:
        self._image.reduce(_DETAIL).save(file, format="png")


def value_range(lines: Sequence[np.ndarray]) -> tuple[float, float]:
    """What an axis shows: all finite values and a little more on both sides."""
    values = np.concatenate([line[np.isfinite(line)] for line in lines])
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return low - margin, high + margin


def ticks(low: float, high: float, *, whole: bool = False, most: int = 8) -> list[float]:
    """Round numbers from `low` to `high`, at most `most` of them and one; `whole` for numbers without fractions."""
    least = (high - low) / most
    power = 10.0 ** math.floor(math.log10(least))
    step = next(size * power for size in (1, 2, 2.5, 5, 10) if size * power >= least * (1 - 1e-9))
    if whole:
        step = max(1.0, float(math.ceil(step)))
    return [number * step for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def finite_runs(steps: np.ndarray, values: np.ndarray) -> list[list[tuple[float, float]]]:
    """The points of a line, apart where values in between are not finite."""
    known = np.isfinite(values)
    breaks = np.flatnonzero(np.diff(known)) + 1
    parts = zip(np.split(steps, breaks), np.split(values, breaks), np.split(known, breaks), strict=True)
    return [list(zip(s.tolist(), v.tolist(), strict=True)) for s, v, k in parts if len(k) > 1 and k[0]]


def short_steps(steps: float) -> str:
    """Environment steps as people say them: 500, 50k, 1.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(steps) >= size:
            return f"{steps / size:.4g}{letter}"
    return f"{steps:.4g}"
