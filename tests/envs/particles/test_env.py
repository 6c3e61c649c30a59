"""What all particle worlds share: motion, starts, the end of an episode, state."""

import pytest
import torch

from tests.envs.particles.support import SCENARIOS, make, put, random_actions


def test_an_action_is_a_velocity_and_what_lies_outside_is_cut():
    env = make("going_together", v_step=0.25)
    put(env, agents=[(0.5, -1), (2, 3)], landmarks=[(0.1, 0.2)])
    env.step(torch.tensor([[[1.0, -0.5], [7.0, -3.0]]]))
    assert env.scene.agents.tolist() == [[[0.75, -1.125], [2.25, 2.75]]]
    assert env.scene.landmarks.flatten().tolist() == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("name", SCENARIOS)
def test_starts_fill_the_square_and_nothing_else(name):
    env = make(name, batch_size=4096, world_size=0.5)
    env.reset()
    places = env.positions(env.scene)
    assert places.abs().max() <= 0.5
    assert places.mean((0, 1)).abs().max() < 0.02
    assert places.std((0, 1)).tolist() == pytest.approx([0.5 / 3**0.5] * 2, rel=0.03)
    assert torch.corrcoef(places.flatten(1).T).fill_diagonal_(0).abs().max() < 0.08, "not independent"


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_limit_truncates_and_then_nothing_moves(name):
    env = make(name, batch_size=4, episode_limit=3)
    env.reset()
    played = [env.step(actions) for actions in random_actions(env, 5)]
    assert not any(transition.terminated.any() for transition in played)
    assert [transition.truncated.all().item() for transition in played] == [False, False, True, True, True]
    assert not played[1].truncated.any()
    assert [transition.reward.abs().sum().item() > 0 for transition in played[3:]] == [False, False]
    assert torch.equal(played[4].observation.state, played[2].observation.state)
    env.reset()
    assert not env.step(random_actions(env, 1)[0]).truncated.any()


def test_a_step_before_the_first_reset_is_refused():
    env = make("clustering")
    with pytest.raises(RuntimeError, match="reset"):
        env.step(random_actions(env, 1)[0])


@pytest.mark.parametrize("name", SCENARIOS)
def test_games_side_by_side_are_the_same_games_alone(name):
    games = make(name, batch_size=6)
    games.reset()
    fields = games.scene._asdict()
    alone = [put(make(name), **{field: places[i] for field, places in fields.items()}) for i in range(6)]
    for actions in random_actions(games, games.spec.episode_limit):
        together = games.step(actions)
        for i, env in enumerate(alone):
            own = env.step(actions[i : i + 1])
            assert torch.equal(own.observation.obs[0], together.observation.obs[i])
            assert torch.equal(own.observation.state[0], together.observation.state[i])
            assert torch.equal(own.reward[0], together.reward[i])


@pytest.mark.parametrize("name", SCENARIOS)
def test_another_seed_begins_elsewhere_and_another_episode_too(name):
    first, other = make(name, seed=3), make(name, seed=4)
    starts = [first.reset().state, first.reset().state, other.reset().state]
    assert len({tuple(start.flatten().tolist()) for start in starts}) == 3


@pytest.mark.parametrize("name", SCENARIOS)
def test_an_interrupted_game_goes_on_bit_for_bit_with_the_right_end(name):
    env = make(name, batch_size=3, seed=8)
    actions = random_actions(env, env.spec.episode_limit)
    env.reset()
    for action in actions[:2]:
        env.step(action)
    resumed = make(name, batch_size=3, seed=99)
    resumed.load_state_dict(env.state_dict())
    for action in actions[2:]:
        ours, theirs = env.step(action), resumed.step(action)
        assert torch.equal(ours.observation.obs, theirs.observation.obs)
        assert torch.equal(ours.reward, theirs.reward)
        assert torch.equal(ours.truncated, theirs.truncated)
    assert ours.truncated.all()
    assert torch.equal(env.reset().state, resumed.reset().state)


def test_actions_with_a_gradient_leave_none_in_the_game():
    env = make("clustering")
    env.reset()
    actions = random_actions(env, 1)[0].requires_grad_()
    transition = env.step(actions)
    assert not transition.observation.obs.requires_grad
    assert not transition.reward.requires_grad
