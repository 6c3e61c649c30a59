"""The package as it is installed, and that what is declared twice is declared alike."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cohort.program import program_name
from tests import harness

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def listed(path: Path) -> set[str]:
    """The requirements in a file and in the files that it names, in one spelling."""
    found: set[str] = set()
    for line in path.read_text().splitlines():
        line = re.sub(r"(^|\s)#.*", "", line).strip()
        if line.startswith("-r "):
            found |= listed(path.parent / line.removeprefix("-r "))
        elif line:
            found.add(str(Requirement(line)))
    return found


def declared(requirements: list[str]) -> set[str]:
    """The requirements of a list in pyproject.toml, extras of our own spelt out."""
    found: set[str] = set()
    for one in map(Requirement, requirements):
        if one.name == PROJECT["name"]:
            found = found.union(*(declared(EXTRAS[extra]) for extra in one.extras))
        else:
            found.add(str(one))
    return found


def test_requirements_are_those_of_the_package() -> None:
    assert listed(ROOT / "requirements.txt") == declared(PROJECT["dependencies"])


@pytest.mark.parametrize("extra", EXTRAS)
def test_requirements_of_an_extra_are_those_of_the_package(extra: str) -> None:
    base = declared(PROJECT["dependencies"]) if extra == "dev" else set()
    assert listed(FOLDER / f"{extra}.txt") == base | declared(EXTRAS[extra])


def test_exact_versions_lie_in_the_declared_ranges() -> None:
    lines = [line for line in (FOLDER / "constraints.txt").read_text().splitlines() if line[:1] != "#"]
    exact = {
        canonicalize_name(name): version for name, _, version in (line.partition("==") for line in lines)
    }
    assert all(exact.values())
    for one in map(Requirement, declared([*PROJECT["dependencies"], *EXTRAS["dev"]])):
        assert exact[canonicalize_name(one.name)] in one.specifier, one


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the wheel was unpacked, as pip does."""
    pytest.importorskip("hatchling", reason="needs requirements/dev.txt")
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = place.glob("cohort-*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(place / "site")
    return place / "site"


def started(site: Path, folder: Path, code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Python code in another folder, with the unpacked wheel in place of this checkout."""
    return subprocess.run(
        [sys.executable, "-c", code, *words], cwd=folder, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(site)},
    )  # fmt: skip


COMMAND = "import sys; from cohort.cli import main; sys.exit(main())"  # what the script `cohort` does
LOAD = (
    "import sys; from cohort.policy import load_policy; policy = load_policy(sys.argv[1]); "
    "print(policy.play(policy.make_env(games=2), episodes=2).returns.shape)"
)


def test_the_wheel_holds_the_package_and_nothing_beside_it(site: Path) -> None:
    assert {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")} == {"cohort"}
    assert (site / "cohort" / "config" / "default.yaml").is_file()
    assert (site / "cohort" / "modules" / "native" / "gru.c").is_file()
    for name in ("page.css", "page.js"):
        assert (site / "cohort" / "analysis" / "report" / name).is_file()
    sources = {path.relative_to(ROOT / "src") for path in (ROOT / "src" / "cohort").rglob("*.py")}
    assert {path.relative_to(site) for path in site.rglob("*.py")} == sources
    (scripts,) = site.glob("*.dist-info/entry_points.txt")
    assert "cohort = cohort.cli:main" in scripts.read_text()


def test_an_installed_package_trains_and_loads_from_any_folder(site: Path, tmp_path: Path) -> None:
    assert started(site, tmp_path, COMMAND, "--list").stdout == harness.run_py("--list").stdout
    words = harness.words("qmix", "matrix_games", "t_max=20 label=here")
    done = started(site, tmp_path, COMMAND, *words)
    assert done.returncode == 0, done.stderr
    folder = harness.only_run(tmp_path / "results")
    (session,) = json.loads((folder / "provenance.json").read_text())["sessions"]
    assert session["git"] is None, "an installed package is no checkout"
    loaded = started(site, tmp_path, LOAD, str(folder))
    assert loaded.stdout.splitlines()[-1] == "torch.Size([2])", loaded.stderr


def test_what_an_installed_package_lacks_is_said(site: Path, tmp_path: Path) -> None:
    assert "usage: cohort --config" in started(site, tmp_path, COMMAND, "--config=qmix").stderr
    figure = started(site, tmp_path, COMMAND, "figure", "adama-3")
    assert figure.returncode == 2
    assert " ".join(figure.stderr.split()) == (
        "error: The figures, tables and claims of papers come with Cohort's repository, not with the installed "
        "package. Type this in a clone of the repository: python run.py figure adama-3"
    )


@pytest.mark.parametrize(
    ("started_as", "name"),
    [("/opt/venv/bin/cohort", "cohort"), ("run.py", "python run.py"), ("mine.py", "python run.py")],
)
def test_messages_name_the_command_that_was_used(started_as: str, name: str) -> None:
    assert program_name(started_as) == name


def test_run_py_runs_from_any_folder(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), "--list"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, harness.run_py("--list").stdout)
