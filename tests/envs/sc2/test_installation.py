"""What is missing is said before anything is started, with the command that mends it."""

import ast
import os
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import ValidationError

from cohort.envs.sc2.env import StarCraft2
from cohort.envs.sc2.installation import check_installation
from cohort.envs.sc2.settings import StarCraft2Settings
from cohort.errors import UserError
from tests.envs.sc2.stand_in_installation import BUILD_4_6_2, make_installation

PACKAGES = ("smac", "pysc2", "s2clientprotocol", "absl", "portpicker", "websocket")
VERSIONS = """
from collections import namedtuple
Version = namedtuple("Version", "build_version")
VERSIONS = {"4.6.2": Version(69232), "4.10.0": Version(75689), "5.0.9": Version(87702)}
"""


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder that stands for site-packages: of smac and what it needs, only what is in it can be found."""
    folder = tmp_path / "site-packages"
    for name in PACKAGES:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("raise RuntimeError('imported in the main process')")
    (folder / "smac/env/starcraft2").mkdir(parents=True)
    (folder / "smac/env/starcraft2/starcraft2.py").touch()
    (folder / "pysc2/run_configs").mkdir()
    (folder / "pysc2/run_configs/lib.py").write_text(VERSIONS)
    hidden = [place for place in sys.path if not any((Path(place) / name).is_dir() for name in PACKAGES)]
    monkeypatch.setattr(sys, "path", [str(folder), *hidden])
    for name in list(sys.modules):
        if name.partition(".")[0] in PACKAGES:
            monkeypatch.delitem(sys.modules, name)
    return folder


@pytest.fixture
def game(tmp_path, monkeypatch):
    """An installed game."""
    folder = tmp_path / "game"
    monkeypatch.setenv("SC2PATH", make_installation(folder)["SC2PATH"])
    return folder


def refusal(**settings) -> str:
    with pytest.raises(UserError) as caught:
        check_installation(StarCraft2Settings(**settings))
    text = str(caught.value)
    assert "--env-config=sc2_sim" in text
    assert "docs/starcraft.md" in text
    assert len(text.splitlines()) < 10
    return text


def remove(path: Path) -> None:
    path.rename(path.with_name(f"no_{path.name}"))


def test_a_complete_installation_passes_and_nothing_is_imported(packages, game):
    check_installation(StarCraft2Settings(map_name="3m"))
    check_installation(StarCraft2Settings(map_name="27m_vs_30m", game_version="4.10"))
    assert not set(PACKAGES) & set(sys.modules)


def test_missing_smac(packages, game):
    remove(packages / "smac")
    text = refusal()
    assert "oxwhirl" in text
    assert "pip install --no-deps -r requirements/sc2.txt" in text


def test_the_other_package_called_smac(packages, game):
    (packages / "smac/env/starcraft2/starcraft2.py").unlink()
    text = refusal()
    assert str(packages / "smac") in text
    assert "AutoML" in text
    assert "pip uninstall smac" in text


@pytest.mark.parametrize("name", PACKAGES[1:])
def test_missing_packages_that_smac_needs(packages, game, name):
    remove(packages / name)
    assert f"not installed: {name}." in refusal()


def test_missing_game(packages, tmp_path, monkeypatch):
    monkeypatch.setenv("SC2PATH", str(tmp_path / "nowhere"))
    text = refusal()
    assert f"no StarCraft II in {tmp_path / 'nowhere'}" in text
    assert "./install_sc2.sh" in text
    monkeypatch.delenv("SC2PATH")
    monkeypatch.setenv("HOME", str(tmp_path))
    text = refusal()
    assert f"no StarCraft II in {tmp_path / 'StarCraftII'}" in text
    assert "$SC2PATH is not set" in text


def test_a_game_that_may_not_be_executed(packages, game, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may execute everything
    assert f"chmod +x {game}/Versions/Base75689/SC2_x64" in refusal()


def test_a_missing_map(packages, game):
    (game / "Maps/SMAC_Maps/MMM2.SC2Map").unlink()
    check_installation(StarCraft2Settings(map_name="MMM"))
    text = refusal(map_name="MMM2")
    assert str(game / "Maps/SMAC_Maps/MMM2.SC2Map") in text
    assert "./install_sc2.sh --maps-only" in text


def test_a_version_that_is_not_installed(packages, game):
    text = refusal(game_version="4.6.2")
    assert "env_args.game_version = '4.6.2': that version is not installed" in text
    assert f"Installed in {game}: 4.10.0;" in text
    assert "./install_sc2.sh --version" in text
    assert "knows no such version" in refusal(game_version="4.1")
    make_installation(game, builds=(BUILD_4_6_2,))
    check_installation(StarCraft2Settings(game_version="4.6.2"))
    assert "Installed in " + str(game) + ": 4.6.2, 4.10.0;" in refusal(game_version="5.0.9")


def test_the_environment_checks_before_it_starts_anything(packages, tmp_path, monkeypatch):
    monkeypatch.setenv("SC2PATH", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="no StarCraft II"):
        StarCraft2(StarCraft2Settings(), batch_size=2, seed=1)


def test_settings_have_smacs_names_and_defaults():
    smac = find_spec("smac")
    source = (
        Path(next(iter(smac.submodule_search_locations if smac else [""]))) / "env/starcraft2/starcraft2.py"
    )
    if not source.is_file():
        pytest.skip("oxwhirl's smac is not installed")
    classes = [node for node in ast.parse(source.read_text()).body if isinstance(node, ast.ClassDef)]
    (env,) = [node for node in classes if node.name == "StarCraft2Env"]
    (init,) = [node for node in env.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
    settings = StarCraft2Settings()
    for argument, default in zip(init.args.args[1:], init.args.defaults, strict=True):
        assert getattr(settings, argument.arg) == ast.literal_eval(default), argument.arg
    passed_on = {argument.arg for argument in init.args.args[1:]} - {"seed", "replay_dir", "replay_prefix"}
    assert set(settings.smac_arguments()) == passed_on


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"map_name": "3s5zz"}, "Did you mean '3s5z'"),
        ({"difficulty": "B"}, "must be one of 1, 2"),
        ({"difficulty": ""}, "must be one of 1, 2"),
        ({"replay_prefix": "a/b"}, "replay_dir"),
        ({"seed": 3}, "None"),
        ({"game_version": 4.1}, "string"),
        ({"reward_sparse": True, "reward_ader_sparse": True}, "exclude each other"),
    ],
)
def test_settings_that_are_refused(settings, words):
    with pytest.raises(ValidationError, match=words):
        StarCraft2Settings(**settings)
