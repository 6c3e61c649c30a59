"""Payoffs, states and horizons of the repeated games."""

from itertools import product

import pytest
import torch
from pydantic import ValidationError

from cohort.envs.repeated_games import (
    RepeatedGames,
    RepeatedGamesSettings,
    prisoners_dilemma,
    rock_paper_scissors,
)


def make(batch_size: int = 2, **settings) -> RepeatedGames:
    return RepeatedGames(RepeatedGamesSettings(**settings), batch_size=batch_size, seed=0)


@pytest.mark.parametrize(
    ("actions", "state", "reward"),
    [
        ("DD", 1, (-0.5, -0.5)),
        ("DC", 2, (1.5, -1.5)),
        ("CD", 3, (-1.5, 1.5)),
        ("CC", 4, (0.5, 0.5)),
    ],
)
def test_the_prisoners_dilemma_is_table_1(actions, state, reward):
    """The first letter is agent 0's; action 0 defects."""
    game = prisoners_dilemma()
    joint = torch.tensor([["DC".index(letter) for letter in actions]])
    following = game.next_state(joint)
    assert following.tolist() == [state]
    assert game.reward(following).tolist() == [list(reward)]
    assert game.joint_actions[state - 1].tolist() == joint[0].tolist()
    assert game.n_states == 5


def test_rock_paper_scissors_is_table_2():
    game = rock_paper_scissors(2)
    table = [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]
    for row, column in product(range(3), repeat=2):
        following = game.next_state(torch.tensor([row, column]))
        assert int(following) == 1 + 3 * row + column
        assert game.reward(following).tolist() == [table[row][column], -table[row][column]]


@pytest.mark.parametrize(("n_agents", "n_states"), [(2, 10), (3, 28), (4, 82)])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_with_more_players_rewards_sum_to_zero_and_names_of_actions_do_not_matter(
    n_agents, n_states, reduction
):
    game = rock_paper_scissors(n_agents, reduction)
    assert game.n_states == n_states
    assert game.payoff.shape == (3**n_agents, n_agents)
    torch.testing.assert_close(game.payoff.sum(dim=1), torch.zeros(3**n_agents), atol=1e-6, rtol=0)
    joint = torch.tensor(list(product(range(3), repeat=n_agents)))
    assert torch.equal(game.joint_actions, joint)
    assert torch.equal(game.next_state(joint), torch.arange(1, n_states))
    turned = game.next_state((joint + 1) % 3)
    assert torch.equal(game.reward(turned), game.payoff)
    torch.testing.assert_close(game.payoff.mean(dim=0), torch.zeros(n_agents), atol=1e-6, rtol=0)
    most = n_agents - 1 if reduction == "sum" else 1
    assert float(game.payoff.max()) == most


def test_three_players_by_hand():
    """Rock, scissors, scissors: the rock beats two."""
    game = rock_paper_scissors(3)
    assert game.reward(game.next_state(torch.tensor([0, 2, 2]))).tolist() == [2.0, -1.0, -1.0]


def test_everybody_sees_the_same_state_and_has_a_reward_of_its_own():
    env = make(map_name="ipd", episode_limit=3)
    first = env.reset()
    assert first.obs.argmax(-1).tolist() == [[0, 0], [0, 0]]
    after = env.step(torch.tensor([[0, 1], [1, 1]]))
    assert after.observation.obs.argmax(-1).tolist() == [[2, 2], [4, 4]]
    assert after.reward.tolist() == [[1.5, -1.5], [0.5, 0.5]]


def test_a_match_is_cut_at_its_horizon_and_never_ends():
    env = make(map_name="rps", episode_limit=2)
    env.reset()
    joint = torch.tensor([[0, 2], [1, 0]])
    assert [env.step(joint).truncated.tolist() for _ in range(2)] == [[False, False], [True, True]]
    frozen = env.step(joint)
    assert frozen.reward.abs().max() == 0
    assert not frozen.terminated.any()


def test_a_dilemma_of_three_is_refused():
    with pytest.raises(ValidationError, match="n_agents=2"):
        RepeatedGamesSettings(map_name="ipd", n_agents=3, episode_limit=5)
