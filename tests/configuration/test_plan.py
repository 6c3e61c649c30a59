"""Plans: every algorithm on every environment, what is refused, what is imported, and outsiders' classes."""

import itertools
import json
import os
import subprocess
import sys

import pytest
import torch
import yaml

from cohort.cli import main
from cohort.configuration import files
from cohort.configuration.layers import Layer, Sources
from cohort.configuration.plan import make_plan
from cohort.configuration.roles import ROLES
from cohort.configuration.updates import ENV_ARGS, parse_updates
from cohort.errors import UserError
from cohort.experiment import Experiment
from tests import harness

ALL_PAIRS = list(itertools.product(files.names("--config"), files.names("--env-config")))
# methods that need more of an environment than games of a team -> the environments that have it
CHAINS = ("halfcheetah_dir", "ipd", "rps")
PARTICULAR = {
    "cheetah_teammates": ("halfcheetah_dir",),
    **dict.fromkeys(
        (
            "lola_dice",
            "meta_mapg",
            "meta_mapg_exact",
            "meta_mapg_no_own",
            "meta_mapg_om",
            "meta_mapg_own_constant",
        ),
        CHAINS,
    ),
    **dict.fromkeys(("meta_pg", "reinforce"), CHAINS),
}
PAIRS = [(alg, env) for alg, env in ALL_PAIRS if env in PARTICULAR.get(alg, (env,))]


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


@pytest.mark.parametrize(("alg", "env"), sorted(set(ALL_PAIRS) - set(PAIRS)))
def test_an_environment_that_lacks_what_a_method_needs_is_refused_with_those_that_have_it(alg, env):
    known = ", ".join(PARTICULAR[alg])
    with pytest.raises(UserError, match=rf"requires (chains|directions).*--env-config can be: {known}\.$"):
        make_plan(Sources.read(alg, env, {}))


def test_the_text_keeps_what_was_typed(tmp_path):
    typed = parse_updates(
        ["lr=1e-4", "t_max=2e6", "seed=12345678901", "label=x-1", "env_args.map_name=custom"]
    )
    typed[ENV_ARGS]["payoff"] = [[1.5, -2], [1e-7, 3]]
    plan = make_plan(Sources.read("qmix", "matrix_games", typed))
    (tmp_path / "config.yaml").write_text(plan.text())
    assert make_plan(Sources((Layer.of_file(tmp_path / "config.yaml"),))) == plan


def test_a_shared_file_may_hold_other_algorithms_keys_and_an_algorithm_may_not(tmp_path):
    env = tmp_path / "env.yaml"
    env.write_text("env: matrix_games\nenv_args: {map_name: climbing}\nmeta_interval: 10\n")
    assert "meta_interval" not in make_plan(Sources.read("qmix", str(env), {})).config
    env.write_text("env: matrix_games\nenv_args: {map_name: climbing}\nno_such_key: 10\n")
    with pytest.raises(UserError, match=r"unknown key 'no_such_key' \(= 10, in .*env.yaml\)"):
        make_plan(Sources.read("qmix", str(env), {}))


def test_a_section_is_checked_when_it_applies(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: vdn\non: {matrix_games: {gama: 0.5}, sc2_sim: {map_name: {3m: {gamma: 2}}}}\n")
    with pytest.raises(
        UserError, match=r"unknown key 'gama' \(= 0.5, in .*mine.yaml, on matrix_games\). Did you"
    ):
        make_plan(Sources.read(str(mine), "matrix_games", {}))
    with pytest.raises(
        UserError, match=r"gamma = 2 \(in .*mine.yaml, on sc2_sim map_name=3m\): must be less"
    ):
        make_plan(Sources.read(str(mine), "sc2_sim", {}))
    assert make_plan(Sources.read(str(mine), "sc2_sim", {ENV_ARGS: {"map_name": "8m"}}))


def test_what_a_file_extends_may_hold_keys_that_nobody_in_this_run_reads(tmp_path):
    """A file that chooses another mixer cannot leave out the keys that its base has for the old one."""
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: qmix\nname: mine\nmixer: vdn\n")
    assert make_plan(Sources.read(str(mine), "matrix_games", {}))["mixer"].name == "vdn"
    (tmp_path / "mine2.yaml").write_text("extends: mine.yaml\nmixing_embed_dim: 8\n")
    with pytest.raises(
        UserError, match=r"mixing_embed_dim = 8 \(in .*mine2.yaml\): no component of this run reads"
    ):
        make_plan(Sources.read(str(tmp_path / "mine2.yaml"), "matrix_games", {}))
    mine.write_text("extends: qmix\nno_such_key: 1\n")
    with pytest.raises(UserError, match=r"unknown key 'no_such_key' \(= 1, in .*mine.yaml\)"):
        make_plan(Sources.read(str(tmp_path / "mine2.yaml"), "matrix_games", {}))


@pytest.mark.parametrize("key", ["extends", "on"])
def test_only_an_algorithms_file_extends_and_has_sections(key):
    with pytest.raises(
        UserError, match=rf"{key} = 'qmix' \(on the command line\): .*only in an algorithm's file"
    ):
        make_plan(Sources.read("vdn", "matrix_games", {key: "qmix"}))


def test_a_file_that_extends_no_family_is_told_which_would_help(tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("learner: vdac_learner\nmixer: vdn\n")
    with pytest.raises(UserError, match=r"no trainer is chosen: .*`extends: <family>` with one of .*value"):
        make_plan(Sources.read(str(mine), "matrix_games", {}))
    mine.write_text("extends: off_policy\nlearner: q_learner\nmixer: vdn\n"
                    "head: utilities\nagent: rnn\naction_selector: epsilon_greedy\n")  # fmt: skip
    with pytest.raises(
        UserError, match=r"which no file gives: type .*; or extend a family that has it: .*value"
    ):
        make_plan(Sources.read(str(mine), "matrix_games", {}))


def test_a_run_older_than_a_key_is_told_the_line_to_add(tmp_path):
    config = dict(make_plan(Sources.read("vdn", "matrix_games", {})).config)
    del config["target_update_interval"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(
        UserError,
        match=r"older than: add a line .*config.yaml, as .*target_update_interval: 200 \(families/value.yaml",
    ):
        make_plan(Sources.of_run(tmp_path / "config.yaml", {}))


def test_a_plan_imports_the_components_of_its_run_alone():
    """In a process of its own, because this one has imported them all."""
    code = (
        "import json, sys; from cohort.configuration.layers import Sources; "
        "from cohort.configuration.plan import make_plan; make_plan(Sources.read('vdn', 'matrix_games', {})); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    path = os.pathsep.join([str(harness.ROOT / "src"), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    imported = set(json.loads(ended.stdout))
    config = make_plan(Sources.read("vdn", "matrix_games", {})).config
    chosen = {
        registry.entries[config[role]].partition(":")[0] for role, registry in ROLES.items() if role in config
    }
    for role, registry in ROLES.items():  # some share a registry: mixer and role_mixer
        modules = {target.partition(":")[0] for target in registry.entries.values()}
        assert modules & imported == modules & chosen, role
    learners = {name for name in imported if name.startswith("cohort.learners.")}
    assert len(learners) <= 11, sorted(learners)  # the family's, and what every learner is made of


# --- outsiders

MINE = """
from pydantic import Field

from cohort.learners.base import Loss
from cohort.learners.packed import PackedEpisodes
from cohort.learners.value.q_learner import QLearner, QLearnerSettings


class MySettings(QLearnerSettings):
    my_weight: float = Field(ge=0, description="weight of the size of utilities")


class MyLearner(QLearner):
    Settings = MySettings

    def loss(self, episodes):
        plain = super().loss(episodes)
        utilities, _ = self.utilities(PackedEpisodes.of(episodes, self.policy))
        size = utilities.square().mean()
        return Loss(plain.value + self.settings.my_weight * size, {**plain.metrics, "my_size": size.detach()})
"""


def test_a_learner_and_a_file_of_an_outsider_work_from_the_command_line(tmp_path, monkeypatch):
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "mine.py").write_text(MINE)
    alg = tmp_path / "mine.yaml"
    alg.write_text(
        "extends: value\nname: mine\nlearner: my_package.mine:MyLearner\nmixer: vdn\nmy_weight: 1e-2\n"
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
