"""Nothing is declared in vain: every key of our files has a reader, every setting a value and code that reads it."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

from cohort import configuration
from cohort.configuration import files
from cohort.configuration.inheritance import read_chain
from cohort.configuration.layers import Sources
from cohort.configuration.plan import make_plan
from cohort.configuration.roles import PROVIDES, REQUIRES, ROLES
from cohort.configuration.run_settings import RunSettings
from cohort.configuration.updates import ENV_ARGS
from cohort.envs import MAPS
from cohort.settings import Settings

SOURCE = Path(configuration.__file__).resolve().parents[1]
# what an environment has a say in beside how long a run is and how often it is tested
ENVIRONMENTS_OWN = {"env", ENV_ARGS, "batch_size_run", "buffer_dtype"}
OURS = sorted(files.CONFIG_FOLDER.rglob("*.yaml"))


def settings_classes() -> list[tuple[str, type[Settings]]]:
    loaded = [
        (f"{role} {name}", registry.load(name))
        for role, registry in ROLES.items()
        for name in registry.entries
    ]
    return [("run", RunSettings), *((what, cls.Settings) for what, cls in loaded)]


def fields_read(text: str) -> set[str]:
    """Names read as `settings.x`, `<anything>.settings.x` or `plan.run.x`, and as `self.x` in settings classes."""
    tree = ast.parse(text)
    found = set()
    for node in ast.walk(tree):
        inside_settings = isinstance(node, ast.ClassDef) and node.name.endswith("Settings")
        for inner in ast.walk(node) if inside_settings else [node]:
            if not isinstance(inner, ast.Attribute) or not isinstance(inner.ctx, ast.Load):
                continue
            owner = inner.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", None)
            if name in {"settings", "run"} or (name == "self" and inside_settings):
                found.add(inner.attr)
    return found


def read_by(what: str, reader: type[Settings]) -> set[str]:
    """Fields that code near a settings class reads: in the packages of the class and of those it inherits from."""
    if "self.model_dump(" in inspect.getsource(reader):  # hands all its fields on, as smac's arguments
        return set(reader.model_fields)
    if what == "run":
        files_of_a_run = (
            "at_once.py",
            "experiment.py",
            "session.py",
            "assembly.py",
            "runners/env_factory.py",
        )
        return set().union(*(fields_read((SOURCE / name).read_text()) for name in files_of_a_run))
    packages = {
        cls.__module__.rpartition(".")[0] for cls in reader.__mro__ if cls.__module__.startswith("cohort.")
    }
    folders = [SOURCE.parent.joinpath(*package.split(".")) for package in packages - {"cohort"}]
    return set().union(*(fields_read(path.read_text()) for folder in folders for path in folder.glob("*.py")))


@pytest.mark.parametrize(("what", "reader"), settings_classes(), ids=lambda value: str(value))
def test_every_declared_field_is_read_by_code(what, reader):
    unread = set(reader.model_fields) - read_by(what, reader)
    assert not unread, f"declared in {reader.__name__} and read by nobody: {sorted(unread)}"


def test_the_search_for_unread_fields_finds_one():
    """The test above would be worthless if anything counted as reading."""
    text = (
        "class ASettings:\n    used: int\n    checked: int\n    unused: int\n"
        "    def check(self): return self.checked\n"
        "class A:\n    def __init__(self, settings): self.settings = settings; self.unused = 3\n"
        "    def go(self): return self.settings.used + self.unused\n"
    )
    assert fields_read(text) == {"used", "checked"}


def declared_keys() -> set[str]:
    roles = [cls for what, cls in settings_classes() if not what.startswith("env ")]
    return {key for cls in roles for key in cls.model_fields} | set(ROLES) | {ENV_ARGS}


def said_in(path: Path) -> list[tuple[dict[str, object], str | None]]:
    """The plain keys of one of our files, then those of its sections, each beside the class of its environment."""
    if path.parent.name not in ("algs", "families"):
        content = files.read(path)
        return [(content, content.get("env"))]
    own, named = read_chain(path)[-1], environments()
    return [
        (own.values, None),
        *((section.values, named.get(section.environment)) for section in own.sections),
    ]


def environments() -> dict[str, str]:
    """What sections may name -> the class."""
    classes = {name: name for name in ROLES["env"].entries}
    return classes | {
        name: files.read(files.find("--env-config", name))["env"] for name in files.names("--env-config")
    }


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_every_key_in_our_files_is_declared_by_some_settings(path):
    """So that no run has to look for the readers of keys that it does not read itself."""
    for content, env in said_in(path):
        assert set(content) <= declared_keys()
        if ENV_ARGS in content:
            assert set(content[ENV_ARGS]) <= set(ROLES["env"].load(env).Settings.model_fields)
    assert files.summary(path), "the first line says what the file is"


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_sections_of_our_files_name_our_environments_and_their_maps(path):
    if path.parent.name not in ("algs", "families"):
        return
    known = environments()
    for section in read_chain(path)[-1].sections:
        assert section.environment in known
        if section.task and section.task[0] == "map_name":
            module, _, function = MAPS[known[section.environment]].partition(":")
            assert section.task[1] in getattr(importlib.import_module(module), function)()


def test_every_setting_has_a_value_in_some_file():
    """Defaults are in YAML, where a reader looks for them; environments' arguments keep their own."""
    given = set().union(*(content for path in OURS for content, _ in said_in(path)))
    assert declared_keys() - given == set()


def test_default_yaml_holds_what_every_run_has():
    """What only some families read stands in `families/`."""
    given = set(files.read(files.DEFAULT_FILE))
    assert given == set(RunSettings.model_fields)
    for algorithm, env in (
        ("vdn", "sc2_sim"),
        ("adama", "clustering"),
        ("maac", "sc2_sim"),
        ("meta_mapg", "ipd"),
    ):
        assert given <= set(make_plan(Sources.read(algorithm, env, {})).config)


@pytest.mark.parametrize("name", files.names("--env-config"))
def test_an_environments_file_names_no_algorithms_key(name):
    own = set(files.read(files.find("--env-config", name)))
    assert own <= ENVIRONMENTS_OWN | set(RunSettings.model_fields)


def test_what_a_class_requires_is_required_of_a_role_and_said_in_tuples():
    """`requires_of_<something else>` or a bare word would be read by nobody."""
    for role, registry in ROLES.items():
        for name in registry.entries:
            cls = registry.load(name)
            said = [each for each in dir(cls) if each.startswith(REQUIRES)]
            assert {each.removeprefix(REQUIRES) for each in said} <= set(ROLES), (role, name)
            assert all(isinstance(getattr(cls, each, ()), tuple) for each in (*said, PROVIDES)), (role, name)
