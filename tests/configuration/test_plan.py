"""From files and typed words to settings: what wins, what is refused, and that nothing is declared in vain."""

import ast
import inspect
import itertools
from pathlib import Path

import pytest
import torch
import yaml
from pydantic import Field

from cohort import configuration
from cohort.cli import main
from cohort.configuration import files
from cohort.configuration.plan import ROLES, Layer, Sources, make_plan
from cohort.configuration.run_settings import RunSettings
from cohort.configuration.updates import ENV_ARGS, parse_updates
from cohort.errors import UserError
from cohort.experiment import Experiment
from cohort.settings import Settings
from tests import harness

SOURCE = Path(configuration.__file__).resolve().parents[1]
PAIRS = list(itertools.product(files.names("--config"), files.names("--env-config")))


def test_later_layers_win_and_env_args_merge():
    layers = [
        {"a": "default", "b": "default", "c": "default", "d": "default", ENV_ARGS: {"x": 0, "y": 0}},
        {"b": "env", "c": "env", "d": "env", ENV_ARGS: {"y": 1, "z": 1}},
        {"c": "alg", "d": "alg"},
        {"d": "typed", ENV_ARGS: {"z": 3}},
    ]
    sources = Sources(tuple(Layer(f"in {number}", values) for number, values in enumerate(layers)))
    expected = {"a": "default", "b": "env", "c": "alg", "d": "typed", ENV_ARGS: {"x": 0, "y": 1, "z": 3}}
    assert sources.merged() == expected
    assert [sources.origin(key) for key in "abcd"] == ["in 0", "in 1", "in 2", "in 3"]
    assert [sources.origin(key, ENV_ARGS) for key in "xyz"] == ["in 0", "in 1", "in 3"]
    assert layers[0][ENV_ARGS] == {"x": 0, "y": 0}, "merging must not change a layer"


def test_the_files_stand_in_the_order_default_environment_algorithm_typed(tmp_path):
    env, alg = tmp_path / "env.yaml", tmp_path / "alg.yaml"
    env.write_text("env: matrix_games\nenv_args: {map_name: climbing}\nseed: 2\nt_max: 2\nlr: 0.2\n")
    alg.write_text("learner: q_learner\nmixer: vdn\ndouble_q: False\nt_max: 3\nlr: 0.3\n")
    plan = make_plan(Sources.read(str(alg), str(env), {"lr": 0.4}))
    assert (plan.run.seed, plan.run.t_max, plan["learner"].settings.lr) == (2, 3, 0.4)
    assert plan["learner"].settings.gamma == 0.99  # default.yaml
    assert plan["env"].settings.map_name == "climbing"


@pytest.mark.parametrize(("alg", "env"), PAIRS)
def test_every_algorithm_resolves_on_every_environment_and_its_text_makes_the_same_plan(alg, env, tmp_path):
    plan = make_plan(Sources.read(alg, env, {}))
    assert set(plan.components) == {*plan["trainer"].cls.roles, *plan["learner"].cls.parts}
    text = plan.text()
    again = make_plan(Sources((Layer("in config.yaml", yaml.safe_load(text)),)))
    assert again == plan
    (tmp_path / "printed.yaml").write_text(text)
    as_file = make_plan(Sources.read(str(tmp_path / "printed.yaml"), env, {}))
    assert as_file == plan


def test_the_text_keeps_what_was_typed(tmp_path):
    typed = parse_updates(
        ["lr=1e-4", "t_max=2e6", "seed=12345678901", "label=x-1", "env_args.map_name=custom"]
    )
    typed[ENV_ARGS]["payoff"] = [[1.5, -2], [1e-7, 3]]
    plan = make_plan(Sources.read("qmix", "matrix_games", typed))
    (tmp_path / "config.yaml").write_text(plan.text())
    assert make_plan(Sources((Layer.of_file(tmp_path / "config.yaml"),))) == plan


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("t_max=2e6", lambda plan: (plan.run.t_max, 2_000_000)),
        ("t_max=2.0", lambda plan: (plan.run.t_max, 2)),
        ("t_max=1_000", lambda plan: (plan.run.t_max, 1000)),
        ("lr=1e-4", lambda plan: (plan["learner"].settings.lr, 1e-4)),
        ("lr=1", lambda plan: (plan["learner"].settings.lr, 1.0)),
        ("use_cuda=false", lambda plan: (plan.run.use_cuda, False)),
        ("use_cuda=TRUE", lambda plan: (plan.run.use_cuda, True)),
        ("label=7", lambda plan: (plan.run.label, "7")),
        ("label=a=b", lambda plan: (plan.run.label, "a=b")),
    ],
)
def test_what_is_plainly_meant_is_taken(typed, read):
    value, expected = read(make_plan(Sources.read("qmix", "matrix_games", parse_updates([typed]))))
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("-1e4", -1e4), ("1E5", 1e5), (".5e-3", 5e-4), ("1.e3", 1000.0), ("1_0e2", 1000.0),
        ("0.5", 0.5), ("3", 3), ("1e", "1e"), ("e5", "e5"), ("3m", "3m"), ("1e5m", "1e5m"), ("'1e-4'", "1e-4"),
        ("True", True), ("false", False),
    ],
)  # fmt: skip
def test_numbers_in_yaml_are_numbers(tmp_path, text, value):
    (tmp_path / "a.yaml").write_text(f"key: {text}\n")
    read = files.read(tmp_path / "a.yaml")["key"]
    assert read == value
    assert type(read) is type(value)


def test_yaml_may_be_empty_and_may_merge(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("# nothing\n")
    assert files.read(path) == {}
    path.write_text("base: &base {x: 1, y: 2}\nmore: {<<: *base, y: 3}\n")
    assert files.read(path)["more"] == {"x": 1, "y": 3}


def test_a_shared_file_may_hold_other_algorithms_keys_and_an_algorithm_may_not(tmp_path):
    env = tmp_path / "env.yaml"
    env.write_text("env: matrix_games\nenv_args: {map_name: climbing}\nmeta_interval: 10\n")
    assert "meta_interval" not in make_plan(Sources.read("qmix", str(env), {})).config
    env.write_text("env: matrix_games\nenv_args: {map_name: climbing}\nno_such_key: 10\n")
    with pytest.raises(UserError, match=r"unknown key 'no_such_key' \(= 10, in .*env.yaml\)"):
        make_plan(Sources.read("qmix", str(env), {}))


# --- nothing is declared in vain


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
        files_of_a_run = ("experiment.py", "session.py", "runners/games.py", "trainers/team.py")
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


@pytest.mark.parametrize("path", sorted(files.CONFIG_FOLDER.rglob("*.yaml")), ids=lambda path: path.name)
def test_every_key_in_our_files_is_declared_by_some_settings(path):
    content = files.read(path)
    assert set(content) <= declared_keys()
    if ENV_ARGS in content:
        assert set(content[ENV_ARGS]) <= set(ROLES["env"].load(content["env"]).Settings.model_fields)
    assert files.summary(path), "the first line says what the file is"


def test_every_setting_has_a_value_in_some_file():
    """Defaults are in YAML, where a reader looks for them; environments' arguments keep their own."""
    given = set().union(*(files.read(path) for path in files.CONFIG_FOLDER.rglob("*.yaml")))
    assert declared_keys() - given == set()


def test_settings_refuse_what_they_do_not_declare_and_never_change():
    class Mine(Settings):
        size: int = Field(ge=1)

    assert Mine(size=1).size == 1
    for wrong in ({"size": 1, "sise": 1}, {"size": "1"}, {"size": True}, {"size": 1.0}, {"size": 0}, {}):
        with pytest.raises(ValueError, match="Mine"):
            Mine(**wrong)
    with pytest.raises(ValueError, match="frozen"):
        Mine(size=1).size = 2


# --- outsiders

MINE = """
from pydantic import Field

from cohort.components.functional import masked_mean
from cohort.learners.base import Loss
from cohort.learners.value.q_learner import QLearner, QLearnerSettings


class MySettings(QLearnerSettings):
    my_weight: float = Field(ge=0, description="weight of the size of utilities")


class MyLearner(QLearner):
    Settings = MySettings

    def loss(self, episodes):
        plain = super().loss(episodes)
        utilities, _, _ = self.utilities(episodes)
        size = masked_mean(utilities.square(), episodes.mask.unsqueeze(-1))
        return Loss(plain.value + self.settings.my_weight * size, {**plain.metrics, "my_size": size.detach()})
"""


def test_a_learner_and_a_file_of_an_outsider_work_from_the_command_line(tmp_path, monkeypatch):
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "mine.py").write_text(MINE)
    alg = tmp_path / "mine.yaml"
    alg.write_text(
        "name: mine\nlearner: my_package.mine:MyLearner\nmixer: vdn\ndouble_q: True\nmy_weight: 1e-2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    typed = f"t_max=24 local_results_path={tmp_path}/results"
    assert main(harness.words(str(alg), "matrix_games", typed)) == 0
    run = harness.only_run(tmp_path / "results")
    assert any("my_size" in line["metrics"] for line in harness.metrics(run))
    assert main([f"--resume={run}", "with", "t_max=48"]) == 0
    assert harness.metrics(run)[-1]["t_env"] == 48


def test_what_an_outsiders_settings_refuse_is_a_message(tmp_path, monkeypatch):
    (tmp_path / "another_mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    typed = {"learner": "another_mine:MyLearner", "my_weight": -1}
    with pytest.raises(
        UserError, match=r"my_weight = -1 \(on the command line\): must be greater than or equal"
    ):
        make_plan(Sources.read("qmix", "matrix_games", typed))
    with pytest.raises(UserError, match="unknown key 'my_weight'"):
        make_plan(Sources.read("qmix", "matrix_games", {"my_weight": 1}))


def test_the_device_falls_back_to_the_cpu_with_a_word():
    said: list[str] = []
    subject = Experiment(make_plan(Sources.read("qmix", "matrix_games", {"use_cuda": False})), said.append)
    assert subject.device == torch.device("cpu")
    assert said[0] == "device: CPU"
