"""Exact solutions of small games (QMIX paper, section 5 and appendix; MNMPG specification, oracles 7 and 8)."""

import pytest
import torch

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


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(
    ("algorithm", "w", "others"),
    [("ow_qmix", 0.5, -4.0), ("ow_qmix", 0.1, -12 / 11), ("cw_qmix", 0.5, -6.0), ("cw_qmix", 0.1, -6.0)],
)
def test_weighted_qmix_finds_the_optimum_of_the_nonmonotonic_matrix(algorithm, w, others, seed):
    """The other eight cells come to one value: -12 a / (1 + a), the optimistic least squares fit of -12s and 0s, or -6."""
    small = {"rnn_hidden_dim": 32, "central_mixing_embed_dim": 32}
    trained = experiment(
        algorithm, "nonmonotonic", seed=seed, w=w, lr=0.002, target_update_interval=50, **small
    )
    values = joint_values(trained, fit(trained, updates=1500)).view(-1)
    assert values[0] == pytest.approx(8.0, abs=0.15)
    torch.testing.assert_close(values[1:], torch.full((8,), others), atol=0.4, rtol=0)
    assert trained.evaluate()["test_return_mean"] == 8.0
