"""The packed order against loops over moments and episodes, and against torch's own."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

from cohort.components.packing import Packing

CASES = [[3], [2, 2], [3, 8, 1, 5, 8], [1, 1, 4]]


@pytest.mark.parametrize("lengths", CASES)
def test_rows_stand_moment_by_moment_the_longest_episodes_first(lengths):
    steps = max(lengths) + 1  # one step more than any episode has, as in a batch of a longer one's rows
    packing = Packing.of(torch.tensor(lengths), steps)
    order = sorted(range(len(lengths)), key=lambda episode: -lengths[episode])
    moments = [(b, t) for t in range(steps + 1) for b in order if t <= lengths[b]]
    taken = [(b, t) for t in range(steps) for b in order if t < lengths[b]]
    names = torch.tensor([[100 * b + t for t in range(steps + 1)] for b in range(len(lengths))])
    rows = packing.of_moments(names)
    assert rows.tolist() == [100 * b + t for b, t in moments]
    assert packing.of_steps(names[:, :-1]).tolist() == [100 * b + t for b, t in taken]
    assert packing.before_steps(rows).tolist() == [100 * b + t for b, t in taken]
    assert packing.after_steps(rows).tolist() == [100 * b + t + 1 for b, t in taken]
    assert packing.sizes.tolist() == [sum(t <= length for length in lengths) for t in range(steps + 1)]


@pytest.mark.parametrize("lengths", CASES)
def test_torch_packs_the_same_rows(lengths):
    length = torch.tensor(lengths)
    values = torch.randn(len(lengths), max(lengths) + 1, 2)
    packing = Packing.of(length, max(lengths))
    theirs = pack_padded_sequence(values, length + 1, batch_first=True, enforce_sorted=False)
    assert torch.equal(packing.sizes, theirs.batch_sizes)
    for ours, rows in zip(
        packing.of_moments(values).split(packing.sizes.tolist()),
        theirs.data.split(theirs.batch_sizes.tolist()),
        strict=True,
    ):  # episodes of one length may stand in any order
        assert sorted(ours.tolist()) == sorted(rows.tolist())


def test_steps_go_back_to_their_places_with_zeros_and_no_gradient_in_padding():
    packing = Packing.of(torch.tensor([2, 4, 1]), 4)
    values = torch.randn(3, 4, 2, requires_grad=True)
    mask = (torch.arange(4) < torch.tensor([2, 4, 1])[:, None]).unsqueeze(-1)
    back = packing.padded(packing.of_steps(values))
    assert torch.equal(back, torch.where(mask, values, 0.0))
    back.square().sum().backward()
    assert torch.equal(values.grad, torch.where(mask, 2 * values.detach(), 0.0))
