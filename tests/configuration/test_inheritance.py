"""`extends` and `on`: which files and sections make an algorithm, and what is said of one that cannot be followed."""

from pathlib import Path

import pytest

from cohort.configuration import files
from cohort.configuration.inheritance import read_chain
from cohort.errors import UserError


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_chain_is_the_file_after_all_that_it_extends(tmp_path):
    write(tmp_path / "shared" / "base.yaml", "extends: qmix\nlr: 0.1\n")
    top = write(tmp_path / "mine" / "top.yaml", "extends: ../shared/base.yaml\nlr: 0.2\n")
    chain = read_chain(top)
    assert [each.path.stem for each in chain] == ["off_policy", "value", "qmix", "base", "top"]
    assert [each.is_family for each in chain] == [True, True, False, False, False]
    assert [dict(each.values) for each in chain[-2:]] == [{"lr": 0.1}, {"lr": 0.2}]


def test_a_name_is_one_of_ours_and_a_path_is_relative_to_the_file(tmp_path):
    """A file beside it that is called like one of ours is meant only by its whole name."""
    write(tmp_path / "value.yaml", "lr: 0.1\n")
    ours = read_chain(write(tmp_path / "a.yaml", "extends: value\n"))
    theirs = read_chain(write(tmp_path / "b.yaml", "extends: value.yaml\n"))
    absolute = read_chain(write(tmp_path / "c.yaml", f"extends: {tmp_path}/value.yaml\n"))
    assert ours[-2].path == files.FAMILIES / "value.yaml"
    assert [each.values for each in theirs] == [each.values for each in absolute] == [{"lr": 0.1}, {}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "extends: qmx",
            ["extends: qmx (in ", "top.yaml", "Did you mean 'qmix'", "value", "relative to this one"],
        ),
        ("extends: bsae.yaml", ["extends: bsae.yaml (in ", "there is no file", "Did you mean 'base.yaml'"]),
        ("extends: ../qmix.yaml", ["there is no file", "Did you mean 'qmix'"]),
        ("extends: [qmix, vdn]", ["must be the name of one file", "extends: qmix"]),
        ("extends:\n", []),
        ("extends: ''", ["must be the name of one file"]),
        ("extends: top.yaml", ["round in a circle: top.yaml > top.yaml"]),
        ("extends: circle.yaml", ["round in a circle: top.yaml > circle.yaml > top.yaml"]),
    ],
)
def test_what_cannot_be_followed_is_one_sentence(tmp_path, text, told):
    write(tmp_path / "base.yaml", "lr: 1\n")
    write(tmp_path / "circle.yaml", "extends: ./top.yaml\n")
    top = write(tmp_path / "top.yaml", text)
    if not told:
        assert len(read_chain(top)) == 1
        return
    with pytest.raises(UserError) as refused:
        read_chain(top)
    for part in told:
        assert part in str(refused.value)


def test_sections_are_taken_apart(tmp_path):
    text = """
on:
  rps: {gamma: 0.9, env_args: {n_agents: 3}}
  sc2_sim:
    lr: 0.1
    map_name:
      3m: {lr: 0.2}
      27m_vs_30m: {lr: 0.3}
  mamujoco:
    scenario:
      Ant: {lr: 0.4}
"""
    (only,) = read_chain(write(tmp_path / "top.yaml", text))
    assert only.values == {}
    assert {str(each): dict(each.values) for each in only.sections} == {
        "on rps": {"gamma": 0.9, "env_args": {"n_agents": 3}},
        "on sc2_sim": {"lr": 0.1},
        "on sc2_sim map_name=3m": {"lr": 0.2},
        "on sc2_sim map_name=27m_vs_30m": {"lr": 0.3},
        "on mamujoco": {},
        "on mamujoco scenario=Ant": {"lr": 0.4},
    }


@pytest.mark.parametrize(
    ("on", "told"),
    [
        ("3m", ["on = '3m' (in ", "top.yaml", "must be a mapping"]),
        ("{sc2_sim: 3}", ["on.sc2_sim = 3 (in ", "{gamma: 0.9}"]),
        ("{sc2_sim: {map_name: 3m}}", ["on.sc2_sim.map_name = '3m'", "map_name: {3m: {gamma: 0.9}}"]),
        ("{sc2_sim: {map_name: {3m: 4}}}", ["on.sc2_sim.map_name.3m = 4", "must be a mapping"]),
        ("{sc2_sim: {map_nam: {3m: {lr: 1}}}}", ["map_nam (in ", "on sc2_sim)", "Did you mean 'map_name'"]),
        ("{sc2_sim: {env_args: {map_name: 3m}}}", ["env_args.map_name (in ", "decides which sections apply"]),
        ("{sc2_sim: {env: sc2}}", ["env (in ", "decides which sections apply"]),
        ("{sc2_sim: {map_name: {3m: {map_name: 8m}}}}", ["map_name (in ", "decides which sections apply"]),
    ],
)  # fmt: skip
def test_a_malformed_section_is_named_with_its_place(tmp_path, on, told):
    top = write(tmp_path / "top.yaml", f"on: {on}\n")
    with pytest.raises(UserError) as refused:
        read_chain(top)
    for part in told:
        assert part in str(refused.value)


def test_families_extend_families_alone():
    """Their values stand below an environment's, an algorithm's above."""
    for path in files.FAMILIES.glob("*.yaml"):
        assert all(each.is_family for each in read_chain(path))
