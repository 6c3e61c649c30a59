"""`teams`: how sides are written, which agents they get, and what is refused."""

import pytest

from cohort.configuration.plan import Sources, make_plan
from cohort.configuration.run_settings import RunSettings
from cohort.configuration.teams import SideSettings, members
from cohort.configuration.updates import parse_updates
from cohort.errors import UserError

TAG = ("adversary_0", "adversary_1", "adversary_2", "agent_0")


def settings(teams) -> dict[str, SideSettings]:
    plan = make_plan(Sources.read("iql", "rps", {"teams": teams}))
    again = RunSettings(**{key: plan.plain_config()[key] for key in RunSettings.model_fields})
    assert again.teams == plan.run.teams, "what a run's config.yaml says reads as it was typed"
    return plan.run.teams


def test_a_side_is_its_agents_or_a_mapping_that_says_more():
    teams = settings({"predators": "adversary_*", "prey": {"policy": "results/x", "greedy": False}})
    assert teams["predators"].agents == ["adversary_*"]
    assert teams["predators"].learns
    assert not teams["prey"].learns
    assert (teams["prey"].policy, teams["prey"].greedy, teams["prey"].agents) == ("results/x", False, [])
    assert settings({"a": 0, "b": [1, 2]})["b"].agents == [1, 2]


def test_sides_are_typed_with_dots():
    typed = parse_updates(["teams.one=0", "teams.two.copy_of=one", "teams.two.copy_interval=500"])
    assert settings(typed["teams"])["two"].copy_interval == 500


@pytest.mark.parametrize(
    ("teams", "agents"),
    [
        ({"predators": "adversary_*", "prey": "agent_0"}, {"predators": [0, 1, 2], "prey": [3]}),
        ({"prey": "agent_*", "predators": {"reward": "mean"}}, {"prey": [3], "predators": [0, 1, 2]}),
        ({"a": [2, "adversary_0"], "b": [3, 1]}, {"a": [0, 2], "b": [1, 3]}),
        ({"all": "*"}, {"all": [0, 1, 2, 3]}),
    ],
)
def test_agents_are_named_numbered_or_those_that_are_left(teams, agents):
    assert members(settings(teams), 4, TAG) == agents


@pytest.mark.parametrize(
    ("teams", "said"),
    [
        ({"a": [0, 1], "b": [1, 2, 3]}, "teams: adversary_1 would be on two sides."),
        ({"a": [0, 1], "b": 2}, "teams: agent_0 would be on no side."),
        ({"a": "*", "b": []}, "teams: no agent is left for b."),
        ({"a": "wolf_*", "b": []}, "teams.a.agents = 'wolf_*': there is no such agent."),
        ({"a": 4, "b": []}, "teams.a.agents = 4: there is no such agent. The game has the agents 0 to 3"),
    ],
)
def test_agents_that_do_not_come_out_are_named(teams, said):
    with pytest.raises(UserError) as refused:
        members(settings(teams), 4, TAG)
    assert said in str(refused.value)


def test_agents_without_names_have_numbers():
    assert members(settings({"all": "*"}), 2, ()) == {"all": [0, 1]}
    with pytest.raises(UserError, match="which have no names"):
        members(settings({"a": "agent_0", "b": 1}), 2, ())


@pytest.mark.parametrize(
    ("teams", "said"),
    [
        (5, "teams = 5 (on the command line): must be a mapping, as teams.prey=agent_0."),
        ({"a b": 0}, "'a b' is no name of a side"),
        ({"a": {"rewrad": "sum"}}, "a has no key 'rewrad'. Did you mean 'reward'?"),
        ({"a": {"reward": "max"}}, "teams.a.reward = 'max' (on the command line): must be 'sum', 'mean' or 'own'"),
        ({"a": {"policy": "x"}}, "no side learns"),
        ({"a": 0, "b": {"policy": "x", "copy_of": "a", "copy_interval": 1}}, "policy and copy_of both say who plays"),
        ({"a": 0, "b": {"copy_of": "a"}}, "copy_of and copy_interval, environment steps between two copies, go"),
        ({"aa": 0, "b": {"copy_of": "ab", "copy_interval": 1}}, "b.copy_of = 'ab' is no side that learns"),
        ({"a": {"greedy": False}}, "greedy belongs to policy or copy_of"),
        ({"a": {"load_step": 5}}, "load_step belongs to policy"),
        ({"a": {}, "b": {}}, "one side at most may leave out its agents"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_a_sentence(teams, said):
    with pytest.raises(UserError) as refused:
        make_plan(Sources.read("iql", "rps", {"teams": teams}))
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("algorithm", "env", "typed", "said"),
    [
        ("mnmpg", "matrix_games", {}, "teams and trainer = meta_mixing (in src/config/algs/mnmpg.yaml) do not fit"),
        ("meta_mapg", "rps", {}, "trainer can be: on_policy, off_policy, mixed_replay."),
        ("qmix", "sc2_sim", {"runner": "refilling"}, "runner=in_process"),
        ("iql", "pettingzoo", {}, "type env_args.common_reward=False"),
        ("iql", "rps", {"transfer_from": "results/x"}, "transfer_from takes over the networks of one team"),
    ],
)  # fmt: skip
def test_what_sides_do_not_go_with_is_refused_before_anything_is_built(algorithm, env, typed, said):
    with pytest.raises(UserError) as refused:
        make_plan(Sources.read(algorithm, env, {"teams": {"one": 0, "two": 1}, **typed}))
    assert said in str(refused.value)
