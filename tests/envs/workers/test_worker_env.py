"""`WorkerEnv` over small games: one environment outside, supervised processes inside."""

import os
import time

import pytest
import torch

from cohort.envs.workers.env import WorkerEnv
from tests.envs.test_contract import (  # noqa: F401  the contract, asked of the games below
    play,
    snapshot,
    test_an_ended_game_is_frozen_and_pays_nothing,
    test_an_episode_ends_once_by_termination_or_truncation_within_the_limit,
    test_no_environment_draws_from_or_seeds_the_global_generator,
    test_reset_begins_a_new_episode_in_every_game,
    test_shapes_and_types_are_those_of_the_spec,
    test_the_same_seed_plays_the_same_games,
    test_the_spec_never_changes,
    test_the_state_of_another_number_of_games_is_refused,
    test_what_was_handed_out_is_never_written_to_again,
)
from tests.envs.workers.games import SLOW
from tests.envs.workers.support import actions_of, build, pids

B, N = 5, 2


@pytest.fixture
def make(walkers):
    """For the contract: environments that share processes where they can."""
    built = []

    def make(batch_size: int = B, seed: int = 1) -> WorkerEnv:
        if batch_size == B:
            return walkers.sharing_workers(seed)
        built.append(build(batch_size, seed))
        return built[-1]

    yield make
    for env in built:
        env.close()


def seeds(observation) -> list[int]:
    """The seed that each game was given, which `Walk` shows as its state."""
    parts = observation.state.to(torch.int64).tolist()
    return [sum(part << shift for part, shift in zip(row, (0, 16, 32, 48), strict=True)) for row in parts]


def test_every_episode_of_every_game_has_a_seed_of_its_own(walkers):
    seen = [seeds(walkers.sharing_workers(seed).reset()) for seed in (4, 5)]
    env = walkers.sharing_workers(4)
    episodes = [seeds(env.reset()) for _ in range(3)]
    assert episodes[0] == seen[0]
    everything = [seed for row in [*episodes, seen[1]] for seed in row]
    assert len(set(everything)) == 4 * B
    assert all(0 <= seed < 2**63 for seed in everything)


def test_games_step_at_the_same_time(walkers):
    env = walkers.sharing_workers(0)
    env.reset()
    start = time.monotonic()
    env.step(torch.full((B, N), SLOW))
    assert time.monotonic() - start < 3 * 0.4


def test_workers_are_light_and_alone(walkers):
    facts = walkers.facts()
    assert facts["version"] == 7
    assert (facts["torch"], facts["threads"], facts["colour"]) == ("False", "1", "")
    assert len(set(str(facts["tmpdir"]).split(", "))) == B
    groups = [answer.split()[:2] for answer in str(facts["pids"]).split(", ")]
    assert all(pid == group for pid, group in groups), "a worker leads its own group"
    with build(1, recipe={"environment": {"COLOUR": "red"}}) as env:
        assert env.facts()["colour"] == "red"
    assert "COLOUR" not in os.environ


def test_twins_play_on_the_same_processes_with_games_of_their_own(walkers):
    first = walkers.sharing_workers(8)
    second = first.sharing_workers(9)
    assert second.spec == first.spec
    assert pids(first) == pids(second)
    first.reset()
    expected = [snapshot(each) for each in play(first, 5)]
    second.reset()
    with pytest.raises(RuntimeError, match="reset"):
        first.step(actions_of())
    play(second, 3)
    again = walkers.sharing_workers(8)
    again.reset()
    for ours, theirs in zip(expected, play(again, 5), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(ours, snapshot(theirs), strict=True))


def test_the_state_is_where_the_seeds_stand(walkers):
    env, other = walkers.sharing_workers(3), walkers.sharing_workers(77)
    for _ in range(3):
        env.reset()
    state = env.state_dict()
    expected = seeds(env.reset())
    other.reset()
    other.load_state_dict(state)
    with pytest.raises(RuntimeError, match="reset"):
        other.step(actions_of())
    assert seeds(other.reset()) == expected
    assert state == env.sharing_workers(3).state_dict() | {"episode": 3}


def test_actions_of_another_shape_are_refused(walkers):
    walkers.reset()
    with pytest.raises(ValueError, match=r"\(5, 2\), not \(4, 2\)"):
        walkers.step(actions_of(4))


def test_the_limit_can_truncate():
    with build(1, truncates=True, limit=2) as env:
        last = play(env, 2)[-1]
        assert last.truncated.all()
        assert not last.terminated.any()
        assert not last.spoiled.any()


def test_info_is_final_once_a_game_has_ended(walkers):
    env = walkers.sharing_workers(1)
    for step, transition in enumerate(play(env, 7), start=1):
        assert transition.info["steps"].tolist() == [min(step, 5)] * B


def test_continuous_actions_and_rewards_of_ones_own():
    with build(2, game="Push") as env:
        assert env.reset().available_actions.shape == (2, 3, 0)
        actions = torch.linspace(-1, 1, 12).view(2, 3, 2)
        for step in range(1, 5):
            transition = env.step(actions)
            assert torch.allclose(transition.reward, step * actions.sum(2))
            assert torch.allclose(transition.observation.obs, step * actions)
        assert transition.truncated.all()
        assert (env.step(actions).reward == 0).all()


def test_replays_are_written_by_every_game(walkers, tmp_path):
    walkers.reset()
    paths = walkers.save_replay(tmp_path / "new" / "replays")
    assert [path.name for path in paths] == [f"game{game}.txt" for game in range(B)]
    assert all(path.is_file() for path in paths)
