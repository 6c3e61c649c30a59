"""What wins: files, sections and words of a configuration, and where each key says it comes from."""

import pytest

from cohort.configuration import files
from cohort.configuration.layers import Layer, Sources
from cohort.configuration.plan import make_plan
from cohort.configuration.updates import ENV_ARGS
from cohort.errors import UserError
from tests import harness


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
    alg.write_text("extends: value\nlearner: q_learner\nmixer: vdn\ndouble_q: False\nt_max: 3\nlr: 0.3\n")
    plan = make_plan(Sources.read(str(alg), str(env), {"lr": 0.4}))
    assert (plan.run.seed, plan.run.t_max, plan["learner"].settings.lr) == (2, 3, 0.4)
    assert plan["learner"].settings.gamma == 0.99  # the family's
    assert plan.run.test_nepisode == 32  # default.yaml
    assert plan["env"].settings.map_name == "climbing"


@pytest.fixture
def family(tmp_path, monkeypatch):
    """A family of the test's own, with a key for every layer above it."""
    folder = tmp_path / "families"
    folder.mkdir()
    (folder / "fam.yaml").write_text(
        "b: fam\nc: fam\nd: fam\ne: fam\nf: fam\ng: fam\nh: fam\ni: fam\nj: fam\n"
        "on: {world: {f: fam world, g: fam world, h: fam world, i: fam world, j: fam world,\n"
        "             map_name: {m1: {h: fam map, i: fam map, j: fam map}}}}\n"
    )
    monkeypatch.setattr(files, "FAMILIES", folder)
    (tmp_path / "world.yaml").write_text(
        "env: game\nenv_args: {map_name: m1}\nc: env\nd: env\ne: env\nj: env\n"
    )
    (tmp_path / "base.yaml").write_text(
        "extends: fam\nd: base\ne: base\nf: base\nj: base\n"
        "on: {world: {g: base world, map_name: {m1: {i: base map}, m2: {h: other map}}}, elsewhere: {b: no}}\n"
    )
    (tmp_path / "top.yaml").write_text("extends: base.yaml\ne: top\nf: top\non: {world: {h: top world}}\n")
    return tmp_path


def read(folder, **typed) -> Sources:
    return Sources.read(str(folder / "top.yaml"), str(folder / "world.yaml"), typed)


def test_family_environment_algorithm_sections_of_environment_and_map_then_typed(family):
    """Each key is given by the layer named in its value and by some below it."""
    flat = read(family, j="typed").merged()
    assert {key: flat[key] for key in "bcdefghij"} == {
        "b": "fam",
        "c": "env",  # above the family's plain values
        "d": "base",  # above the environment
        "e": "top",
        "f": "fam world",  # a section is above every plain value
        "g": "base world",
        "h": "fam map",  # a map's section is above every environment's
        "i": "base map",
        "j": "typed",
    }


def test_a_key_says_which_layer_decides_it(family):
    sources = read(family)
    assert sources.origin("c") == f"in {family}/world.yaml"
    assert sources.origin("e") == f"in {family}/top.yaml"
    assert sources.origin("g") == f"in {family}/base.yaml, on world"
    assert sources.origin("i") == f"in {family}/base.yaml, on world map_name=m1"


def test_the_typed_map_chooses_the_section(family):
    sources = read(family, env_args={"map_name": "m2"})
    assert sources.merged()["h"] == "other map"
    assert read(family, env_args={"map_name": "m3"}).merged()["h"] == "top world"


def test_a_section_may_name_the_class_of_an_environment_and_its_file_goes_before(tmp_path):
    """So that a file of one's own for an environment of ours still has what an algorithm says for it."""
    (tmp_path / "my_rps.yaml").write_text("env: repeated_games\nenv_args: {map_name: rps}\n")
    (tmp_path / "mine.yaml").write_text("extends: meta_mapg\n")
    sources = Sources.read(str(tmp_path / "mine.yaml"), str(tmp_path / "my_rps.yaml"), {})
    assert sources.merged()["inner_lr"] == Sources.read("meta_mapg", "rps", {}).merged()["inner_lr"] == 0.01
    (tmp_path / "mine.yaml").write_text(
        "extends: meta_mapg\non: {my_rps: {chains: 3}, repeated_games: {chains: 2, gamma: 0.5}}\n"
    )
    flat = Sources.read(str(tmp_path / "mine.yaml"), str(tmp_path / "my_rps.yaml"), {}).merged()
    assert flat["chains"] == 3
    assert flat["gamma"] == 0.9, "the family's for the map"


def test_a_run_that_goes_on_reads_no_section(tmp_path):
    plan = make_plan(Sources.read("adama", "cooperative_navigation", {"gamma": 0.5}))
    (tmp_path / "config.yaml").write_text(plan.text())
    sources = Sources.of_run(tmp_path / "config.yaml", {})
    assert len(sources.layers) == 3
    assert make_plan(sources) == plan


def test_env_args_must_be_a_mapping():
    with pytest.raises(
        UserError, match=r"env_args = '3m' \(in a\): must be a mapping, as env_args.map_name=3m"
    ):
        Sources((Layer("in a", {ENV_ARGS: "3m"}),)).merged()


def test_the_documentations_example_is_as_the_page_says(tmp_path):
    page = (harness.ROOT / "docs" / "configuration.md").read_text()
    path = tmp_path / "my_qmix.yaml"
    path.write_text(page.split("```yaml\n")[1].split("```")[0])

    def anneal_time(env: str, **env_args) -> int:
        plan = make_plan(Sources.read(str(path), env, {ENV_ARGS: env_args} if env_args else {}))
        assert plan["learner"].settings.lr == 0.0003
        return plan["action_selector"].settings.epsilon_anneal_time

    assert anneal_time("sc2_sim", map_name="27m_vs_30m") == 500000
    assert anneal_time("sc2_sim", map_name="8m") == 100000
    assert anneal_time("matrix_games") == 50000
