"""AdaMa: a step by hand, expansions against differences, invariants, and what it must leave alone."""

import itertools
import math

import pytest
import torch

from cohort.components.clock import Clock
from cohort.components.functional import inner_per_agent
from cohort.errors import UserError
from cohort.learners.actor_critic.second_order import action_moves
from tests.builders import PLANE, make_learner, random_transitions
from tests.learners.linear_team import learner as linear_learner
from tests.learners.linear_team import one_sample

PLANE_RUN = {"spec": PLANE, "env": "cooperative_navigation"}


def close(expected, digits: int = 12):
    return pytest.approx(expected, abs=0.5 * 10**-digits)


# --- one update, by hand


def test_one_update_of_a_linear_quadratic_team():
    learner = linear_learner()
    metrics = learner.step(one_sample())
    assert float(metrics["q_taken_mean"]) == float(metrics["q_policy_mean"]) == 6
    assert float(metrics["critic_loss"]) == 1
    assert float(metrics["critic_contribution"]) == 18
    assert float(metrics["critic_lr"]) == close(0.004995)
    assert float(metrics["actor_lr_norm"]) == close(0.005005)
    assert learner.rates.actors.tolist() == close([0.003531463999, 0.003546658571])
    assert learner.critic.phi.tolist() == close([0.99001, 1.98002, 0.48002])
    assert learner.policy.theta.flatten().tolist() == close([1.007062927998, 2.008866646429])


def test_the_old_norm_would_pull_elsewhere():
    """The variant that pulls with the old norm differs in the eighth digit; it must not be what we do."""
    learner = linear_learner()
    learner.step(one_sample())
    variant = torch.tensor([0.003531471531, 0.003546651072], dtype=torch.float64)
    assert (learner.rates.actors - variant).abs().min() > 5e-9


def test_the_first_order_predicts_the_change_of_q():
    learner, batch = linear_learner(), one_sample()
    descent, ascent = learner.critic_gradient(batch), learner.actor_gradient(batch)
    gain = learner.gain(batch, ascent)
    assert gain.tolist() == [4, 6.25]
    assert [each.flatten().tolist() for each in (*descent.gradient, *ascent.critic_gradient)] == [
        [2, 4, 4],
        [1, 2, 2],
    ]
    learner.step(batch)
    predicted = float(learner.rates.actors @ gain - learner.rates.critic * 18)
    assert predicted == close(-0.053617528, 9)
    assert float(learner.actor_gradient(batch).value) - 6 == close(-0.054294571, 9)


@pytest.mark.parametrize("mode", ["hvp", "secant", "lookahead"])
def test_the_second_order_of_one_update(mode):
    """Q is quadratic in the actions and the policies are linear: all three ways are exact."""
    learner, batch = linear_learner(second_order=mode), one_sample()
    gain = learner.gain(batch, learner.actor_gradient(batch))
    assert gain.tolist() == close([4.008838834765, 6.258838834765])
    assert gain.tolist() != pytest.approx([4.004419, 6.254419], abs=1e-6)  # one half-sum left out
    learner.step(batch)
    assert learner.rates.actors.tolist() == close([0.003531476512, 0.003546646112])


# --- the batch: mean first, inner product second


def double(algorithm: str, **typed):
    """A learner in double precision with smooth networks."""
    smooth = {"agent_activation": "tanh", "critic_activation": "tanh"}
    learner = make_learner(algorithm, **PLANE_RUN, **(smooth | typed))
    learner.networks.double()
    learner.targets.networks.double()
    return learner


def test_the_gains_are_the_slopes_of_q_along_the_actors_step():
    learner, batch = double("adama"), random_transitions(64, dtype=torch.float64)
    ascent = learner.actor_gradient(batch)
    gain = learner.gain(batch, ascent)
    rates = torch.tensor([0.7, 0.2, 0.4], dtype=torch.float64)
    before, t = ascent.value, 1e-6
    learner.rates.actors = t * rates
    learner.step_actors(ascent.gradient)
    slope = (learner.actor_gradient(batch).value - before) / t
    assert float(slope) == pytest.approx(float(rates @ gain), rel=1e-6)


def test_the_critics_contribution_is_the_slope_of_q_along_its_step():
    learner, batch = double("adama"), random_transitions(64, dtype=torch.float64)
    descent, ascent = learner.critic_gradient(batch), learner.actor_gradient(batch)
    contribution = float(learner.adapt_magnitude(descent, ascent)["critic_contribution"])
    before, t = ascent.value, 1e-7
    learner.rates.critic = torch.tensor(t, dtype=torch.float64)
    learner.step_critic(descent.gradient)
    slope = (learner.actor_gradient(batch).value - before) / t
    assert abs(float(slope)) == pytest.approx(contribution, rel=1e-5)


def test_replayed_actions_can_measure_the_contribution():
    learner = double("adama", gq_actions="replay")
    batch = random_transitions(64, dtype=torch.float64)
    descent, ascent = learner.critic_gradient(batch), learner.actor_gradient(batch)
    found = float(learner.adapt_magnitude(descent, ascent)["critic_contribution"])
    slopes = torch.autograd.grad(learner.critic(batch.obs, batch.actions).mean(), learner.critic_parameters)
    expected = sum(float((a * b).sum()) for a, b in zip(slopes, descent.gradient, strict=True))
    assert found == pytest.approx(abs(expected), rel=1e-12)


# --- the second order


def change_of_q(learner, batch, moves, rates) -> float:
    """mean_b Q(o, a + l u) - mean_b Q(o, a), the actions moved in a straight line."""
    with torch.no_grad():
        actions = learner.policy(batch.obs)
        there = learner.critic(batch.obs, actions + rates.view(-1, 1) * moves).mean()
        return float(there - learner.critic(batch.obs, actions).mean())


@pytest.mark.parametrize("activation", ["tanh", "softplus"])
def test_halving_the_step_halves_the_first_orders_error_and_quarters_the_seconds(activation):
    learner = double("adama_2nd", second_order="hvp", critic_activation=activation)
    batch = random_transitions(64, dtype=torch.float64)
    ascent = learner.actor_gradient(batch)
    moves = action_moves(learner.policy, batch.obs, ascent.gradient)
    direction = torch.tensor([0.5, 0.9, 0.7], dtype=torch.float64)
    errors = []
    for size in (8.0, 4.0, 2.0):
        learner.rates.actors = size * direction
        second = learner.gain(batch, ascent)
        slopes = torch.zeros(3, dtype=torch.float64)
        for agent in range(3):
            step = torch.zeros(3, dtype=torch.float64)
            step[agent] = 1e-5
            up, down = (
                change_of_q(learner, batch, moves, size * direction + sign * step) for sign in (1, -1)
            )
            slopes[agent] = (up - down) / 2e-5
        plain = inner_per_agent(ascent.gradient, ascent.gradient)
        errors.append([float((each - slopes).norm()) for each in (plain, second)])
    for (plain, second), (plain_half, second_half) in itertools.pairwise(errors):
        assert 1.6 < plain / plain_half < 2.5
        assert 3.2 < second / second_half < 5


def test_one_product_with_the_hessian_equals_the_hessian():
    learner = double("adama_2nd", second_order="hvp")
    batch = random_transitions(5, dtype=torch.float64)
    ascent = learner.actor_gradient(batch)
    found = learner.gain(batch, ascent)

    moves = action_moves(learner.policy, batch.obs, ascent.gradient)
    n, u = PLANE.n_agents, PLANE.action_dim
    pairs = torch.zeros(n, n, dtype=torch.float64)  # M
    for b in range(batch.batch_size):

        def q(flat, b=b):
            return learner.critic(batch.obs[b : b + 1], flat.view(1, n, u))[0]

        hessian = torch.autograd.functional.hessian(q, ascent.actions[b].flatten()).view(n, u, n, u)
        pairs += torch.einsum("iu,iujv,jv->ij", moves[b], hessian, moves[b]) / batch.batch_size
    plain = inner_per_agent(ascent.gradient, ascent.gradient)
    assert torch.allclose(pairs, pairs.T, atol=1e-15)
    assert torch.allclose(found, plain + pairs @ learner.rates.actors, rtol=0, atol=1e-12)


def test_the_moves_of_the_actions_are_their_slopes():
    learner = double("adama")
    batch = random_transitions(6, dtype=torch.float64)
    gradient = learner.actor_gradient(batch).gradient
    moves = action_moves(learner.policy, batch.obs, gradient)
    before, t = learner.policy(batch.obs).detach(), 1e-6
    learner.rates.actors = torch.full((3,), t, dtype=torch.float64)
    learner.step_actors(gradient)
    assert torch.allclose((learner.policy(batch.obs) - before) / t, moves, atol=1e-8)


def pairwise(learner, batch):
    ascent = learner.actor_gradient(batch)
    plain = inner_per_agent(ascent.gradient, ascent.gradient)
    return learner.gain(batch, ascent) - plain


def test_a_piecewise_linear_critic_has_no_second_order():
    """Equation 3 with the paper's ReLU critic is equation 1, exactly."""
    batch = random_transitions(64, dtype=torch.float64)
    assert (pairwise(double("adama_2nd", second_order="hvp", critic_activation="relu"), batch) == 0).all()
    learner = double("adama_2nd", second_order="secant", critic_activation="relu")
    learner.rates.actors = learner.rates.actors * 1000  # a step that crosses kinks
    assert pairwise(learner, batch).abs().max() > 1e-6


def test_the_secant_comes_to_the_hessian_as_the_square_of_the_step():
    batch = random_transitions(64, dtype=torch.float64)
    gaps = []
    for size in (4.0, 2.0, 1.0):
        parts = []
        for mode in ("hvp", "secant"):
            learner = double("adama_2nd", second_order=mode)
            learner.rates.actors = torch.full((3,), size, dtype=torch.float64)
            parts.append(pairwise(learner, batch))
        gaps.append(float((parts[0] - parts[1]).norm()))
    assert 3.2 < gaps[0] / gaps[1] < 5
    assert 3.2 < gaps[1] / gaps[2] < 5


# --- what holds after every update


@pytest.mark.parametrize("algorithm", ["adama", "adama_direction", "adama_magnitude", "adama_2nd"])
def test_the_rates_keep_their_sum_norm_and_bounds(algorithm):
    learner = make_learner(algorithm, **PLANE_RUN)
    rates, total = learner.rates, learner.rates.total
    for number in range(60):
        learner.step(random_transitions(32, seed=number))
        assert abs(float(rates.actor_norm + rates.critic) - total) < 1e-12
        assert abs(float(rates.actors.norm() - rates.actor_norm)) < 1e-12
        assert 0.1 * total - 1e-15 <= float(rates.critic) <= 0.9 * total + 1e-15
        assert (rates.actors > 0).all()
    uniform = torch.allclose(rates.actors, rates.actors[0].expand(3), rtol=1e-12)
    assert uniform == (algorithm == "adama_magnitude")
    moved = abs(float(rates.critic) - learner.settings.critic_lr) > 1e-9
    assert moved == (algorithm != "adama_direction")


def parameters(learner) -> list[torch.Tensor]:
    return [each.detach().clone() for each in learner.networks.parameters()]


def test_with_alpha_one_adama_is_the_fixed_rates_bit_for_bit():
    frozen = make_learner("adama", **PLANE_RUN, adama_alpha=1.0)
    fixed = make_learner("maddpg_fixed_lr", **PLANE_RUN, critic_lr=0.005, actor_lr_norm=0.005)
    for number in range(20):
        batch = random_transitions(64, seed=number)
        for learner in (frozen, fixed):
            learner.update(batch, Clock(episodes=number * 5))
    assert all(torch.equal(a, b) for a, b in zip(parameters(frozen), parameters(fixed), strict=True))


def test_without_adaptation_adama_only_measures():
    measured = make_learner(
        "adama", **PLANE_RUN, adapt_magnitude=False, adapt_direction=False, critic_lr=0.009, actor_lr_norm=0.002
    )  # fmt: skip
    fixed = make_learner("maddpg_fixed_lr", **PLANE_RUN, critic_lr=0.009, actor_lr_norm=0.002)
    for number in range(5):
        batch = random_transitions(64, seed=number)
        assert "critic_contribution" in measured.update(batch, Clock(episodes=number))
        fixed.update(batch, Clock(episodes=number))
    assert all(torch.equal(a, b) for a, b in zip(parameters(measured), parameters(fixed), strict=True))


def test_m_can_be_the_mean_of_the_first_updates():
    learner = make_learner("adama", **PLANE_RUN, adama_m="auto", adama_m_updates=4)
    seen = []
    for number in range(4):
        metrics = learner.step(random_transitions(32, seed=number))
        seen.append(float(metrics["critic_contribution"]))
        assert float(learner.rates.critic) == 0.005, "magnitudes wait until m is known"
        assert ("adama_m" in metrics) == ("critic_contribution_near_m" in metrics) == (number == 3), (
            "no part of m"
        )
    assert float(learner.rates.m) == pytest.approx(sum(seen) / 4)
    learner.step(random_transitions(32, seed=4))
    assert float(learner.rates.critic) != 0.005


@pytest.mark.parametrize("m", [0.0, -1.0])
def test_m_is_above_zero(m):
    with pytest.raises(UserError, match="adama_m"):
        make_learner("adama", **PLANE_RUN, adama_m=m)


def test_near_m_is_within_a_fifth():
    learner = make_learner("adama", **PLANE_RUN, adama_m=50.0)
    for contribution, near in ((39.9, 0), (40.0, 1), (60.0, 1), (60.1, 0)):
        metrics = learner.rates.adapt_critic_rate(torch.tensor(contribution, dtype=torch.float64))
        assert float(metrics["critic_contribution_near_m"]) == near


def test_a_restored_learner_goes_on_bit_for_bit():
    learner = make_learner("adama", **PLANE_RUN, adama_m="auto", adama_m_updates=3)
    for number in range(2):
        learner.update(random_transitions(32, seed=number), Clock(episodes=number))
    again = make_learner("adama", **PLANE_RUN, seed=7, adama_m="auto", adama_m_updates=3)
    again.load_state_dict(learner.state_dict())
    for number in range(2, 6):
        batch = random_transitions(32, seed=number)
        one, other = (each.update(batch, Clock(episodes=number * 10)) for each in (learner, again))
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert math.isfinite(float(learner.rates.m))


def test_sequential_actors_climb_the_critic_after_its_step():
    simultaneous, sequential = (linear_learner(step_order=order) for order in ("simultaneous", "sequential"))
    for learner in (simultaneous, sequential):
        learner.step(one_sample())
    assert torch.equal(simultaneous.critic.phi, sequential.critic.phi)
    new = sequential.critic.phi
    slopes = torch.stack([new[0] + 2 * new[2], new[1] + new[2]]).detach()
    moved = sequential.policy.theta.detach().flatten() - torch.tensor([1.0, 2.0], dtype=torch.float64)
    assert torch.allclose(moved, sequential.rates.actors * slopes, rtol=1e-12)
