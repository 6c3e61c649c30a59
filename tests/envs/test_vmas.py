"""VMAS's scenarios beside VMAS itself, and what its worlds remember."""

import importlib.util

import pytest
import torch

from cohort.cli import main
from cohort.envs.vmas.env import Vmas, VmasSettings
from cohort.envs.vmas.snapshot import restore_snapshot, snapshot
from cohort.errors import UserError
from tests import harness
from tests.envs.test_contract import choose, play

B = 4
NEEDS_VMAS = pytest.mark.skipif(
    not all(importlib.util.find_spec(package) for package in Vmas.packages),
    reason="vmas is not installed",
)


def make(scenario: str = "balance", seed: int = 1, batch_size: int = B, **changed) -> Vmas:
    settings = {"continuous_actions": False, "episode_limit": 10, "common_reward": False} | changed
    return Vmas(VmasSettings(scenario=scenario, **settings), batch_size=batch_size, seed=seed)


@NEEDS_VMAS
@pytest.mark.parametrize("continuous", [False, True])
@pytest.mark.parametrize("scenario", ["navigation", "balance", "simple_world_comm", "wheel"])
def test_it_is_vmas_with_the_same_randomness_and_actions(scenario, continuous):
    import vmas

    env = make(scenario, continuous_actions=continuous, episode_limit=100)
    other = vmas.make_env(scenario, num_envs=B, continuous_actions=continuous)
    shared, before = env._shared_random, list(env._shared_random)
    drawn = list(env._random)
    sight = env.reset()
    shared[:] = drawn
    seen = other.reset()
    shared[:] = before
    draw = torch.Generator().manual_seed(0)
    over = torch.zeros(B, dtype=torch.bool)
    for _ in range(20):
        for agent, each in enumerate(seen):
            assert torch.equal(sight.obs[~over, agent, : each.shape[1]], each[~over])
            assert not sight.obs[:, agent, each.shape[1] :].any()
        assert torch.equal(sight.state[~over], torch.cat(seen, 1)[~over])
        actions = choose(sight.available_actions, draw, env.spec.action_dim)
        theirs = []
        for agent, space in enumerate(other.action_space):
            if not continuous:
                theirs.append(actions[:, agent : agent + 1].clone())
                continue
            low, high = torch.from_numpy(space.low), torch.from_numpy(space.high)
            theirs.append((low + high) / 2 + (high - low) / 2 * actions[:, agent, : len(low)])
        played = env.step(actions)
        seen, rewards, done, _ = other.step(theirs)
        sight = played.observation
        paid = torch.stack([each.view(-1) for each in rewards], 1)
        assert torch.equal(played.reward, paid.masked_fill(over[:, None], 0.0))
        over = over | done.view(-1)
        assert torch.equal(played.terminated, over)
        assert not played.truncated.any()


@NEEDS_VMAS
def test_unequal_agents_are_padded_and_masked():
    env = make("simple_speaker_listener")
    spec = env.spec
    assert (spec.n_agents, spec.n_actions, spec.obs_dim, spec.state_dim) == (2, 27, 11, 3 + 11)
    assert env.reset().available_actions[0].sum(1).tolist() == [27, 9]


@NEEDS_VMAS
def test_the_limit_truncates():
    last = play(make("navigation", episode_limit=6), 6)[-1]
    assert (last.truncated | last.terminated).all()
    assert last.truncated.any()


@NEEDS_VMAS
def test_rewards_become_the_teams_and_infos_are_the_agents_mean():
    own, team = (
        make("navigation", seed=3),
        make("navigation", seed=3, common_reward=True, reward_scalarisation="mean"),
    )
    for mine, ours in zip(play(own, 5), play(team, 5), strict=True):
        assert torch.equal(ours.reward, mine.reward.mean(1))
    told = make("navigation", info_keys=("pos_rew", "unheard_of"))
    info = play(told, 3)[-1].info
    assert info["pos_rew"].abs().sum() > 0
    assert not info["unheard_of"].any()


@NEEDS_VMAS
def test_worlds_in_one_process_do_not_draw_from_each_other():
    one, other = make("navigation", seed=3), make("navigation", seed=3)
    disturber = make("navigation", seed=5)
    first = play(one, 5)
    disturber.reset()
    for mine, theirs in zip(first, play(other, 5), strict=True):
        assert torch.equal(mine.observation.obs, theirs.observation.obs)
    assert not torch.equal(make("navigation", seed=4).reset().obs, make("navigation", seed=3).reset().obs)


@NEEDS_VMAS
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"scenario": "balanse"}, "env_args.scenario = 'balanse': VMAS has .*balance"),
        ({"kwargs": {"n_agents": "many"}}, "VMAS cannot make balance with these env_args"),
    ],
)
def test_what_vmas_does_not_have_is_refused_in_one_sentence(changed, words):
    with pytest.raises(UserError, match=words) as refusal:
        make(**changed)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", ["max_steps", "num_envs", "dict_spaces"])
def test_what_is_not_the_scenarios_is_no_argument_of_it(name):
    with pytest.raises(ValueError, match=rf"{name} is no argument of a scenario.*env_args\.episode_limit"):
        make(kwargs={name: 5})


@NEEDS_VMAS
def test_a_whole_run_is_resumed_in_the_same_games(tmp_path):
    text = (
        "env_args.scenario=navigation env_args.kwargs.n_agents=2 env_args.episode_limit=10 batch_size_run=8"
    )
    text += " test_nepisode=4 test_interval=80 log_interval=80 use_cuda=False"

    def run(name: str, *more: str) -> list[dict]:
        words = [*text.split(), f"local_results_path={tmp_path / name}", *more]
        assert main(["--config=mappo", "--env-config=vmas", "with", *words]) == 0
        return [line["metrics"] for line in harness.metrics(harness.only_run(tmp_path / name))]

    whole = run("whole", "t_max=320")
    run("parts", "t_max=160")
    folder = harness.only_run(tmp_path / "parts")
    assert main([f"--resume={folder}", "with", "t_max=320"]) == 0
    parts = [line["metrics"] for line in harness.metrics(folder)]
    assert whole[-1] == parts[-1]


class Thing:
    def __init__(self, start: float) -> None:
        self.place, self.count, self.goal, self.kept = torch.full((2,), start), int(start), None, []


def world(start: float, goal: int) -> list:
    things = [Thing(start), Thing(start + 1)]
    owner = Thing(start + 2)
    owner.goal, owner.kept = things[goal], {"now": torch.full((3,), start), Thing: 7}
    owner.same = things[0].place
    return [things, owner]


def test_a_snapshot_has_tensors_numbers_and_who_is_whose_goal():
    then, now = world(1.0, goal=1), world(5.0, goal=0)
    state = snapshot(then)
    then[0][0].place += 100  # it is a copy
    restore_snapshot(now, state, torch.device("cpu"))
    things, owner = now
    assert [thing.place.tolist() for thing in things] == [[1, 1], [2, 2]]
    assert [thing.count for thing in things] == [1, 2]
    assert owner.goal is things[1]
    assert owner.same is things[0].place
    assert owner.kept["now"].tolist() == [1, 1, 1]
    assert snapshot(now)["references"] == state["references"]
    with pytest.raises(ValueError, match="which this scenario does not have"):
        restore_snapshot([things[:1]], state, torch.device("cpu"))
