"""Recorded functions beside the functions themselves."""

from dataclasses import dataclass
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from cohort.components.recorded import Recorded


class Pair(NamedTuple):
    left: Tensor
    right: Tensor


CONSTANT = torch.tensor([0.5, -2.0, 3.0])


def program(pair: Pair, more: dict[str, Tensor]) -> tuple[Pair, dict[str, Tensor], Tensor]:
    """Everything that a step does: constants, comparisons, scattering, writing in place, sizes."""
    total = torch.zeros_like(pair.left).scatter_add_(1, more["index"], pair.left * CONSTANT)
    left = torch.where(total > 0.25, total, pair.right.expand(len(total), -1)).mul_(1.5)
    return Pair(left, total.sum(1) / total.shape[1]), {"over": left.all(1)}, more["index"]


def arguments(seed: int) -> tuple[Pair, dict[str, Tensor]]:
    draw = torch.Generator().manual_seed(seed)
    pair = Pair(torch.randn(5, 3, generator=draw), torch.randn(1, 3, generator=draw))
    return pair, {"index": torch.randint(3, (5, 3), generator=draw)}


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_numbers_and_forms_are_the_functions_own(mode):
    recorded = Recorded(program)
    for seed in range(4):  # the first call records, the others do not run the function
        given = arguments(seed)
        with mode():
            (pair, over, index), (own_pair, own_over, own_index) = recorded(*given), program(*given)
        assert type(pair) is Pair
        assert all(torch.equal(*each) for each in zip(pair, own_pair, strict=True))
        assert over.keys() == {"over"}
        assert torch.equal(over["over"], own_over["over"])
        assert torch.equal(index, own_index)


def test_the_function_runs_once_and_its_arguments_stay_as_they_are():
    calls = []

    def counted(pair: Pair) -> Pair:
        calls.append(1)
        return Pair(pair.right + 1, pair.left - 1)

    recorded, given = Recorded(counted), arguments(0)[0]
    copies = [each.clone() for each in given]
    results = [recorded(given) for _ in range(3)]
    assert len(calls) == 1
    assert all(torch.equal(*each) for each in zip(given, copies, strict=True))
    assert all(torch.equal(each.left, given.right + 1) for each in results)
    assert (
        results[0].left.data_ptr() != results[1].left.data_ptr()
    )  # nothing that was handed out is written again


def test_the_first_calls_of_each_shape_may_run_the_function_itself():
    calls = []

    def counted(pair: Pair) -> Pair:
        calls.append(len(pair.left))
        return Pair(pair.left + 1, pair.right)

    recorded = Recorded(counted, after=2)
    for games in (2, 2, 3, 2, 2, 3, 3):
        pair = Pair(torch.randn(games, 3), torch.randn(1, 3))
        assert torch.equal(recorded(pair).left, pair.left + 1)
    assert calls == [2, 2, 3, 2, 3, 3]  # the third call of each is the one that is recorded


def test_each_shape_is_recorded_once():
    calls = []

    def counted(pair: Pair) -> Pair:
        calls.append(len(pair.left))
        return Pair(pair.left.expand(len(pair.left), -1) + 1, pair.right)

    recorded = Recorded(counted)
    for games in (2, 3, 2, 3):
        pair = Pair(torch.randn(games, 3), torch.randn(1, 3))
        assert torch.equal(recorded(pair).left, pair.left + 1)
    assert calls == [2, 3]


def test_recording_says_nothing_and_loads_no_compiler(recwarn):
    Recorded(program)(*arguments(0))
    assert not recwarn.list


@dataclass(frozen=True)
class Sample:
    left: Tensor
    right: Tensor | None


def test_gradients_are_recorded_and_follow_what_is_written_into_parameters():
    """d/dw of sum (w x)^2 is 2 w x^2; what the gradient does not reach stays None."""
    weight, unused = (torch.tensor([2.0, -1.0], requires_grad=True) for _ in range(2))
    calls = []

    def differentiated(sample: Sample) -> tuple[tuple[Tensor | None, ...], Sample]:
        calls.append(1)
        loss = (weight * sample.left).square().sum()
        gradient = torch.autograd.grad(loss, (weight, unused), allow_unused=True)
        return gradient, Sample(loss.detach(), sample.right)

    recorded = Recorded(differentiated, after=1, differentiates=True)
    for call in range(4):
        x = torch.tensor([1.0 + call, 3.0])
        (slope, none), sample = recorded(Sample(x, None))
        assert torch.equal(slope, 2 * weight.detach() * x.square())
        assert none is None
        assert sample.right is None
        assert torch.equal(sample.left, (weight.detach() * x).square().sum())
        assert not slope.requires_grad
        weight.data.mul_(0.5)
    assert len(calls) == 2
