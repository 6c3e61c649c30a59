"""DiCE's derivatives of every order against exact ones, by enumeration."""

from itertools import product

import pytest
import torch

from cohort.chains.dice import box, dice_objective, loaded_dice_objective
from cohort.components.returns import discounted_returns

GAMMA = 0.9
PAYOFF = torch.tensor([[[1, -2], [-1, 2]], [[-1, 1.5], [0.5, -2]]], dtype=torch.float64)  # [agent, a0, a1]


def derivatives(value: torch.Tensor, by: torch.Tensor, orders: int) -> list[float]:
    found = [value.item()]
    for _ in range(orders):
        (value,) = torch.autograd.grad(value, by, create_graph=True)
        found.append(value.item())
    return found


def test_a_scalar_has_all_derivatives():
    """x ~ Bernoulli(sigmoid(0.4)), f(1) = 3, f(0) = -1."""
    theta = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    probability = torch.stack([torch.sigmoid(-theta), torch.sigmoid(theta)])
    weight, f = probability.detach(), torch.tensor([-1.0, 3.0], dtype=torch.float64)
    dice = (weight * box(probability.log()) * f).sum()
    expected = [1.394750640, 0.961042983, -0.189686167, -0.424362440]
    assert derivatives(dice, theta, 3) == pytest.approx(expected, abs=1e-9)
    exact = (probability * f).sum()
    assert derivatives(dice, theta, 3) == pytest.approx(derivatives(exact, theta, 3), abs=1e-15)
    naive = (weight * probability.log() * f).sum()
    assert derivatives(naive, theta, 2)[2] == pytest.approx(-0.335103829, abs=1e-9)


class TwoSteps:
    """Two agents, two actions, two steps, policies that know the last joint action; all 16 courses side by side."""

    def __init__(self) -> None:
        generator = torch.Generator().manual_seed(5)
        self.theta = [
            torch.randn(5, dtype=torch.float64, generator=generator).requires_grad_() for _ in range(2)
        ]
        courses = torch.tensor(list(product(range(2), repeat=4))).view(16, 2, 2)  # [course, step, agent]
        states = torch.stack(
            [torch.zeros(16, dtype=torch.int64), 1 + courses[:, 0, 0] * 2 + courses[:, 0, 1]], 1
        )
        self.log_probs = []
        for agent in range(2):
            one = torch.nn.functional.logsigmoid(self.theta[agent])[states]
            zero = torch.nn.functional.logsigmoid(-self.theta[agent])[states]
            self.log_probs.append(torch.where(courses[..., agent] == 1, one, zero))  # [16, T]
        self.probability = torch.exp(sum(self.log_probs).sum(dim=1))
        self.reward = PAYOFF[1][courses[..., 0], courses[..., 1]]  # of agent 1
        self.returns = discounted_returns(self.reward, GAMMA)
        discounts = GAMMA ** torch.arange(2, dtype=torch.float64)
        self.exact = (self.probability * (self.reward * discounts).sum(dim=1)).sum()
        # a baseline may know the state but not the action
        self.baseline = torch.randn(5, dtype=torch.float64, generator=generator)[states]

    def expected(self, kind: str, nodes: torch.Tensor, *, baseline: bool) -> torch.Tensor:
        given = self.baseline if baseline else torch.zeros_like(self.baseline)
        pay, objective = {
            "dice": (self.reward, dice_objective),
            "loaded": (self.returns, loaded_dice_objective),
        }[kind]
        single = objective(nodes.unsqueeze(1), pay.unsqueeze(1), given.unsqueeze(1), GAMMA)
        return (self.probability.detach() * single).sum()


def mixed(value: torch.Tensor, *by: torch.Tensor) -> torch.Tensor:
    """Derivatives one after the other, each contracted with fixed weights."""
    for step, parameter in enumerate(by):
        (gradient,) = torch.autograd.grad(value, parameter, create_graph=True)
        weights = torch.linspace(1, 2, gradient.numel(), dtype=torch.float64) + step
        value = (gradient * weights).sum()
    return value.detach()


@pytest.mark.parametrize("baseline", [False, True])
@pytest.mark.parametrize("kind", ["dice", "loaded"])
def test_in_two_steps_own_and_cross_derivatives_are_exact(kind, baseline):
    game = TwoSteps()
    own, other = game.theta[1], game.theta[0]
    value = game.expected(kind, sum(game.log_probs), baseline=baseline)
    expected = 0.0 if kind == "loaded" else game.exact.item()
    assert value.item() == pytest.approx(expected, abs=1e-15)
    for by in ((own,), (other,), (own, own), (own, other), (own, other, own)):
        torch.testing.assert_close(mixed(value, *by), mixed(game.exact, *by), atol=1e-14, rtol=1e-12)


@pytest.mark.parametrize("kind", ["dice", "loaded"])
def test_with_own_nodes_alone_the_others_are_constants(kind):
    game = TwoSteps()
    value = game.expected(kind, game.log_probs[1], baseline=True)
    for by in ((game.theta[1],), (game.theta[1], game.theta[1])):
        torch.testing.assert_close(mixed(value, *by), mixed(game.exact, *by), atol=1e-14, rtol=1e-12)
    (gradient,) = torch.autograd.grad(value, game.theta[1], create_graph=True)
    (cross,) = torch.autograd.grad(gradient.sum(), game.theta[0], allow_unused=True)
    assert cross is None


def test_both_forms_have_the_same_first_derivative_on_every_sample():
    """sum_t gamma^t (R_t - b_t) grad log pi_t, on any matches and with any baseline."""
    generator = torch.Generator().manual_seed(0)
    log_probs = torch.randn(3, 4, 6, dtype=torch.float64, generator=generator).requires_grad_()
    reward, baseline = torch.randn(2, 3, 4, 6, dtype=torch.float64, generator=generator)
    returns = discounted_returns(reward, GAMMA)
    weights = GAMMA ** torch.arange(6, dtype=torch.float64) * (returns - baseline) / 4
    for value in (
        dice_objective(log_probs, reward, baseline, GAMMA),
        loaded_dice_objective(log_probs, returns, baseline, GAMMA),
    ):
        assert value.shape == (3,)
        (gradient,) = torch.autograd.grad(value.sum(), log_probs)
        torch.testing.assert_close(gradient, weights, atol=1e-14, rtol=1e-12)
