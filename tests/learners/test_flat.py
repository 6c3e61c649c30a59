"""Long tensors against torch's optimiser on the parameters themselves."""

import copy

import pytest
import torch
from torch import nn

from cohort.learners.base import FlatMinimiser
from cohort.learners.flat import FlatParameters


def two_networks() -> nn.ModuleList:
    torch.manual_seed(0)
    return nn.ModuleList([nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)), nn.Linear(2, 1)])


def rmsprop(parameters):
    return torch.optim.RMSprop(parameters, lr=0.01, alpha=0.9, eps=1e-5)


def loss_of(networks, inputs, both):
    """Of the first network alone, or through both."""
    first = networks[0](inputs)
    return networks[1](first).square().mean() + 9 * first.sum() if both else first.square().mean()


@pytest.mark.parametrize("clip", [None, 0.5])
def test_steps_are_torchs_also_of_a_loss_that_leaves_one_network_out(clip):
    ours, theirs = two_networks(), two_networks()
    flat = FlatParameters(list(each.parameters()) for each in ours)
    minimiser = FlatMinimiser(flat, rmsprop(flat.flat), grad_norm_clip=clip)
    reference = rmsprop(theirs.parameters())
    for update, both in enumerate([True, True, False, True, False, True]):
        inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(update))
        norm = minimiser.step(minimiser.gradient(loss_of(ours, inputs, both)))
        reference.zero_grad()
        loss_of(theirs, inputs, both).backward()
        expected = nn.utils.clip_grad_norm_(theirs.parameters(), clip or float("inf"))
        reference.step()
        torch.testing.assert_close(norm, expected)
        for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(mine, other)
            assert (mine.grad is None) == (other.grad is None)
            if mine.grad is not None:
                torch.testing.assert_close(mine.grad, other.grad)


def test_networks_keep_their_names_and_values_and_loading_moves_the_long_tensors():
    networks = two_networks()
    before = copy.deepcopy(networks.state_dict())
    flat = FlatParameters(list(each.parameters()) for each in networks)
    after = networks.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], value) for name, value in after.items())
    networks.load_state_dict({name: value + 1 for name, value in before.items()})
    for long, network in zip(flat.flat, networks, strict=True):
        assert torch.equal(long, torch.cat([each.flatten() for each in network.parameters()]))


def test_a_shared_parameter_moves_once():
    shared, own = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
    start = shared.weight.detach().clone()
    flat = FlatParameters([[shared.weight], [shared.weight, own.weight]])
    assert [len(piece) for piece in flat.pieces] == [1, 1]
    step = FlatMinimiser(flat, torch.optim.SGD(flat.flat, lr=1.0), grad_norm_clip=None)
    step.step(step.gradient(shared.weight.sum() + own.weight.sum()))
    torch.testing.assert_close(shared.weight.detach(), start - 1.0)
