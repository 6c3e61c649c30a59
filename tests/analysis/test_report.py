"""`run.py report` as it is typed: what is on the page, what never is, and what a browser makes of it."""

import json
import re
import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from cohort.analysis.figure import COLOURS
from cohort.analysis.folders import FolderRun
from cohort.analysis.report import charts, claims
from cohort.analysis.report.claims import Verdicts
from cohort.analysis.report.markup import element, table
from cohort.cli import main
from tests.browser import browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["browser"]
EVIL = '<img src=x onerror="window.harm=1">&\'</script><script>window.harm=1</script>'
NOTHING_BUT = ("data:", "#")  # what an attribute may point to


class Reader(HTMLParser):
    """What a page points to, its elements, its text outside scripts, and the data of its figures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.names: list[str] = []
        self.text, self.data, self._inside = "", [], ("", "")
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.names.append(tag)
        self.targets += [
            value or "" for key, value in attrs if key in ("src", "href", "srcset", "action", "poster")
        ]
        self._inside = (tag, named.get("type") or "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ("", "")

    def handle_data(self, data: str) -> None:
        if self._inside == ("script", "application/json"):
            self.data.append(json.loads(data))
        elif self._inside[0] not in ("script", "style"):
            self.text += data + "\n"


def write_runs(write_run: Callable[..., FolderRun]) -> None:
    """Two methods with two seeds each: at the end qmix has 1 and 3, vdn 2 and 2."""
    for method, ends in (("qmix", (1.0, 3.0)), ("vdn", (2.0, 2.0))):
        for seed, end in enumerate(ends, start=1):
            write_run(method, seed, [(0, {"test_return_mean": 0.0}), (100, {"test_return_mean": end})])


@pytest.fixture
def report(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Reader]:
    """Writes the page of all runs and reads it."""

    def write(*words: str) -> Reader:
        pytest.importorskip("plotly", reason="needs requirements/report.txt")
        out = tmp_path / "new" / "page.html"
        assert main(["report", str(results), "--out", str(out), *words]) == 0
        assert str(out) in capsys.readouterr().out
        read = Reader(out.read_text(encoding="utf-8"))
        assert all(target.startswith(NOTHING_BUT) for target in read.targets)
        return read

    return write


def parts(figure: dict[str, Any], part: str) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if trace["meta"]["part"] == part]


def test_curves_have_the_values_of_the_runs(
    write_run: Callable[..., FolderRun], report: Callable[..., Reader]
) -> None:
    write_runs(write_run)
    (figure,) = report("--aggregate", "mean", "--band", "range").data
    qmix, vdn = parts(figure, "centre")
    assert (qmix["name"], qmix["x"], qmix["y"]) == ("qmix (2)", [0, 100], [0, 2])
    assert (vdn["name"], vdn["x"], vdn["y"]) == ("vdn (2)", [0, 100], [0, 2])
    assert "dash" in vdn["line"]
    assert "," in vdn["line"]["dash"]  # it lies on qmix, which shows in the gaps
    assert qmix["line"]["dash"] == "solid"
    band = parts(figure, "band")[0]
    assert (band["x"], band["y"]) == ([0, 100, 100, 0], [0, 1, 3, 0])
    assert [(run["y"], run["visible"]) for run in parts(figure, "run")] == [
        ([0, 1], False), ([0, 3], False), ([0, 2], False), ([0, 2], False),
    ]  # fmt: skip


def test_tables_say_how_it_ended_what_differs_and_where_from(
    write_run: Callable[..., FolderRun], report: Callable[..., Reader]
) -> None:
    write_runs(write_run)
    write_run("iql", 7, [(0, {"test_return_mean": 0.0}), (60, {"test_return_mean": float("nan")})])
    write_run(
        "iql",
        8,
        [(0, {"test_return_mean": 0.0}), (60, {"test_return_mean": 1.0})],
        status={"state": "INTERRUPTED"},
    )
    page = report("--band", "range")
    lines = re.sub(r"\n+", "\n", page.text)
    assert "\nqmix\n3m\n1, 2\n100\n2 [1, 3]\n" in lines
    assert "\nmixer\niql\nqmix\nvdn\n" in lines
    assert "iql__3m__seed7: DIVERGED, 60 of 100 steps" in lines
    assert "iql__3m__seed8: INTERRUPTED, 60 of 100 steps" in lines
    assert "\nqmix__3m__seed2\n2\n2026-11-20 17:00\n" in lines
    assert "aaaaaaaaaa" in lines


def test_the_code_of_every_session_is_named(
    write_run: Callable[..., FolderRun], report: Callable[..., Reader]
) -> None:
    run = write_run("qmix", 1)
    gits = [
        {"commit": "a" * 40},
        {"commit": "b" * 40, "dirty": True},
        {"commit": "b" * 40, "dirty": True},
        None,
    ]
    sessions = [{"started": "2026-11-20T17:00:01+00:00", "git": git} for git in gits]
    (Path(run.place) / "provenance.json").write_text(json.dumps({"sessions": sessions}))
    assert "\naaaaaaaaaa then bbbbbbbbbb with changes then not on record\n" in report().text


def test_runs_of_other_settings_have_curves_of_their_own(
    write_run: Callable[..., FolderRun], report: Callable[..., Reader]
) -> None:
    for lr in (0.1, 0.2):
        for seed in (1, 2):
            write_run("qmix", seed, config={"lr": lr}, suffix=f"_{lr}")
    (figure,) = report().data
    assert [trace["name"] for trace in parts(figure, "centre")] == ["qmix, lr=0.1 (2)", "qmix, lr=0.2 (2)"]


def test_runs_that_must_not_be_compared_are_marked(
    write_run: Callable[..., FolderRun], report: Callable[..., Reader]
) -> None:
    write_run("qmix", 1, facts={"version": "4.10"})
    write_run("vdn", 1, facts={"version": "4.6"})
    page = report()
    assert [trace["name"] for trace in parts(page.data[0], "centre")] == ["qmix* (1)", "vdn* (1)"]
    assert "the game's version: 4.10 / 4.6" in page.text


def test_text_of_runs_is_text(
    write_run: Callable[..., FolderRun], report: Callable[..., Reader], results: Path
) -> None:
    run = write_run("qmix", 1, config={"name": EVIL, "lr": EVIL}, facts={EVIL: EVIL})
    write_run("vdn", 2, config={"lr": 1})
    session = {"command": EVIL, "hostname": EVIL, "started": EVIL, "git": {"commit": EVIL}, "cpu": EVIL}
    (Path(run.place) / "provenance.json").write_text(json.dumps({"sessions": [session]}))
    Path(run.place).rename(results / "<b>bold<b>")
    page = report("--title", EVIL)
    assert page.names.count("img") == 0
    assert page.names.count("b") == 1  # the title of the chart
    assert page.names.count("script") == 4  # the data, the library, its colours, the page's own
    assert EVIL in page.text
    assert "<b>bold<b>" in page.text


def test_media_are_in_the_page_until_it_is_full(
    write_run: Callable[..., FolderRun], report: Callable[..., Reader], tmp_path: Path
) -> None:
    write_runs(write_run)
    qmix, vdn = (tmp_path / "results" / f"{name}__3m__seed1" for name in ("qmix", "vdn"))
    for folder, name, size in (
        (qmix, "replays/one.mp4", 3000),
        (vdn, "replays/two.mp4", 9000),
        (qmix, "sacred/1/x.png", 10),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(bytes(size))
    Image.new("RGB", (8, 8)).save(qmix / "curve.png")
    (vdn / "secret.png").symlink_to("/etc/hostname")
    page = report("--media-mb", "0.005")
    assert [target.partition(";")[0] for target in page.targets if target.startswith("data:")] == [
        "data:video/mp4", "data:image/png",
    ]  # fmt: skip
    assert "1 picture" in page.text
    assert "Left out, 1 of 3 (--media-mb 0.005)" in page.text
    assert "vdn__3m__seed1/replays/two.mp4 (0.0 MB)" in page.text
    assert "one.mp4 (0.0 MB)" in report("--media-mb", "0.0035").text  # 3,000 bytes are 4,000 in base64
    assert not [target for target in report("--media-mb", "0").targets if target.startswith("data:")]


def test_a_folder_that_cannot_be_listed_does_not_stop_the_page(
    write_run: Callable[..., FolderRun], report: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run("qmix", 1)
    folder = Path(run.place)
    (folder / "replays").mkdir()
    Image.new("RGB", (8, 8)).save(folder / "curve.png")
    listed = Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name == "replays":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert "1 picture" in report().text


def test_runs_without_results_are_still_listed(
    write_run: Callable[..., FolderRun], report: Callable[..., Reader]
) -> None:
    write_run("qmix", 1, points=[], status={"state": "RUNNING"})
    page = report()
    assert not page.data
    assert "No run has logged a result" in page.text
    assert "qmix__3m__seed1" in page.text


def test_verdicts_of_papers_are_on_the_page(
    write_run: Callable[..., FolderRun], report: Callable[..., Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_runs(write_run)
    assert "What papers say" not in report().text
    found = [Verdicts("mine", ("", "says", "verdict"), (("1", "<qmix> is best", "true"),), ("measured so",))]
    monkeypatch.setattr("papers.commands.claims.verdicts", lambda runs: found)
    assert "\n<qmix> is best\n" in report().text
    monkeypatch.setattr(claims, "MODULE", "papers_that_are_not_installed")
    assert "What papers say" not in report().text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--out", "page.pdf"], "must end in .html"),
        (["--media-mb", "-1"], "must be 0 or more"),
        (["--level", "2"], "must lie between 0 and 1"),
        (["--metric", "los"], "no run has it"),
        (["--where", "seed=99"], "nothing to report"),
        (["--out", "/proc/nowhere/page.html"], "cannot be written"),
    ],
)
def test_mistakes(
    write_run: Callable[..., FolderRun],
    results: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    says: str,
) -> None:
    pytest.importorskip("plotly", reason="needs requirements/report.txt")
    write_runs(write_run)
    assert main(["report", str(results), *words]) == 2
    assert says in " ".join(capsys.readouterr().err.split())


def test_without_plotly_one_sentence_says_what_to_install(
    write_run: Callable[..., FolderRun],
    results: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_runs(write_run)
    monkeypatch.setitem(sys.modules, "plotly", None)
    assert main(["report", str(results)]) == 2
    assert "pip install -r requirements/report.txt" in capsys.readouterr().err


def test_there_is_a_dark_colour_for_each_light_one() -> None:
    assert len(charts.DARK) == len(COLOURS)


def test_markup_escapes_all_but_itself() -> None:
    assert element("p", "<", element("b", "&"), class_='"') == '<p class="&quot;">&lt;<b>&amp;</b></p>'
    assert '<td class="number">1.5k</td>' in table(["<a>", "b"], [["x", "1.5k"]])
    assert "<th>&lt;a&gt;</th>" in table(["<a>", "b"], [["x", "y"]])


@pytest.fixture
def opened(
    write_run: Callable[..., FolderRun], report: Callable[..., Reader], tmp_path: Path, browser: "Browser"
) -> Iterator[Callable[..., "Page"]]:
    """Opens the page of four ordinary runs and an evil one; nothing may be asked of a network, or go wrong."""
    write_runs(write_run)
    write_run("iql", 1, config={"name": EVIL})
    report("--aggregate", "mean")
    asked: list[str] = []
    wrong: list[str] = []
    contexts = []

    def open_page(width: int, scheme: str = "light") -> "Page":
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto((tmp_path / "new" / "page.html").as_uri())
        page.wait_for_selector(".plot .main-svg")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert wrong == []


def test_a_browser_draws_the_curves(opened: Callable[..., "Page"]) -> None:
    page = opened(1280)
    assert page.locator(".plot").count() == 1
    drawn = ".plot .scatterlayer .trace .js-line"
    assert page.locator(drawn).count() == 3 + 2  # curves, and the edges of bands
    known = page.evaluate(
        "document.querySelector('.plot').data.filter(one => one.meta.part === 'centre').map(one => [one.x, one.y])"
    )
    assert [[0, 100], [0, 2]] in known
    ends = page.evaluate(  # what the ends of the lines on the screen mean on the axis
        """Array.from(document.querySelectorAll('.plot .scatterlayer .js-line'), (line) => {
            const end = line.getPointAtLength(line.getTotalLength());
            return document.querySelector('.plot')._fullLayout.yaxis.p2l(end.y);
        })"""
    )
    lines = sorted(end for end in ends if end > 0.5)  # a band ends where it began, at 0
    assert lines == pytest.approx([1, 2, 2], abs=0.01)
    area = page.locator(".plot .nsewdrag").bounding_box()
    page.mouse.move(area["x"] + area["width"] - 4, area["y"] + 4)
    page.wait_for_function("document.querySelector('.plot .hoverlayer').textContent.includes('qmix (2): 2')")
    buttons = page.evaluate(
        "Array.from(document.querySelectorAll('.modebar-btn'), (one) => one.dataset.title)"
    )
    assert len(buttons) == 4
    assert not any("share" in title.lower() for title in buttons)
    page.check("#runs")
    page.wait_for_function(f"document.querySelectorAll({drawn!r}).length === {3 + 2 + 4}")
    assert page.evaluate("window.harm") is None
    assert EVIL.split("</script>")[0] in page.inner_text("main")


@pytest.mark.parametrize(("scheme", "paper"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 24, 28)")])
def test_both_schemes_and_a_phone(opened: Callable[..., "Page"], scheme: str, paper: str) -> None:
    page = opened(400, scheme)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == paper
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    colours = COLOURS if scheme == "light" else charts.DARK
    lines = page.evaluate(
        "document.querySelector('.plot').data.filter(one => one.meta.part === 'centre').map(one => one.line.color)"
    )
    assert lines == list(colours[:3])
    assert page.evaluate("document.querySelector('.plot').getBoundingClientRect().width") > 300
    assert (
        page.evaluate("document.querySelector('.plot .bglayer, .plot .plot').getBoundingClientRect().height")
        > 100
    )
