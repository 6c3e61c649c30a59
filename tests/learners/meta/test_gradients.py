"""Gradients of several tasks: limited one by one, projected where they conflict."""

import pytest
import torch

from cohort.learners.meta.gradients import clip_rows, pcgrad


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_two_conflicting_gradients_by_hand():
    projected = pcgrad(torch.tensor([[1.0, 0.0], [-1.0, 1.0]]), draw())
    torch.testing.assert_close(projected, torch.tensor([[0.5, 0.5], [0.0, 1.0]]))


def test_gradients_that_agree_stay_as_they_are():
    gradients = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    assert torch.equal(pcgrad(gradients, draw()), gradients)


def test_one_alone_stays_as_it_is_and_the_input_is_not_touched():
    single = torch.tensor([[3.0, -4.0]])
    assert torch.equal(pcgrad(single, draw()), single)
    gradients = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    pcgrad(gradients, draw())
    assert gradients.tolist() == [[1.0, 0.0], [-1.0, 1.0]]


def test_the_order_is_drawn_from_the_generator():
    gradients = torch.randn(6, 4, generator=draw(1))
    assert torch.equal(pcgrad(gradients, draw(2)), pcgrad(gradients, draw(2)))
    assert not torch.equal(pcgrad(gradients, draw(2)), pcgrad(gradients, draw(3)))


def test_after_two_tasks_neither_points_against_the_other():
    first, second = torch.randn(2, 5, generator=draw(4))
    if first @ second > 0:
        second = -second
    one, two = pcgrad(torch.stack([first, second]), draw())
    assert float(one @ second) == pytest.approx(0, abs=1e-5)
    assert float(two @ first) == pytest.approx(0, abs=1e-5)


def test_every_row_is_limited_by_its_own_norm():
    clipped, norms = clip_rows(torch.tensor([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0]]), 1.0)
    assert norms.tolist() == pytest.approx([5.0, 0.5, 0.0])
    torch.testing.assert_close(clipped, torch.tensor([[0.6, 0.8], [0.3, 0.4], [0.0, 0.0]]))
