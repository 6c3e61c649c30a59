"""Matrix games against their payoffs, played out in full."""

import itertools

import pytest
import torch

from cohort.envs.matrix_games import MatrixGames, MatrixGamesSettings
from cohort.envs.payoffs import GAMES, describe_matrix_games


def make(**arguments) -> MatrixGames:
    settings = MatrixGamesSettings(**arguments)
    payoffs = torch.tensor(settings.payoffs[0])
    return MatrixGames(settings, batch_size=payoffs.numel(), seed=1)


def joint_actions(env: MatrixGames) -> torch.Tensor:
    return torch.tensor(list(itertools.product(range(env.spec.n_actions), repeat=env.spec.n_agents)))


@pytest.mark.parametrize("name", [name for name, game in GAMES.items() if len(game.payoffs) == 1])
def test_one_step_games_pay_their_matrix_and_end(name):
    env = make(map_name=name)
    env.reset()
    actions = joint_actions(env)
    transition = env.step(actions)
    (matrix,) = GAMES[name].payoffs
    assert transition.reward.tolist() == [matrix[a][b] for a, b in actions.tolist()]
    assert transition.terminated.all()
    assert env.step(actions).reward.tolist() == [0.0] * len(actions)


def test_the_two_step_game_is_the_one_of_the_qmix_paper():
    """Both agents see the stage; agent 0 alone leads to 2A (a sure 7) or 2B (0, 1, 1, 8)."""
    for first, second in itertools.product(itertools.product(range(2), repeat=2), repeat=2):
        env = MatrixGames(MatrixGamesSettings(map_name="two_step"), batch_size=1, seed=1)
        start = env.reset()
        assert start.state.tolist() == [[1.0, 0.0, 0.0]]
        middle = env.step(torch.tensor([first]))
        assert middle.reward.tolist() == [0.0]
        assert not middle.terminated.any()
        stage = [0.0, 0.0, 0.0]
        stage[1 + first[0]] = 1.0
        assert middle.observation.state.tolist() == [stage]
        assert middle.observation.obs.tolist() == [[stage, stage]]
        end = env.step(torch.tensor([second]))
        assert end.terminated.all()
        assert end.reward.item() == (7.0 if first[0] == 0 else [[0, 1], [1, 8]][second[0]][second[1]])


def test_published_payoffs():
    """Written here a second time, from the papers, so that a slip of the pen in one place shows."""
    assert GAMES["climbing"].payoffs == ([[11, -30, 0], [-30, 7, 6], [0, 0, 5]],)
    assert GAMES["penalty"].payoffs == ([[-100, 0, 10], [0, 2, 0], [10, 0, -100]],)
    assert GAMES["nonmonotonic"].payoffs == ([[8, -12, -12], [-12, 0, 0], [-12, 0, 0]],)


def test_a_payoff_of_ones_own_may_have_any_number_of_agents():
    payoff = torch.arange(27.0).view(3, 3, 3)
    env = make(map_name="custom", payoff=payoff.tolist())
    assert (env.spec.n_agents, env.spec.n_actions, env.spec.episode_limit) == (3, 3, 1)
    env.reset()
    assert env.step(joint_actions(env)).reward.tolist() == list(range(27))
    lonely = make(map_name="custom", payoff=[1, 5, 3])
    assert (lonely.spec.n_agents, lonely.spec.n_actions) == (1, 3)


@pytest.mark.parametrize(
    "payoff",
    [
        [[1, 2], [3]], [[1, 2, 3], [4, 5, 6]], [[float("nan"), 0], [0, 0]], [[float("inf"), 0], [0, 0]],
        [], [[]], [["a"]], [[None]], [[[1]], 2], [[1, 2], [3, float("nan")]],
    ],
)  # fmt: skip
def test_payoffs_that_are_no_game_are_refused(payoff):
    with pytest.raises(ValueError, match="payoff"):
        MatrixGamesSettings(map_name="custom", payoff=payoff)


def test_games_of_a_batch_are_independent():
    settings = MatrixGamesSettings(map_name="two_step")
    together = MatrixGames(settings, batch_size=4, seed=1)
    together.reset()
    first, second = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]]), torch.tensor([[1, 1]] * 4)
    together.step(first)
    rewards = together.step(second).reward.tolist()
    for game in range(4):
        alone = MatrixGames(settings, batch_size=1, seed=1)
        alone.reset()
        alone.step(first[game : game + 1])
        assert alone.step(second[game : game + 1]).reward.tolist() == rewards[game : game + 1]


def test_every_game_is_described():
    assert set(describe_matrix_games()) == {*GAMES, "custom"}
