"""Shares of H_0 by hand: the simplex, their direction, their ranges, and the paper's Table 1."""

import math

import pytest
import torch

from cohort.configuration.plan import Sources, make_plan
from cohort.envs.base import EnvSpec
from cohort.learners.factored.target_entropies import TargetEntropies, maximum_entropy, shares
from tests.builders import PLANE, SMALL, make_learner

# H_0 by map: N, A, H_0 (Table 1 with the whole number of actions)
TABLE = {
    "1c3s5z": (9, 15, 1.2186),
    "3m": (3, 9, 0.6592),
    "8m": (8, 14, 2.1112),
    "3s5z": (8, 14, 1.0556),
    "3s_vs_3z": (3, 9, 0.6592),
    "5m_vs_6m": (5, 12, 1.8637),
    "MMM2": (10, 18, 2.8904),
    "8m_vs_9m": (8, 15, 2.1664),
}


def entropies(n_agents: int = 3, **typed) -> TargetEntropies:
    return make_learner("ader", EnvSpec(n_agents, 4, 5, 6, 8), **typed).target_entropies


def gains(rows: int = 20, n_agents: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(rows, n_agents, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("env", ["sc2_sim", "sc2"])
@pytest.mark.parametrize("map_name", TABLE)
def test_the_sum_of_target_entropies_is_table_1s(env, map_name):
    n_agents, n_actions, expected = TABLE[map_name]
    settings = make_plan(Sources.read("ader", env, {"env_args": {"map_name": map_name}}))["learner"].settings
    spec = EnvSpec(n_agents, n_actions, 1, 1, 1)
    assert maximum_entropy(settings, spec) == pytest.approx(expected, abs=5e-5)
    xi, start = {"5m_vs_6m": (0.5, -3), "MMM2": (0.9, -2.5)}.get(map_name, (0.9, None))
    assert settings.ema_xi == xi
    assert start is None or settings.log_alpha_init == start


@pytest.mark.parametrize(
    ("n_actions", "expected"),
    [(7, 1.9459), (9, 2.1972), (12, 2.4849), (14, 2.6391), (15, 2.7081), (18, 2.8904)],
)
def test_with_k_ratio_1_every_agent_is_asked_for_equal_chances(n_actions, expected):
    target = make_learner("ader", EnvSpec(2, n_actions, 5, 6, 8), k_ratio=1.0).target_entropies
    torch.testing.assert_close(target.values, torch.full((2,), expected), atol=5e-5, rtol=0)


@pytest.mark.parametrize(
    ("env", "spec", "total"),
    [
        ("mamujoco", EnvSpec(6, 0, 4, 17, 1000, action_dim=1), -6.0),
        ("h_predator_prey", EnvSpec(3, 0, 24, 72, 50, action_dim=2), -6.0),
        ("continuous_matrix_game", EnvSpec(2, 0, 2, 2, 1, action_dim=1), -2.0),
    ],
)
def test_continuous_tasks_ask_for_minus_one_a_dimension(env, spec, total):
    settings = make_plan(Sources.read("ader", env, {}))["learner"].settings
    assert maximum_entropy(settings, spec) == total
    assert (settings.ema_xi, settings.log_alpha_init, settings.tau_b) == (0.9, -2.0, 1.0)


@pytest.mark.parametrize("norm", ["max", "sum", "zscore", "none"])
@pytest.mark.parametrize("average", ["softmax_of_mean", "mean_of_softmax"])
@pytest.mark.parametrize("form", ["code", "paper", "none"])
def test_shares_stay_on_the_simplex_and_sum_to_h_0(norm, average, form):
    target = entropies(norm=norm, beta_avg=average, ema_form=form)
    for seed in range(30):
        target.update(gains(seed=seed) * 10 ** (seed % 5 - 2))
        assert (target.shares >= 0).all()
        assert float(target.shares.sum()) == pytest.approx(1, abs=1e-6)
        assert float(target.values.sum()) == pytest.approx(target.total, rel=1e-6)


@pytest.mark.parametrize("total", [2.0, -2.0, 0.66])
@pytest.mark.parametrize("gain", [[0.1, 1.0, 3.0], [5.0, 4.0, 0.0], [2.0, 0.5, 1.0]])
def test_who_contributes_least_gets_the_highest_entropy_and_reversed_the_lowest(total, gain):
    gain = torch.tensor(gain)
    for reverse in (False, True):
        beta = shares(gain, total, norm="max", tau_b=1.0, reverse=reverse)
        order = (beta * total).argsort(descending=not reverse)
        assert order.tolist() == gain.argsort().tolist()


@pytest.mark.parametrize(
    ("norm", "tau_b", "ratio", "lower", "higher"),
    [
        ("max", 1.0, 0.0, -1.462, -0.538),
        ("sum", 1.0, 0.0, -1.462, -0.538),
        ("max", 1.0, 0.381, -1.3, -0.7),
        ("sum", 1.0, 1 / 4.25, -1.3, -0.7),
        ("zscore", 1.0, 0.0, -1.762, -0.238),
        ("zscore", 1.0, 0.9, -1.762, -0.238),
        ("max", 0.1, 0.0, -2.0, 0.0),
    ],
)
def test_ranges_of_two_agents_that_share_minus_two(norm, tau_b, ratio, lower, higher):
    """The agents' contributions stand in this ratio; no more than `ratio` 0 is possible."""
    gain = 100 * torch.tensor([ratio, 1.0], dtype=torch.float64)
    found = -2 * shares(gain, -2.0, norm=norm, tau_b=tau_b)
    torch.testing.assert_close(found, torch.tensor([higher, lower]).double(), atol=2e-3, rtol=0)


def test_averages_of_shares_by_hand():
    beta = shares(gains().mean(0), 1.0, norm="max", tau_b=0.1)
    equal = torch.full((3,), 1 / 3)
    for form, expected in (
        ("code", 0.8 * equal + 0.2 * beta),
        ("paper", 0.2 * equal + 0.8 * beta),
        ("none", beta),
    ):
        target = entropies(ema_form=form, ema_xi=0.8)
        target.update(gains())
        torch.testing.assert_close(target.shares, expected)
    each = torch.stack([shares(row, 1.0, norm="max", tau_b=0.1) for row in gains()])
    target = entropies(ema_form="none", beta_avg="mean_of_softmax")
    target.update(gains())
    torch.testing.assert_close(target.shares, each.mean(0))


def test_constant_entropies_stay():
    uniform = make_learner("ser_marl", SMALL).target_entropies
    given = make_learner("ser_dce", EnvSpec(2, 0, 2, 2, 1, action_dim=1), env="continuous_matrix_game")
    before = uniform.values.clone()
    for target, rows in ((uniform, gains()), (given.target_entropies, gains(n_agents=2))):
        target.update(rows)
    assert torch.equal(uniform.values, before)
    torch.testing.assert_close(before, torch.full((3,), 0.1 * math.log(4)))
    assert given.target_entropies.values.tolist() == pytest.approx([-0.7, -1.3])


def test_reversed_ader_turns_the_shares_around():
    ader, turned = (
        make_learner(name, PLANE, env="mamujoco").target_entropies for name in ("ader", "ader_reversed")
    )
    for target in (ader, turned):
        target.update(torch.tensor([[0.1, 1.0, 2.0]]))
    assert ader.values.argsort().tolist() == [2, 1, 0]
    assert turned.values.argsort().tolist() == [0, 1, 2]
