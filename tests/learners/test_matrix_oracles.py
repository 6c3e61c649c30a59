"""Exact solutions of small games (QMIX paper, section 5 and appendix; MNMPG specification, oracles 7 and 8)."""

import itertools

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from cohort.learners.packed import PackedEpisodes
from tests.learners.enumeration import every_episode, experiment, fit, joint_values

FIRST = {"vdn": [[6.93, 6.93], [6.435, 6.435]], "qmix": [[6.93, 6.93], [7.92, 7.92]]}
AFTER_B = {"vdn": [[-1.5, 2.5], [2.5, 6.5]], "qmix": [[0.0, 1.0], [1.0, 8.0]]}


@pytest.mark.parametrize(
    ("algorithm", "greedy_return", "tolerance"),
    [("vdn", 7.0, 0.1), ("qmix", 8.0, 0.1), ("qmix_large", 8.0, 0.3)],
)
def test_two_step_game_with_full_exploration(algorithm, greedy_return, tolerance):
    flags = {"decoder_bn": False} if algorithm == "qmix_large" else {}
    trained = experiment(algorithm, "two_step", target_update_interval=50, lr=0.001, **flags)
    episodes = fit(trained, updates=2000)
    values = joint_values(trained, episodes).view(2, 2, 2, 2, 2)  # [a1, a2, then a1, a2, T]
    tables = FIRST["vdn" if algorithm == "vdn" else "qmix"], AFTER_B["vdn" if algorithm == "vdn" else "qmix"]
    first, after_b = (torch.tensor(table) for table in tables)
    expected = torch.empty(2, 2, 2, 2, 2)
    expected[..., 0] = first[:, :, None, None]
    expected[0, ..., 1] = 7.0
    expected[1, ..., 1] = after_b
    torch.testing.assert_close(values, expected, atol=tolerance, rtol=0)
    assert trained.evaluate()["test_return_mean"] == greedy_return


def test_vdn_on_the_nonmonotonic_matrix_is_the_least_squares_fit():
    trained = experiment("vdn", "nonmonotonic", lr=0.001)
    values = joint_values(trained, fit(trained, updates=1500)).view(3, 3)
    expected = torch.full((3, 3), -3.56)
    expected[0, :] = expected[:, 0] = -4.89
    expected[0, 0] = -6.22
    torch.testing.assert_close(values, expected, atol=0.05, rtol=0)


def test_qmix_misses_the_optimum_of_the_nonmonotonic_matrix():
    """Gradient descent pools 8 and the -12s to -8 (squared error 320/9) and takes one of the zeros for the best."""
    trained = experiment("qmix", "nonmonotonic", lr=0.001)
    episodes = fit(trained, updates=2500)
    values = joint_values(trained, episodes)
    error = (values - episodes.reward).square().mean()
    assert values.view(3, 3).argmax() != 0
    assert trained.evaluate()["test_return_mean"] == 0.0
    torch.testing.assert_close(error, torch.tensor(320 / 9), atol=0.3, rtol=0)
    table = values.view(3, 3)
    torch.testing.assert_close(table[1:, 1:], torch.zeros(2, 2), atol=0.3, rtol=0)
    pooled = torch.cat([table[0], table[1:, 0]])
    torch.testing.assert_close(pooled, torch.full((5,), -8.0), atol=0.4, rtol=0)


def test_iql_learns_the_mean_reward_of_its_own_action():
    trained = experiment("iql", "nonmonotonic", lr=0.001)
    episodes = every_episode(trained)
    fit(trained, updates=1200)
    with torch.no_grad():
        batch = PackedEpisodes.of(episodes, trained.learner.policy)
        chosen = batch.packing.padded(trained.learner.utilities(batch)[0])  # [9, 1, 2]
    mean = torch.tensor([-16 / 3, -4.0, -4.0])
    torch.testing.assert_close(chosen, mean[episodes.actions], atol=0.05, rtol=0)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("algorithm", "w", "others"),
    [("ow_qmix", 0.5, -4.0), ("ow_qmix", 0.1, -12 / 11), ("cw_qmix", 0.5, -6.0), ("cw_qmix", 0.1, -6.0)],
)
def test_weighted_qmix_finds_the_optimum_of_the_nonmonotonic_matrix(algorithm, w, others, seed):
    """The other eight cells come to one value: -12 a / (1 + a), the optimistic fit of as many -12s as 0s, or -6."""
    small = {"rnn_hidden_dim": 16, "central_mixing_embed_dim": 16}
    trained = experiment(
        algorithm, "nonmonotonic", seed=seed, w=w, lr=0.005, target_update_interval=20, **small
    )
    values = joint_values(trained, fit(trained, updates=400)).view(-1)
    assert values[0] == pytest.approx(8.0, abs=0.05)
    torch.testing.assert_close(values[1:], torch.full((8,), others), atol=0.05, rtol=0)
    assert trained.evaluate()["test_return_mean"] == 8.0


# --- what QMIX's mixer can represent: tables that rise with each action and whose increments grow


def least_error(payoff: np.ndarray, *, supermodular: bool) -> float:
    """The mean squared error of the best table that rises with each agent's action, over all orders of the actions.

    Tables that rise are sums, with weights of at least 0, of indicators of sets that are closed upwards; those whose
    increments also grow, of such sets that are corners {i >= k, j >= l}. A constant of either sign is free.
    """
    rows, columns = payoff.shape
    if supermodular:
        corners = itertools.product(range(rows), range(columns))
        sets = [np.logical_and.outer(np.arange(rows) >= k, np.arange(columns) >= m) for k, m in corners]
    else:
        falling = itertools.combinations_with_replacement(range(columns, -1, -1), rows)
        sets = [np.arange(columns) >= np.array(begins)[:, None] for begins in falling]
    basis = np.stack([each.ravel() for each in sets], axis=1).astype(float)
    basis = np.concatenate([basis, -np.ones((len(basis), 1))], axis=1)
    return min(
        nnls(basis, payoff[np.ix_(a, b)].ravel())[1] ** 2 / payoff.size
        for a in itertools.permutations(range(rows))
        for b in itertools.permutations(range(columns))
    )


def test_the_best_tables_by_enumeration():
    """The printed 32 of the monotone optimum of the matrix of 8 and -12 (8 and -6), and a table by hand."""
    matrix = np.array([[8.0, -12.0, -12.0], [-12.0, 0.0, 0.0], [-12.0, 0.0, 0.0]])
    assert least_error(matrix, supermodular=False) == pytest.approx(32.0)
    assert least_error(matrix, supermodular=True) == pytest.approx(32.0), "8 above a plain is supermodular"
    either = np.array([[0.0, 1.0], [1.0, 1.0]])
    assert least_error(either, supermodular=False) == pytest.approx(0.0)
    assert least_error(either, supermodular=True) == pytest.approx(1 / 16)


def test_qmix_cannot_hold_a_payoff_that_rises_but_saturates():
    """1 as soon as one agent acts: monotone, yet QMIX comes to no better than the sum, a mean squared error of 1/16."""
    custom = {"env_args": {"map_name": "custom", "payoff": [[0, 1], [1, 1]]}}
    trained = experiment("qmix", "custom", lr=0.005, rnn_hidden_dim=16, **custom)
    episodes = fit(trained, updates=500)
    values = joint_values(trained, episodes)
    torch.testing.assert_close(
        values.view(2, 2), torch.tensor([[0.25, 0.75], [0.75, 1.25]]), atol=0.03, rtol=0
    )
    error = float((values - episodes.reward).square().mean())
    assert 1 / 16 - 1e-6 <= error < 1 / 16 + 0.005


def test_qmix_holds_a_payoff_whose_increments_grow():
    custom = {"env_args": {"map_name": "custom", "payoff": [[0, 0], [0, 1]]}}
    trained = experiment("qmix", "custom", lr=0.005, rnn_hidden_dim=16, **custom)
    episodes = fit(trained, updates=500)
    torch.testing.assert_close(joint_values(trained, episodes), episodes.reward, atol=0.05, rtol=0)


def test_random_payoffs_are_held_worse_by_qmix_than_by_the_best_monotone_table():
    """QMIX's error is never below the best supermodular table's, which is above the best monotone one's."""
    draw = np.random.default_rng(0)
    payoffs = [draw.normal(size=(3, 3)) for _ in range(20)]
    monotone, supermodular = (
        [least_error(each, supermodular=which) for each in payoffs] for which in (False, True)
    )
    assert all(one <= other + 1e-9 for one, other in zip(monotone, supermodular, strict=True))
    assert np.mean(supermodular) > 1.5 * np.mean(monotone)
    for payoff, bound, below in list(zip(payoffs, supermodular, monotone, strict=True))[1:3]:
        custom = {"env_args": {"map_name": "custom", "payoff": payoff.tolist()}}
        trained = experiment("qmix", "custom", lr=0.005, rnn_hidden_dim=16, **custom)
        episodes = fit(trained, updates=400)
        error = float((joint_values(trained, episodes) - episodes.reward).square().mean())
        assert error >= bound - 1e-4 > below
