"""Values and gradients where actions are not available and where steps are padding.

The reference takes every row by itself and, of it, the available actions alone: there is nothing to mask in it. Finite
differences in float64 are the other one.
"""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from cohort.components.functional import (
    counterfactual_advantage,
    entropy,
    log_softmax,
    masked_log_softmax,
    masked_mean,
    one_step_target,
    softmax,
    taken,
)

AVAILABLE = torch.tensor(
    [
        [[True, True, True, True], [True, False, True, False], [False, False, True, False]],
        [
            [False, True, True, False],
            [False, False, False, False],
            [False, False, False, False],
        ],  # 2 padded steps
    ]
)  # [B, T, A]
MASK = torch.tensor([[True, True, True], [True, False, False]])  # [B, T]
ACTIONS = torch.tensor([[3, 2, 2], [1, 0, 0]])  # [B, T], 0 in padding, which is not available
NAN, INF = math.nan, math.inf


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def gradient(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    point = at.clone().requires_grad_()
    return torch.autograd.grad(function(point), point)[0]


def differences(function: Callable[[Tensor], Tensor], at: Tensor, step: float = 1e-6) -> Tensor:
    """The gradient by central differences, entry by entry."""
    slopes = torch.zeros_like(at)
    for place in range(at.numel()):
        away = torch.zeros_like(at)
        away.view(-1)[place] = step
        slopes.view(-1)[place] = (function(at + away) - function(at - away)) / (2 * step)
    return slopes


def rows() -> list[tuple[int, int, Tensor]]:
    """Every real step and the indices of what is available in it."""
    return [(b, t, AVAILABLE[b, t].nonzero().squeeze(-1)) for b, t in MASK.nonzero().tolist()]


def actor_loss(logits: Tensor) -> Tensor:
    """What a policy gradient with an entropy bonus makes of all four functions."""
    log_probs = masked_log_softmax(logits, AVAILABLE)
    advantage = counterfactual_advantage(normal(2, 3, 4, seed=1), log_probs.exp(), ACTIONS)
    return -masked_mean(taken(log_probs, ACTIONS) * advantage + 0.3 * entropy(log_probs), MASK)


def actor_loss_by_rows(logits: Tensor) -> Tensor:
    values, terms = normal(2, 3, 4, seed=1), []
    for b, t, there in rows():
        log_probs = logits[b, t, there].log_softmax(dim=-1)
        q, action = values[b, t, there], there.tolist().index(int(ACTIONS[b, t]))
        advantage = q[action] - (log_probs.exp() * q).sum()
        terms.append(log_probs[action] * advantage - 0.3 * (log_probs.exp() * log_probs).sum())
    return -torch.stack(terms).mean()


def test_a_masked_actor_loss_has_the_value_and_gradient_of_one_without_masks():
    logits = normal(2, 3, 4)
    torch.testing.assert_close(actor_loss(logits), actor_loss_by_rows(logits))
    found = gradient(actor_loss, logits)
    torch.testing.assert_close(found, gradient(actor_loss_by_rows, logits))
    torch.testing.assert_close(found, differences(actor_loss, logits), atol=1e-8, rtol=1e-6)
    assert (found[~AVAILABLE] == 0).all()


def test_what_is_not_available_may_have_any_logit():
    logits = normal(2, 3, 4)
    expected = actor_loss(logits), gradient(actor_loss, logits)
    for poison in (NAN, INF, -INF):
        poisoned = logits.masked_fill(~AVAILABLE, poison)
        assert torch.equal(actor_loss(poisoned), expected[0])
        assert torch.equal(gradient(actor_loss, poisoned), expected[1])


def test_second_derivatives_are_finite_and_those_of_one_without_masks():
    logits, along = normal(2, 3, 4), normal(2, 3, 4, seed=2)

    def curvature(loss: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.autograd.functional.vhp(loss, logits, along)[1]

    found = curvature(actor_loss)
    torch.testing.assert_close(found, curvature(actor_loss_by_rows))
    assert found.isfinite().all()


# --- log-probabilities


def test_log_probabilities_are_those_of_the_available_actions_alone():
    logits = normal(2, 3, 4)
    found = masked_log_softmax(logits, AVAILABLE)
    for b, t, there in rows():
        torch.testing.assert_close(found[b, t, there], logits[b, t, there].log_softmax(dim=-1))
    assert (found[~AVAILABLE] == -INF).all()
    assert not found.isnan().any()


@pytest.mark.parametrize(
    "shape", [(700, 5), (40, 4, 5, 3), (2, 600, 15), (600, 16), (3, 5), (5,), (0, 5), (600, 0)]
)
@pytest.mark.parametrize(("ours", "theirs"), [(softmax, torch.softmax), (log_softmax, torch.log_softmax)])
def test_softmaxes_of_short_rows_are_torchs_with_their_derivatives(ours, theirs, shape):
    logits, back = normal(*shape).masked_fill(normal(*shape, seed=1) > 1.5, -INF), normal(*shape, seed=2)

    def derivatives(function):
        rows = logits.clone().requires_grad_()
        out = function(rows)
        (first,) = torch.autograd.grad(out, rows, back, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), rows)
        return out, first, second

    for found, expected in zip(
        derivatives(ours), derivatives(lambda rows: theirs(rows, dim=-1)), strict=True
    ):
        torch.testing.assert_close(found, expected, equal_nan=True)


def test_available_entries_are_bit_for_bit_a_softmax_over_filled_logits():
    logits = normal(50, 4).float()
    available = torch.rand(50, 4, generator=torch.Generator().manual_seed(1)) < 0.6
    available[:, 0] = True
    plain = logits.masked_fill(~available, -INF).log_softmax(dim=-1)
    assert torch.equal(masked_log_softmax(logits, available), plain)


@pytest.mark.parametrize("coming_back", [NAN, INF, 1.0])
def test_a_gradient_that_comes_back_to_what_is_not_available_is_dropped(coming_back):
    logits = normal(2, 3, 4).requires_grad_()
    back = normal(2, 3, 4, seed=1)
    masked_log_softmax(logits, AVAILABLE).backward(back.masked_fill(~AVAILABLE, coming_back))
    expected = torch.zeros_like(logits)
    for b, t, there in rows():
        share = logits[b, t, there].softmax(dim=-1)
        expected[b, t, there] = back[b, t, there] - share * back[b, t, there].sum()  # log_softmax's Jacobian
    torch.testing.assert_close(logits.grad, expected.detach())


def test_a_ratio_of_chances_in_padding_does_no_harm():
    """exp(log pi - log pi_old) is exp(-inf + inf) there, whose gradient is NaN by itself."""
    old = masked_log_softmax(normal(2, 3, 4, seed=1), AVAILABLE)

    def surrogate(logits: Tensor) -> Tensor:
        ratio = (taken(masked_log_softmax(logits, AVAILABLE), ACTIONS) - taken(old, ACTIONS)).exp()
        return masked_mean(ratio, MASK)

    found = gradient(surrogate, normal(2, 3, 4))
    torch.testing.assert_close(found, differences(surrogate, normal(2, 3, 4)), atol=1e-8, rtol=1e-6)
    assert (found[~AVAILABLE] == 0).all()


# --- entropy


def test_entropy_by_hand():
    halves = torch.tensor([[math.log(0.5), -INF, math.log(0.5)], [-INF, 0.0, -INF], [-INF, -INF, -INF]])
    torch.testing.assert_close(entropy(halves), torch.tensor([math.log(2), 0.0, 0.0]))


def test_the_gradient_of_entropy_is_minus_p_times_1_plus_log_p():
    log_probs = torch.tensor([[0.25, 0.75, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64).log()
    found = gradient(lambda each: entropy(each).sum(), log_probs)
    quarter, rest = -0.25 * (1 + math.log(0.25)), -0.75 * (1 + math.log(0.75))
    expected = torch.tensor([[quarter, rest, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_a_chance_that_its_type_cannot_hold_counts_nothing_and_has_no_gradient():
    logits = torch.tensor([0.0, -200.0, -1000.0])  # exp(-200) is 0 in single precision
    assert entropy(logits.log_softmax(dim=-1)) == 0
    found = gradient(lambda each: entropy(each.log_softmax(dim=-1)), logits)
    assert found.tolist() == [0, 0, 0]


def test_entropy_is_bit_for_bit_that_of_entr_where_everything_is_possible():
    log_probs = normal(50, 7).float().log_softmax(dim=-1)
    assert torch.equal(entropy(log_probs), torch.special.entr(log_probs.exp()).sum(dim=-1))


def test_a_nan_of_a_real_step_is_not_hidden():
    assert entropy(torch.tensor([NAN, -INF])).isnan()
    assert masked_log_softmax(torch.tensor([NAN, 1.0]), torch.tensor([True, True])).isnan().all()


# --- counterfactual advantages


def test_a_counterfactual_advantage_by_hand():
    values, probabilities = torch.tensor([1.0, 5.0, NAN]), torch.tensor([0.25, 0.75, 0.0])
    assert counterfactual_advantage(values, probabilities, torch.tensor(1)) == 5 - (0.25 * 1 + 0.75 * 5)


@pytest.mark.parametrize("unavailable", [0.0, NAN, INF, -INF])
def test_counterfactual_gradients_by_values_and_logits(unavailable):
    """By values: 1 for the action taken, minus the chances. By logits: those of one without masks."""
    values = normal(2, 3, 4, seed=1).masked_fill(~AVAILABLE, unavailable)
    logits = normal(2, 3, 4)

    def advantage(logits: Tensor, values: Tensor) -> Tensor:
        chances = masked_log_softmax(logits, AVAILABLE).exp()
        return masked_mean(counterfactual_advantage(values, chances, ACTIONS), MASK)

    def by_rows(logits: Tensor) -> Tensor:
        terms = [
            values[b, t, ACTIONS[b, t]] - (logits[b, t, there].softmax(dim=-1) * values[b, t, there]).sum()
            for b, t, there in rows()
        ]
        return torch.stack(terms).mean()

    chances = masked_log_softmax(logits, AVAILABLE).exp()
    expected = (torch.nn.functional.one_hot(ACTIONS, 4) - chances) / MASK.sum()
    expected = expected.masked_fill(~MASK.unsqueeze(-1), 0.0)
    torch.testing.assert_close(gradient(lambda each: advantage(logits, each), values), expected)
    torch.testing.assert_close(
        gradient(lambda each: advantage(each, values), logits), gradient(by_rows, logits)
    )
    torch.testing.assert_close(advantage(logits, values), by_rows(logits))


# --- means


def test_a_masked_mean_is_the_mean_of_what_was_picked_out():
    values = normal(2, 3, 4)
    mask = MASK.unsqueeze(-1)

    def picked(values: Tensor) -> Tensor:
        return values[MASK].square().mean()

    def masked(values: Tensor) -> Tensor:
        return masked_mean(values.square(), mask)

    torch.testing.assert_close(masked(values), picked(values))
    torch.testing.assert_close(gradient(masked, values), gradient(picked, values))
    torch.testing.assert_close(gradient(masked, values), differences(masked, values), atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("poison", [NAN, INF])
def test_what_is_masked_may_be_anything_behind_operations_with_finite_derivatives(poison):
    weight = torch.tensor(2.0, dtype=torch.float64)

    def mean_of(values: Tensor) -> Tensor:
        return masked_mean((weight * values + poison_of_padding).sum(dim=-1), MASK)

    poison_of_padding = torch.zeros(2, 3, 4, dtype=torch.float64)
    clean = mean_of(normal(2, 3, 4)), gradient(mean_of, normal(2, 3, 4))
    poison_of_padding = poison_of_padding.masked_fill(~MASK.unsqueeze(-1), poison)
    assert torch.equal(mean_of(normal(2, 3, 4)), clean[0])
    assert torch.equal(gradient(mean_of, normal(2, 3, 4)), clean[1])


def test_where_the_claim_of_masked_mean_ends_and_what_to_do_instead():
    """0 * inf is NaN: an operation without a finite derivative has to have its input masked."""
    values, mask = torch.tensor([1.0, 0.0]), torch.tensor([True, False])
    assert gradient(lambda each: masked_mean(each.log(), mask), values)[1].isnan()
    before = gradient(lambda each: masked_mean(torch.where(mask, each, 1.0).log(), mask), values)
    assert before.tolist() == [1, 0]


def test_a_mean_of_nothing_is_nan():
    assert masked_mean(torch.ones(2), torch.zeros(2, dtype=torch.bool)).isnan()


def test_rewards_of_every_agent_do_not_go_with_one_value_for_the_team():
    with pytest.raises(ValueError, match="mixer=independent"):
        one_step_target(torch.zeros(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool), torch.zeros(2, 3, 1), 0.9)
