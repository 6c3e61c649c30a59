"""Papers are found by their folders, what they name is there, and the program does without them."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

import papers
from cohort.analysis.folders import FolderRun
from cohort.configuration.plan import Sources
from papers.evidence import TRUE
from papers.registry import CLAIMS, FIGURES, PAPERS, TABLES, found_papers, load
from papers.run_selector import RunSelector

ROOT = Path(__file__).resolve().parents[2]


def test_every_folder_with_a_paper_is_found() -> None:
    assert set(PAPERS) == {"adama", "ader", "mamt", "meta_mapg", "mnmpg"}
    assert {"adama-3", "ader-1", "ader-3_sc2", "meta_mapg-2", "meta_mapg-16"} <= set(FIGURES)
    assert set(CLAIMS) == {"adama", "ader", "mamt", "meta_mapg", "mnmpg"}


@pytest.mark.parametrize(
    ("noun", "registry", "name"),
    [
        (noun, registry, name)
        for noun, registry in (("figure", FIGURES), ("table", TABLES), ("paper", CLAIMS))
        for name in registry
    ],
)
def test_every_name_has_a_function(noun: str, registry: dict, name: str) -> None:
    assert callable(load(noun, registry, name))


def test_the_readmes_example_is_a_paper(
    write_run: Callable[..., FolderRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "papers" / "README.md").read_text(), re.DOTALL)
    folder = tmp_path / "my_paper"
    folder.mkdir()
    for name, block in zip(("__init__", "figures", "claims"), blocks, strict=True):
        (folder / f"{name}.py").write_text(block)
    monkeypatch.setattr(papers, "__path__", [*papers.__path__, str(tmp_path)])
    assert set(found_papers()["my_paper"].figures) == {"2"}
    runs = [
        write_run(
            method, seed, [(100 * place, {"test_return_mean": float(end)}) for place in range(4)],
            config=Sources.read(method, "sc2_sim", {}).merged() | {"seed": seed},
            env_args=Sources.read(method, "sc2_sim", {"env_args": {"map_name": "3m"}}).merged()["env_args"],
        )
        for method, end in (("qmix", 2.0), ("vdn", 1.0))
        for seed in (1, 2, 3)
    ]  # fmt: skip
    figure = import_module("papers.my_paper.figures").learning_curves(runs)
    assert [(panel.title, list(panel.curves)) for panel in figure.panels] == [("3m", ["QMIX", "VDN"])]
    (claim,) = import_module("papers.my_paper.claims").claims(runs)
    here, elsewhere = (row.finding(RunSelector(runs)) for row in claim.rows)
    assert (here.difference, here.seeds, here.verdict) == ("+1.000 ± 0.000", "1, 2, 3, paired", TRUE)
    assert elsewhere.verdict == "not run"


def test_no_module_of_the_program_imports_papers() -> None:
    importing = re.compile(r"^\s*(from|import) papers\b", re.MULTILINE)
    assert [path for path in (ROOT / "src").rglob("*.py") if importing.search(path.read_text())] == []


def test_without_the_repository_one_sentence_says_where_papers_are(tmp_path: Path) -> None:
    code = "import sys; from cohort.cli import main; sys.exit(main(['claims', 'adama', 'my results']))"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert said.startswith("error: The figures, tables and claims of papers come with Cohort's repository")
    assert said.endswith("python run.py claims adama 'my results'")
    assert "Traceback" not in said
