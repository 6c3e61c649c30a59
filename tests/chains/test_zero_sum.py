"""Learning in the zero-sum game of appendix F, against the recurrences that one gets by hand."""

from math import hypot, sqrt

import pytest
import torch

from cohort.chains.zero_sum import objective_of, path

STEP = 0.1


def by_hand(rule: str, x: float, y: float, look: float) -> tuple[float, float]:
    """Both agents' slopes. After one update of both, x' = x + a y and y' = y - b x with the rates a and b."""
    if rule == "gradient":
        return y, -x
    if rule == "lola_taylor":  # x y - look [x] x, [x] held; -x y - look [y] y, [y] held
        return y - look * x, -x - look * y
    if rule == "lola":  # x (y - look x); -(x + look y) y
        return y - 2 * look * x, -x - 2 * look * y
    # (x + look y)(y - look x) for agent 0, its negative for agent 1
    return y * (1 - look**2) - 2 * look * x, -x * (1 - look**2) - 2 * look * y


@pytest.mark.parametrize("rule", ["gradient", "lola", "lola_taylor", "meta_mapg"])
@pytest.mark.parametrize("look", [0.1, 0.3])
def test_paths_are_those_of_the_recurrence(rule: str, look: float) -> None:
    found = path(rule, step=STEP, look=look, steps=20, start=(1.0, -0.5))
    x, y = 1.0, -0.5
    for place in range(21):
        assert found[place].tolist() == pytest.approx([x, y], abs=1e-12)
        slopes = by_hand(rule, x, y, look)
        x, y = x + STEP * slopes[0], y + STEP * slopes[1]


@pytest.mark.parametrize("look", [0.1, 0.3])
def test_the_distance_to_the_equilibrium_changes_by_the_same_factor_in_every_step(look: float) -> None:
    factors = {
        "gradient": sqrt(1 + STEP**2),
        "lola_taylor": hypot(1 - STEP * look, STEP),
        "lola": hypot(1 - 2 * STEP * look, STEP),
        "meta_mapg": hypot(1 - 2 * STEP * look, STEP * (1 - look**2)),
    }
    for rule, factor in factors.items():
        distance = path(rule, step=STEP, look=look, steps=10).norm(dim=1)
        assert (distance[1:] / distance[:-1]).tolist() == pytest.approx([factor] * 10), rule


@pytest.mark.parametrize(
    ("look", "gradient", "taylor", "lola", "meta_mapg"),
    [(0.1, 2.32586, 0.85994, 0.31481, 0.31160), (0.3, 2.32586, 0.11409, 0.00510, 0.00463)],
)
def test_plain_gradients_spiral_out_and_those_that_know_the_other_learns_spiral_in(
    look: float, gradient: float, taylor: float, lola: float, meta_mapg: float
) -> None:
    """100 steps of 0.1 from (1, 1)."""
    rules = ("gradient", "lola_taylor", "lola", "meta_mapg")
    found = [path(rule, step=STEP, look=look, steps=100)[-1].norm().item() for rule in rules]
    assert found == pytest.approx([gradient, taylor, lola, meta_mapg], abs=6e-6)


def test_the_look_ahead_gradient_by_hand() -> None:
    """y - 2 look x."""
    point = torch.tensor([1.0, 0.5], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(objective_of("lola", point, 0, 0.3), point)
    assert slope[0].item() == pytest.approx(-0.1)
