"""Decisions against torch's own distributions, sums and integrals."""

import math

import pytest
import torch

from cohort.components.distributions import Categorical, Point, SquashedGaussian, Utilities


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def masks() -> torch.Tensor:
    return torch.tensor([[True, False, True, True], [False, True, False, False]])


def test_utilities_choose_the_best_available_action():
    values = torch.tensor([[1.0, 9.0, 3.0, 2.0], [5.0, -1.0, 4.0, 3.0]])
    assert Utilities(values, masks()).mode.tolist() == [2, 1]


def test_a_categorical_is_torchs_over_what_is_available():
    logits = torch.randn(2, 4, generator=generator())
    decision = Categorical(logits, masks())
    for row in range(2):
        theirs = torch.distributions.Categorical(logits=logits[row, masks()[row]])
        torch.testing.assert_close(decision.entropy()[row], theirs.entropy())
        for place, action in enumerate(masks()[row].nonzero()[:, 0]):
            found = decision.log_prob(torch.full((2,), int(action)))[row]
            torch.testing.assert_close(found, theirs.log_prob(torch.tensor(place)))
    drawn = torch.stack([decision.sample(generator(seed)) for seed in range(400)])
    shares = torch.nn.functional.one_hot(drawn, 4).double().mean(0)
    torch.testing.assert_close(shares, decision.log_probs.exp().double(), atol=0.12, rtol=0)
    assert not shares[~masks()].any()
    assert decision.mode.tolist() == decision.log_probs.argmax(-1).tolist()


def test_gradients_of_a_categorical_are_finite_and_leave_the_unavailable_alone():
    logits = torch.randn(2, 4, generator=generator(), dtype=torch.float64, requires_grad=True)
    decision = Categorical(logits, masks())
    loss = decision.entropy().sum() + decision.log_prob(torch.tensor([2, 1])).sum()
    (gradient,) = torch.autograd.grad(loss, logits)
    assert not gradient[~masks()].any()
    chances = logits[0, masks()[0]].softmax(0)
    entropy = -(chances * chances.log()).sum()
    score = torch.tensor([0.0, 1.0, 0.0]) - chances  # d log p(2) / d logits
    expected = -chances * (chances.log() + entropy) + score
    torch.testing.assert_close(gradient[0, masks()[0]], expected.detach())


def test_the_density_of_a_squashed_gaussian_integrates_to_one_and_is_torchs():
    decision = SquashedGaussian(torch.tensor([[0.4]]).double(), torch.tensor([[-0.3]]).double())
    grid = torch.linspace(-1, 1, 200_001, dtype=torch.float64)[1:-1]
    density = decision.log_prob(grid.view(-1, 1)).exp()
    assert float(density.sum() * (grid[1] - grid[0])) == pytest.approx(1, abs=1e-4)
    two = SquashedGaussian(torch.tensor([0.4, -1.0]).double(), torch.tensor([-0.3, 0.2]).double())
    actions = two.sample(generator(1))
    normal = torch.distributions.Normal(two.mean, two.log_std.exp())
    theirs = torch.distributions.TransformedDistribution(normal, torch.distributions.TanhTransform())
    torch.testing.assert_close(two.log_prob(actions), theirs.log_prob(actions).sum())


def test_samples_of_a_squashed_gaussian_follow_it_and_can_be_differentiated():
    mean = torch.full((20_000, 1), 0.5, dtype=torch.float64, requires_grad=True)
    log_std = torch.full((20_000, 1), -1.0, dtype=torch.float64, requires_grad=True)
    actions = SquashedGaussian(mean, log_std).sample(generator())
    u = torch.atanh(actions.detach())
    assert float(u.mean()) == pytest.approx(0.5, abs=5 * math.exp(-1) / math.sqrt(20_000))
    assert float(u.std()) == pytest.approx(math.exp(-1), rel=0.03)
    for_mean, for_std = torch.autograd.grad(actions.sum(), [mean, log_std])
    slope = 1 - actions.detach().square()
    torch.testing.assert_close(for_mean, slope)
    torch.testing.assert_close(for_std, slope * (u - 0.5), rtol=1e-6, atol=1e-9)


def test_an_action_at_the_border_has_a_finite_density_and_gradient():
    mean = torch.zeros(3, requires_grad=True)
    decision = SquashedGaussian(mean, torch.zeros(3))
    density = decision.log_prob(torch.tensor([1.0, -1.0, 0.0]))
    (gradient,) = torch.autograd.grad(density, mean)
    assert density.isfinite()
    assert gradient.isfinite().all()


def test_the_entropy_is_that_before_squashing_and_the_mode_is_the_mean():
    log_std = torch.tensor([-0.5, 0.3])
    decision = SquashedGaussian(torch.tensor([0.2, -0.1]), log_std)
    expected = torch.distributions.Normal(torch.zeros(2), log_std.exp()).entropy().sum()
    torch.testing.assert_close(decision.entropy(), expected)
    torch.testing.assert_close(decision.mode, torch.tanh(torch.tensor([0.2, -0.1])))
    assert torch.equal(Point(decision.mode).mode, decision.mode)


def test_the_entropy_of_a_squashed_gaussian_and_what_it_leaves_near_the_middle():
    """mu .3, sigma .4: .2753 by quadrature; the deviation of an entropy h before squashing is exp(h - 1.4189)."""
    one = SquashedGaussian(torch.tensor([0.3]).double(), torch.tensor([0.4]).double().log())
    u = torch.linspace(-12, 12, 200_001).double().unsqueeze(-1)
    chance = torch.distributions.Normal(0.3, 0.4).log_prob(u).exp().squeeze(-1)
    log_prob = one._log_prob_u(u)
    assert float(-torch.trapezoid(chance * log_prob, u[:, 0])) == pytest.approx(0.2753, abs=1e-4)
    draw = torch.Generator().manual_seed(0)
    many = SquashedGaussian(one.mean.expand(200_000, 1), one.log_std.expand(200_000, 1))
    actions, log_prob = many.of_noise(torch.randn(many.mean.shape, generator=draw))
    assert float(-log_prob.mean()) == pytest.approx(0.2753, abs=0.01)
    torch.testing.assert_close(log_prob, many.log_prob(actions))
    for h, sigma, near in ((-0.7, 0.1202, 0.323), (-1.0, 0.0890, 0.426), (-1.3, 0.0659, 0.552)):
        assert math.exp(h - 1.4189) == pytest.approx(sigma, abs=1e-4)
        middle = SquashedGaussian(torch.zeros(1), torch.tensor([h - 1.4189]))
        assert float(middle.entropy()) == pytest.approx(h, abs=1e-4)
        assert math.erf(math.atanh(0.05) / (sigma * math.sqrt(2))) == pytest.approx(near, abs=1e-3)


def test_a_sample_with_its_chance_has_a_gradient_where_tanh_is_1():
    mean = torch.full((3, 1), 12.0, requires_grad=True)
    log_std = torch.zeros(3, 1, requires_grad=True)
    actions, log_prob = SquashedGaussian(mean, log_std).of_noise(
        torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    )
    assert (actions == 1).all()
    for each in torch.autograd.grad(log_prob.sum(), (mean, log_std)):
        assert torch.isfinite(each).all()
        assert each.all()


def test_straight_through_samples_are_drawn_by_their_chances():
    draws, available = 40_000, torch.tensor([True, True, False, True])
    logits = torch.tensor([0.5, -1.0, 9.0, 1.2], dtype=torch.float64)
    decision = Categorical(logits.expand(draws, -1), available.expand(draws, -1))
    rows = decision.straight_through(torch.Generator().manual_seed(0))
    assert torch.equal(rows.sum(-1), torch.ones(draws, dtype=torch.float64))
    assert ((rows == 0) | (rows == 1)).all()
    chances = decision.log_probs[0].exp()
    error = (chances * (1 - chances) / draws).sqrt()
    assert ((rows.mean(dim=0) - chances).abs() <= 4 * error).all()
    assert not rows[:, 2].any()


def test_the_gradient_of_a_straight_through_sample_is_the_softmaxs():
    """y (g - <y, g>) with y = softmax(log pi + noise), by hand; nothing at what is not available, NaN included."""
    available = torch.tensor([[True, True, False, True], [False, True, False, False]])
    logits = torch.tensor([[0.5, -1.0, math.nan, 1.2], [0.1, 3.0, 0.2, 0.3]], dtype=torch.float64)
    logits.requires_grad_()
    rows = Categorical(logits, available).straight_through(torch.Generator().manual_seed(3))
    slope = torch.tensor([[1.0, -2.0, 5.0, 0.5], [3.0, 1.0, 4.0, 1.0]], dtype=torch.float64)
    (gradient,) = torch.autograd.grad((slope * rows).sum(), logits)
    noise = (
        -torch.empty(2, 4, dtype=torch.float64).exponential_(generator=torch.Generator().manual_seed(3)).log()
    )
    for row in range(2):
        may = [action for action in range(4) if available[row, action]]
        scores = [math.exp(float(logits[row, a] + noise[row, a])) for a in may]
        y = [score / sum(scores) for score in scores]
        assert float(rows[row, may[max(range(len(may)), key=y.__getitem__)]]) == 1
        mean = sum(share * float(slope[row, a]) for share, a in zip(y, may, strict=True))
        for share, action in zip(y, may, strict=True):
            assert abs(float(gradient[row, action]) - share * (float(slope[row, action]) - mean)) < 1e-12
        assert not gradient[row][~available[row]].any()
