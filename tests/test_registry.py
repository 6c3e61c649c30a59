"""Registries: names, classes of outsiders, and what is said about a miss."""

import pytest

from cohort.configuration.roles import ROLES
from cohort.errors import UserError
from cohort.registry import Registry, known, nearest
from cohort.settings import Settings


@pytest.mark.parametrize(
    ("role", "name"), [(role, name) for role, registry in ROLES.items() for name in registry.entries]
)
def test_every_registered_name_is_a_class_with_settings(role, name):
    cls = ROLES[role].load(name)
    assert issubclass(cls.Settings, Settings)
    assert all(field.description for field in cls.Settings.model_fields.values())


def test_a_name_is_imported_only_when_it_is_chosen():
    registry = Registry(
        "mixer", {"broken": "no_such_module:Thing", "vdn": "cohort.modules.mixers.simple:VDNMixer"}
    )
    assert registry.load("vdn").__name__ == "VDNMixer"
    with pytest.raises(UserError, match="cannot be imported: ModuleNotFoundError"):
        registry.load("broken")


def test_code_of_outsiders_that_fails_is_named_with_its_error(tmp_path, monkeypatch):
    (tmp_path / "bad_syntax.py").write_text("class Mine(:\n")
    (tmp_path / "bad_import.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = Registry("learner", {})
    with pytest.raises(UserError, match=r"SyntaxError.*bad_syntax\.py, line 1"):
        registry.load("bad_syntax:Mine")
    with pytest.raises(UserError, match="ZeroDivisionError"):
        registry.load("bad_import:Mine")


def test_only_a_failing_import_blames_a_missing_package():
    registry = Registry("env", {"smac": "no_such_game:Env"}, {"smac": "requirements/smac.txt"})
    with pytest.raises(
        UserError, match=r"'no_such_game', which is not installed.\nInstall it: pip install -r req"
    ):
        registry.load("smac")


def test_nearest_proposes_what_is_close_and_nothing_else():
    assert nearest("qmx", ["qmix", "vdn"]) == " Did you mean 'qmix'?"
    assert nearest("zzzz", ["qmix", "vdn"]) == ""


def test_a_name_that_is_none_of_the_known_is_refused_with_the_nearest_if_it_is_near_and_all():
    maps = {"8m": 1, "8m_vs_9m": 2}
    assert known("8m", "map", maps, "SMAC's maps") == "8m"
    with pytest.raises(
        ValueError, match=r"^unknown map '8m_v_9m'\. Did you mean '8m_vs_9m'\? SMAC's maps: 8m, 8m_vs_9m$"
    ):
        known("8m_v_9m", "map", maps, "SMAC's maps")
    with pytest.raises(ValueError, match=r"^unknown map 'corridor'\. SMAC's maps: 8m, 8m_vs_9m$"):
        known("corridor", "map", maps, "SMAC's maps")
