"""The runs that the repository keeps: all can be read, and none says where it was made."""

import re
from pathlib import Path

import pytest

from cohort.analysis.folders import FolderRun, find_runs
from papers.registry import CLAIMS, kept_runs

ROOT = Path(__file__).resolve().parents[2]
PLACE = re.compile(r"(?<![\w:/])/(?:home|root|work|tmp|data|mnt|Users)\b|\"hostname\"")
KEPT = [folder for folder in sorted(ROOT.glob("*/*/runs")) if folder.is_dir()]


def test_each_paper_has_its_folder() -> None:
    assert {kept_runs(name).parent for name in CLAIMS} == {ROOT / "papers" / name for name in CLAIMS}
    assert kept_runs("mnmpg-3") == kept_runs("mnmpg")


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.parent.name)
def test_kept_runs_are_whole(folder: Path) -> None:
    for run in find_runs([folder]):
        assert isinstance(run, FolderRun)
        assert run.records, run.name
        assert run.sessions, run.name
        for path in run.folder.root.iterdir():
            assert not PLACE.search(path.read_text()), path
