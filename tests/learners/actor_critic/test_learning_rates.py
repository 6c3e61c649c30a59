"""AdaMa's rates, equations 1 to 3: closed forms, limits and invariants."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cohort.learners.actor_critic.learning_rates import adapted_critic_rate, turned_towards

L, ALPHA, MARGIN = 0.01, 0.99, 0.1


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def critic_rate(rate: float, contribution: float, updates: int, scale: float = 1.0) -> list[float]:
    rates, now = [], scalar(rate)
    for _ in range(updates):
        now = adapted_critic_rate(now, scalar(contribution), alpha=ALPHA, total=L, scale=scale, margin=MARGIN)
        rates.append(float(now))
    return rates


@pytest.mark.parametrize(("contribution", "limit"), [(0.0, 0.001), (1e9, 0.009), (0.3, 0.003), (30.0, 0.009)])
def test_the_critics_rate_goes_to_its_share(contribution, limit):
    assert critic_rate(0.005, contribution, 3000)[-1] == pytest.approx(limit, abs=1e-12)


def test_the_critics_rate_moves_at_the_speed_of_its_average():
    falling = critic_rate(0.005, 0.0, 400)
    assert next(n for n, rate in enumerate(falling, start=1) if rate <= 0.0012) == 299
    half = next(n for n, rate in enumerate(falling, start=1) if rate - 0.001 <= 0.002)
    assert half == 69
    assert falling[9] == pytest.approx(0.001 + 0.004 * ALPHA**10, rel=1e-12)


def turn(gains: list[float], updates: int, **options) -> list[torch.Tensor]:
    """The rates after each update under one constant gain, from the uniform start."""
    gain, norm = torch.tensor(gains, dtype=torch.float64), scalar(0.005)
    rates = torch.full_like(gain, 0.005 / math.sqrt(len(gains)))
    seen = []
    for _ in range(updates):
        rates, _ = turned_towards(rates, gain, norm, alpha=ALPHA, **options)
        seen.append(rates)
    return seen


def test_the_actors_rates_turn_towards_the_gain():
    gain = torch.tensor([1.0, 2, 3, 4], dtype=torch.float64)
    cosines = [float(rates @ gain / rates.norm() / gain.norm()) for rates in turn([1, 2, 3, 4], 1000)]
    for updates, cosine in ((1, 0.91453), (100, 0.98787), (300, 0.99978)):
        assert cosines[updates - 1] == pytest.approx(cosine, abs=5e-6)
    assert cosines[-1] == pytest.approx(0.99999999983, abs=5e-12)
    assert all(after >= before - 1e-15 for before, after in itertools.pairwise(cosines))


def test_equal_gains_leave_equal_rates():
    assert all(len(set(rates.tolist())) == 1 for rates in turn([2.0, 2.0, 2.0], 50))


def test_no_gain_at_all_leaves_the_direction():
    rates = torch.tensor([0.003, 0.004], dtype=torch.float64)
    turned, _ = turned_towards(rates, torch.zeros(2, dtype=torch.float64), scalar(0.01), alpha=0.5)
    assert torch.allclose(turned, 2 * rates, rtol=1e-14)


def test_a_negative_gain_would_turn_ascent_into_descent_after_168_updates():
    free = turn([1.0, -0.2], 200, allow_negative=True)
    assert next(n for n, rates in enumerate(free, start=1) if rates[1] < 0) == 168
    held = turn([1.0, -0.2], 200)
    assert all((rates >= 0).all() for rates in held)
    assert held[-1].tolist() == [pytest.approx(0.005), 0.0]


def test_components_below_zero_are_counted():
    rates = torch.tensor([0.001, 0.001, 0.001], dtype=torch.float64)
    gain = torch.tensor([-1.0, -2.0, 5.0], dtype=torch.float64)
    turned, negative = turned_towards(rates, gain, scalar(0.005), alpha=0.1)
    assert negative == 2
    assert turned.tolist() == [0, 0, pytest.approx(0.005)]


def test_where_nothing_is_left_the_old_direction_stays():
    rates = torch.tensor([0.003, 0.004], dtype=torch.float64)
    gain = torch.tensor([-1.0, -1.0], dtype=torch.float64)
    turned, negative = turned_towards(rates, gain, scalar(0.005), alpha=0.1)
    assert negative == 2
    assert torch.allclose(turned, rates)


positive = st.floats(1e-6, 1e6)


@given(
    gains=st.lists(positive, min_size=2, max_size=6),
    norm=st.floats(0.001, 0.009),
    alpha=st.floats(0, 0.999),
    old=st.floats(1e-5, 1e-2),
)
def test_the_vector_has_the_norm_it_is_given_and_stays_positive(gains, norm, alpha, old):
    rates = torch.full((len(gains),), old, dtype=torch.float64)
    turned, negative = turned_towards(
        rates, torch.tensor(gains, dtype=torch.float64), scalar(norm), alpha=alpha
    )
    assert abs(float(turned.norm()) - norm) < 1e-12
    assert (turned > 0).all()
    assert negative == 0


@given(rate=st.floats(0.001, 0.009), contribution=st.floats(0, 1e6), scale=st.floats(1e-3, 1e3))
def test_the_critics_rate_never_leaves_its_bounds(rate, contribution, scale):
    new = float(
        adapted_critic_rate(
            scalar(rate), scalar(contribution), alpha=ALPHA, total=L, scale=scale, margin=MARGIN
        )
    )
    assert 0.001 - 1e-15 <= new <= 0.009 + 1e-15
