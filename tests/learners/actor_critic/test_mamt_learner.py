"""MAMT: its parts put together at what the actors do, the value's dependence on the trust regions, its variants."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from cohort.components.clock import Clock
from cohort.components.functional import kl_divergence
from cohort.learners.actor_critic.coordination import coordination, situation
from tests.builders import SMALL, make_learner, random_transitions
from tests.learners.actor_critic.test_maac_learner import OWN_REWARDS, double, learner

VARIANTS = ("mamt", "mamt_random", "mamt_fixed", "mamt_ws")
LITTLE = {"trd_hidden_dim": 8, "modelling_hidden_dims": [8]}


def mamt(algorithm: str = "mamt", spec=SMALL, rows: int = 16, **typed):
    return learner(algorithm, spec, **LITTLE, coordination_batch_size=rows, **typed)


def off_diagonal(values: torch.Tensor) -> torch.Tensor:
    """[R, N, N] without i = j."""
    return values[:, ~torch.eye(values.shape[-1], dtype=torch.bool)]


def test_coordination_and_non_stationarity_are_those_of_the_first_rows_at_the_decisions():
    ours, batch = mamt(), double(40)
    standing = ours.standing(batch)
    decisions = standing.decisions
    weights = ours.coordination(batch, standing)
    at = situation(
        batch.obs, ours.one_hot(decisions.actions), decisions.log_probs.detach().exp(), standing.values, 16
    )
    assert torch.equal(weights, coordination(ours.critic, at, "marginal", 0.2))
    log_models, _ = ours.models_of_others(batch)
    found = ours.divergences(standing, log_models)
    for b, i, j in ((0, 0, 1), (3, 2, 0), (15, 1, 2)):
        h, p = log_models[b, i, j].exp(), decisions.log_probs[b, j].detach().exp()
        possible = batch.available_actions[b, j]
        expected = (h * (h / p).log())[possible].sum()
        assert float(found[b, i, j]) == pytest.approx(float(expected), abs=1e-12)
    assert torch.isfinite(off_diagonal(found)).all()


@pytest.mark.parametrize("algorithm", VARIANTS)
def test_nothing_of_it_reaches_critic_or_actors(algorithm):
    """But through the sizes: with the same sizes the actors move as MAMD's."""
    ours, theirs = mamt(algorithm, trust_region_lr=0), learner("mamd")
    for seed in range(3):
        batch = double(40, seed=seed)
        ours.update(batch, Clock(episodes=0))
        theirs.update(batch, Clock(episodes=0))
    for name in ("policy", "critic"):
        for one, other in zip(
            ours.networks[name].parameters(), theirs.networks[name].parameters(), strict=True
        ):
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-9)


def test_actions_that_are_not_available_and_agents_with_fewer_leave_finite_numbers():
    ours, batch = mamt(), double(40)
    only = batch.available_actions.clone()
    only[:, 2, 2:] = False  # agent 2 has two actions
    only[:5, 1] = False
    only[:5, 1, 0] = True  # agent 1 sometimes but one
    only[..., 0] = True
    batch = dataclasses.replace(
        batch, available_actions=only, next_available_actions=only, actions=torch.zeros_like(batch.actions)
    )
    for _ in range(3):
        metrics = ours.update(batch, Clock(episodes=0))
        assert all(torch.isfinite(value) for value in metrics.values())
    assert all(torch.isfinite(each).all() for each in ours.networks.parameters())


def test_sizes_stay_within_the_tables_bounds(monkeypatch):
    """Table 3's 0.01 and 100, after every step: what went beyond a bound in the first comes back in the second."""
    ours = mamt(trust_region=50, trust_region_budget=1e4, trust_region_lr=60, n_slow=2)
    monkeypatch.setattr(ours, "value_slope", lambda _: torch.tensor([1e9, -1e9, 1e9]).double())
    ours.update(double(40), Clock(episodes=0))
    torch.testing.assert_close(ours.trust_regions.tolist(), [100.0, 0.01, 100.0])


def test_the_penaltys_value_is_the_kl_over_the_squared_size():
    ours, batch = mamt(constrained_agents=[0, 2], value_term="penalty"), double(40)
    standing = ours.standing(batch)
    kl = kl_divergence(standing.decisions.log_probs, standing.old_log_probs).mean(0).detach()
    expected = torch.where(torch.tensor([True, False, True]), kl, 0.0)
    assert torch.equal(ours.value_slope(standing), expected)
    assert not mamt(value_term="none").value_slope(standing).any()
    sizes = ours.trust_regions.detach().clone()
    seen = (batch.obs[:16], ours.one_hot(standing.decisions.actions[:16]), ours.coordination(batch, standing))
    at = sizes.clone().requires_grad_()
    (estimate,) = torch.autograd.grad(ours.networks["trd_net"](*seen, at).sum(1).mean(), at)
    taken = []

    def minimise(name, loss):
        taken.extend(torch.autograd.grad(loss.value, ours.trust_regions))
        return {}

    ours.minimise = minimise
    ours.move_trust_regions(standing, seen)
    over = float(sizes.sum() > ours.settings.trust_region_budget)  # 3 x 33.3 in single precision
    torch.testing.assert_close(-taken[0], expected / sizes.square() - estimate - over)


def test_the_look_ahead_is_the_actors_gain_along_the_gradient_of_their_kl():
    """d / d delta_i of E[A] after the actor's step: the step changes by actor_lr grad KL_i / delta_i^2."""
    ours, batch = mamt(value_term="meta", actor_lr=0.01), double(40)
    standing = ours.standing(batch)
    slope = ours.value_slope(standing)
    kl = kl_divergence(standing.decisions.log_probs, standing.old_log_probs).mean(0).sum()
    along = torch.autograd.grad(kl, ours.actor_parameters, retain_graph=True)
    start, actions = [each.detach().clone() for each in ours.actor_parameters], standing.decisions.actions

    def gain(agent: int, step: float) -> float:
        with torch.no_grad():
            for parameter, begin, each in zip(ours.actor_parameters, start, along, strict=True):
                parameter.copy_(begin)
                parameter[agent] += step * 0.01 * each[agent]
            decisions = ours.decide(ours.policy, batch.obs, batch.available_actions)._replace(actions=actions)
            return float((decisions.chosen * standing.advantages).mean(0).sum())

    for agent in range(3):
        expected = (gain(agent, 1e-4) - gain(agent, -1e-4)) / 2e-4
        assert float(slope[agent]) == pytest.approx(expected, rel=1e-6)
    assert float(slope.abs().min()) > 1e-8


def test_random_coefficients_are_a_softmax_of_chance_of_their_own():
    ours, batch = mamt("mamt_random", rows=4000, coordination_threshold=0.0), double(4000)
    standing = ours.standing(batch)
    one, other = (ours.coordination(batch, standing) for _ in range(2))
    assert not torch.equal(one, other)
    torch.testing.assert_close(one.sum(-1), torch.ones(4000, 3).double())
    assert not one.diagonal(dim1=1, dim2=2).any()
    weights = off_diagonal(one)
    torch.testing.assert_close(weights.mean(0), torch.full((6,), 0.5).double(), atol=0.01, rtol=0)
    assert float(weights.min()) > 1 / (1 + torch.e)  # two numbers between 0 and 1
    eight = dataclasses.replace(SMALL, n_agents=8)
    kept = mamt("mamt_random", eight, rows=1000)
    weights = off_diagonal(kept.coordination(random_transitions(1000, eight), None))
    assert float(weights[weights > 0].min()) >= 0.2
    assert 0 < float((weights > 0).float().mean()) < 0.3


def test_fixed_coefficients_pass_no_threshold():
    eight = dataclasses.replace(SMALL, n_agents=8)
    found = mamt("mamt_fixed", eight).coordination(random_transitions(20, eight), None)
    torch.testing.assert_close(found, ((1 - torch.eye(8)) / 7).expand(16, 8, 8))


def test_the_weighted_sum_is_of_the_others_kl_from_their_old_policies():
    ours, batch = mamt("mamt_ws"), double(40)
    assert "modelling" not in ours.networks
    standing = ours.standing(batch)
    weights = ours.coordination(batch, standing)
    metrics = ours.adapt(batch, standing)
    total = 0.0
    kl = kl_divergence(standing.decisions.log_probs.detach(), standing.old_log_probs)
    for b in range(16):
        for i in range(3):
            total += sum(float(weights[b, i, j] * kl[b, j]) for j in range(3) if j != i) / 3 / 16
    assert float(metrics["d_ns"]) == pytest.approx(total, rel=1e-9)
    assert sum(float(metrics[f"d_ns_agent_{i}"]) for i in range(3)) == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("how", ["sum", "per_agent"])
def test_the_nets_error_is_of_the_sum_or_of_each_agent(how):
    ours, batch = mamt(trd_loss=how, n_fast=1), double(40)
    standing = ours.standing(batch)
    seen = (batch.obs[:16], ours.one_hot(standing.decisions.actions[:16]), ours.coordination(batch, standing))
    target = torch.rand(16, 3).double()
    estimate = ours.networks["trd_net"](*seen, ours.trust_regions).detach()
    expected = (
        (estimate.sum(1) - target.sum(1)).square().mean() if how == "sum" else F.mse_loss(estimate, target)
    )
    assert float(ours.learn_non_stationarity(seen, target)["trd_net_loss"]) == pytest.approx(float(expected))


def test_slow_and_fast_steps_are_counted():
    ours = mamt(n_slow=2, n_fast=3)
    ours.update(double(40), Clock(episodes=0))
    steps = {
        name: {int(each["step"]) for each in ours.optimisers[name].state.values()} for name in ours.optimisers
    }
    assert steps == {"critic": {1}, "actor": {1}, "trust_region": {2}, "trd_net": {3}, "modelling": {1}}


def test_the_models_learn_what_the_others_do_where_it_shows_in_what_is_seen():
    """Each agent does what the sign of the first number says that all of them see."""
    ours = mamt(modelling_lr=0.01)
    draw = torch.Generator().manual_seed(0)
    for _ in range(150):
        shown = torch.randn(64, 1, 1, generator=draw).double()
        batch = double(64)
        batch = dataclasses.replace(
            batch,
            obs=torch.cat([shown.expand(-1, 3, -1), batch.obs[..., 1:]], -1),
            actions=(shown > 0).long()[..., 0].expand(-1, 3).contiguous(),
            available_actions=torch.ones_like(batch.available_actions),
        )
        _, loss = ours.models_of_others(batch)
        ours.minimise("modelling", loss)
    assert float(loss.metrics["modelling_loss"]) < 0.15


@pytest.mark.parametrize("algorithm", ["mamd", "mamd_op", *VARIANTS])
def test_a_restored_learner_goes_on_the_same(algorithm):
    made = {"old_policy_interval": 2} | (
        {"coordination_batch_size": 16, **LITTLE} if algorithm in VARIANTS else {}
    )
    ours, again = learner(algorithm, OWN_REWARDS, **made), learner(algorithm, OWN_REWARDS, seed=4, **made)
    for seed in range(3):
        ours.update(double(40, OWN_REWARDS, seed), Clock(episodes=0))
    again.load_state_dict(ours.state_dict())
    for seed in range(3, 6):
        batch = double(40, OWN_REWARDS, seed)
        one, other = (each.update(batch, Clock(episodes=0)) for each in (ours, again))
        assert {name: float(value) for name, value in one.items()} == {
            name: float(value) for name, value in other.items()
        }
    if algorithm in VARIANTS:
        assert torch.equal(ours.trust_regions, again.trust_regions)
        assert ours.trust_regions is ours.networks["trust_regions"].sizes
        assert (ours.trust_regions != 100 / 3).any()


def test_what_was_logged_does_not_move_with_the_sizes():
    ours = mamt(trust_region_lr=0.1)
    first = ours.update(double(40), Clock(episodes=0))["trust_region_agent_0"]
    before = float(first)
    ours.update(double(40, seed=1), Clock(episodes=0))
    assert float(first) == before


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"removed_action": "drop"}, "removed_action = 'drop'"),
        ({"value_term": "actor"}, "value_term = 'actor'"),
        ({"combine": "sum"}, "combine = 'sum'"),
        ({"trd_loss": "mean"}, "trd_loss = 'mean'"),
        ({"delta_input": "ln"}, "delta_input = 'ln'"),
        ({"coordination": "learned"}, "coordination = 'learned'"),
        ({"non_stationarity": "none"}, "non_stationarity = 'none'"),
        ({"coordination_threshold": 1.5}, "coordination_threshold = 1.5"),
        ({"coordination_batch_size": 0}, "coordination_batch_size = 0"),
        ({"n_slow": 0}, "n_slow = 0"),
        ({"n_fast": -1}, "n_fast = -1"),
        ({"dns_max": 0}, "dns_max = 0"),
        ({"trust_region_clip": [0, 1]}, "two numbers above 0, the smaller first"),
        ({"trust_region_clip": [2, 1]}, "two numbers above 0, the smaller first"),
        ({"trust_region_clip": [1]}, "trust_region_clip"),
        ({"trust_region": 200}, "must lie within trust_region_clip"),
        ({"trust_region": [1, 1, 200]}, "must lie within trust_region_clip"),
        ({"modelling_hidden_dims": []}, "modelling_hidden_dims"),
        ({"sigma": 0.2}, "sigma"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(typed, told):
    with pytest.raises(Exception, match=told):
        make_learner("mamt", **typed)
