"""What is on the paper: panels, labels, bands, legends and small print."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from cohort.analysis import figure
from cohort.analysis.curves import Curve
from cohort.analysis.figure import COLOURS, NOTES, NOTES_WIDTH, Panel, Surface, draw
from cohort.errors import UserError


def curve(runs: int = 3, band: bool = True) -> Curve:
    x = np.array([0.0, 1e5, 2e5])
    low, high = (x / 4e5, x / 2e5) if band else (None, None)
    return Curve((None,) * runs, x, x / 3e5, low, high, 2e5)  # type: ignore[arg-type]


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Figure]:
    """Draws panels and returns the figure instead of writing it."""

    def drawn(*panels: Panel, notes: tuple[str, ...] = (), title: str = "") -> Figure:
        figures: list[Figure] = []
        monkeypatch.setattr(figure, "write", lambda made, path: figures.append(made))
        draw(panels, Path("x.png"), x_label="environment steps", caption="mean", notes=notes, title=title)
        return figures[0]

    return drawn


def visible(made: Figure) -> list:
    return [axes for axes in made.axes if axes.get_visible()]


def test_a_band_where_there_is_one(paper: Callable[..., Figure]) -> None:
    (axes,) = visible(paper(Panel("3m", "test_battle_won_mean", {"a": curve(), "b": curve(1, band=False)})))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["a (3)", "b (1)"]
    assert [to_hex(line.get_color()).upper() for line in axes.lines] == list(COLOURS[:2])
    (band,) = axes.collections
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (0.0, 1.0)
    assert axes.get_ylim() == (-0.03, 1.03)
    assert axes.get_ylabel() == "test win rate"
    assert axes.get_xlabel() == "environment steps"
    axes.figure.canvas.draw()
    assert "100k" in [label.get_text() for label in axes.get_xticklabels()]


def test_metrics_are_rows_and_maps_columns(paper: Callable[..., Figure]) -> None:
    panels = [
        Panel(name, metric, {"a": curve()})
        for metric in ("test_return_mean", "loss")
        for name in ("3m", "8m")
    ]
    made = paper(*panels, title="a title")
    axes = visible(made)
    assert [one.get_title() for one in axes] == ["3m", "8m", "", ""]
    assert [one.get_ylabel() for one in axes] == ["test return", "", "loss", ""]
    assert [one.get_xlabel() for one in axes] == ["", "", "environment steps", "environment steps"]
    assert all(one.get_legend() is None for one in axes)
    (legend,) = made.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a (3)"]
    assert legend.get_title().get_text() == "a title"


def test_one_legend_where_a_panel_has_every_entry(paper: Callable[..., Figure]) -> None:
    names = [f"a method with a long name, number {number}" for number in range(6)]
    whole, part = {name: curve() for name in names}, {names[3]: curve()}
    made = paper(Panel("3m", "loss", part), Panel("8m", "loss", whole))
    (legend,) = made.legends
    assert [text.get_text() for text in legend.get_texts()] == [f"{name} (3)" for name in names]
    made.canvas.draw()
    extent = legend.get_window_extent()
    assert extent.x0 >= 0
    assert extent.x1 <= made.bbox.width
    alone = paper(Panel("3m", "loss", part), Panel("8m", "loss", part))
    assert made.get_figheight() > alone.get_figheight(), "the legend does not press the panels"


def test_levels_colours_and_names_of_ones_own(paper: Callable[..., Figure]) -> None:
    panel = Panel(
        "7b", "loss", {"b": curve()}, y_label="D", levels={"low": 0.1, "high": 1.0}, log=True, counted=False
    )
    figures: list[Figure] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figure, "write", lambda made, path: figures.append(made))
        draw([panel, panel], Path("x.png"), x_label="episodes", caption="", columns=1, entries=("a", "b"))
    first, second = visible(figures[0])
    assert first.get_position().y0 > second.get_position().y1, "one below the other"
    assert [line.get_ydata()[0] for line in first.lines[1:]] == [0.1, 1.0]
    assert [text.get_text() for text in first.texts] == ["low", "high"]
    assert (first.get_ylabel(), first.get_yscale()) == ("D", "log")
    assert to_hex(first.lines[0].get_color()).upper() == COLOURS[1]
    assert [text.get_text() for text in figures[0].legends[0].get_texts()] == ["b"]


def spots(*heights: float) -> Curve:
    y = np.array(heights)
    return Curve((None,), np.arange(float(len(y))), y, y - 0.5, y + 0.5, len(y) - 1.0)  # type: ignore[arg-type]


def test_bars_stand_beside_each_other_at_named_places(paper: Callable[..., Figure]) -> None:
    curves = {"a": spots(1.0, 2.0), "b": spots(3.0)}
    made = paper(Panel("auc", "auc", curves, counted=False, form="bars", ticks=("here", "there")))
    (axes,) = visible(made)
    bars = [(round(bar.get_x(), 9), round(bar.get_width(), 9), bar.get_height()) for bar in axes.patches]
    assert bars == [(-0.4, 0.4, 1.0), (0.6, 0.4, 2.0), (0.0, 0.4, 3.0)]
    (first, _) = axes.collections
    assert first.get_segments()[0].ravel() == pytest.approx([-0.2, 0.5, -0.2, 1.5])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["here", "there"]
    assert [text.get_text() for text in made.legends[0].get_texts()] == ["a", "b"]


def test_a_line_that_shares_a_colour_is_dashed(monkeypatch: pytest.MonkeyPatch) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(figure, "write", lambda made, path: figures.append(made))
    panel = Panel("x", "auc", {"b": spots(1, 2), "b2": spots(2, 1)}, counted=False, ticks="01", share=True)
    draw(
        [panel], Path("x.png"), x_label="", caption="", entries=("a", "b"), same_colour={"b2": "b", "a2": "a"}
    )
    (axes,) = visible(figures[0])
    assert [(to_hex(line.get_color()).upper(), line.get_linestyle()) for line in axes.lines] == [
        (COLOURS[1], "-"),
        (COLOURS[1], "--"),
    ]
    assert axes.get_ylim() == (-0.03, 1.03)


def test_clouds_lie_in_a_plane_and_share_a_legend(paper: Callable[..., Figure]) -> None:
    def cloud(label: str) -> Panel:
        points = Curve((None,), np.array([-1.0, 3.0]), np.array([0.0, 1.0]), None, None, 0.0)  # type: ignore[arg-type]
        return Panel(label, label, {label: points}, counted=False, form="dots", square=True, x_label="east")

    made = paper(cloud("a"), cloud("b"))
    for axes in visible(made):
        (dots,) = axes.collections
        assert dots.get_offsets().tolist() == [[-1.0, 0.0], [3.0, 1.0]]
        assert axes.get_aspect() == 1.0
        assert axes.get_xlim()[0] < -1
        assert axes.get_xlabel() == "east"
    assert [text.get_text() for text in made.legends[0].get_texts()] == ["a", "b"]


def test_many_maps_wrap_and_keep_their_names(paper: Callable[..., Figure]) -> None:
    panels = [Panel(f"map{number}", "loss", {"a": curve(number)}) for number in range(1, 7)]
    axes = visible(paper(*panels))
    assert [one.get_title() for one in axes] == [panel.title for panel in panels]
    assert [one.get_xlabel() != "" for one in axes] == [False, False, True, True, True, True]
    # seeds differ from map to map: each has a legend of its own
    assert [one.get_legend().get_texts()[0].get_text() for one in axes] == [
        f"a ({number})" for number in range(1, 7)
    ]


def test_a_method_keeps_its_colour_and_marks_are_seen(paper: Callable[..., Figure]) -> None:
    made = paper(
        Panel("3m", "loss", {"a": curve(), "b": curve()}),
        Panel("8m", "loss", {"b": curve()}, frozenset(["b"])),
    )
    first, second = visible(made)
    assert second.lines[0].get_color() == first.lines[1].get_color()
    assert second.get_legend().get_texts()[0].get_text() == "b* (3)"


def test_more_curves_than_colours_differ_in_their_strokes(paper: Callable[..., Figure]) -> None:
    names = [f"method{number}" for number in range(2 * len(COLOURS))]
    apart = {name: replace(curve(), centre=curve().centre + place) for place, name in enumerate(names)}
    (axes,) = visible(paper(Panel("3m", "loss", apart)))
    assert len({(line.get_color(), line.get_linestyle()) for line in axes.lines}) == len(names)


def test_equal_curves_are_all_seen(paper: Callable[..., Figure]) -> None:
    apart = replace(curve(1, band=False), centre=np.array([2.0, 1.0, 0.0]))
    made = paper(Panel("3m", "loss", {name: curve(1, band=False) for name in "abc"} | {"d": apart}))
    (axes,) = visible(made)
    axes.get_legend().remove()
    made.canvas.draw()
    pixels = np.asarray(made.canvas.buffer_rgba())[..., :3].astype(int)
    for line in axes.lines:
        colour = 255 * np.array(to_rgb(line.get_color()))
        assert (np.abs(pixels - colour).max(-1) < 12).sum() > 20, line.get_label()
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--", "--", "-"]


def test_the_small_print_stays_small(paper: Callable[..., Figure]) -> None:
    made = paper(
        Panel("3m", "loss", {"a": curve()}), notes=tuple(f"{'word ' * 30}{number}" for number in range(9))
    )
    made.canvas.draw()
    lines = made.get_supxlabel().splitlines()
    assert len(lines) == round(NOTES * NOTES_WIDTH / 3.3), "more lines where they are short"
    assert lines[-1] == "... more on the terminal"
    extent = made._supxlabel.get_window_extent()
    assert extent.x1 <= made.bbox.width


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        draw([Panel("3m", "loss", {"a": curve()})], tmp_path / "file" / "x.png", x_label="", caption="")


def test_heights_lie_below_curves_and_moments_stand_upright(paper: Callable[..., Figure]) -> None:
    axis = np.linspace(-1, 0.5, 4)
    heights = np.arange(16.0).reshape(4, 4) - 10
    plane = Panel(
        "plane",
        "reward",
        {"way": curve(band=False)},
        counted=False,
        surface=Surface(axis, axis, heights, "how high"),
    )
    axes, bar = visible(paper(plane))
    (mesh,) = axes.collections
    assert mesh.get_array().reshape(4, 4).tolist() == heights.tolist()
    assert mesh.get_clim() == (-10, 10), "0 has the middle colour"
    assert (axes.get_xlim(), axes.get_ylim()) == ((-1, 0.5), (-1, 0.5))
    assert bar.get_ylabel() == "how high"
    timed = Panel("3m", "loss", {"a": curve()}, moments={"then": 5e4})
    (axes,) = visible(paper(timed))
    assert [line.get_xdata() for line in axes.lines][-1] == [5e4, 5e4]
    assert [text.get_text() for text in axes.texts] == ["then"]
