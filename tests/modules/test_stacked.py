"""N networks in one product against N networks one by one."""

import math

import pytest
import torch
from torch import nn

from cohort.modules.stacked import ACTIVATIONS, StackedLinear, StackedMLP

MODULES = {"relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "tanh": nn.Tanh, "softplus": nn.Softplus}


def one_by_one(stacked: StackedMLP, activation: str) -> list[nn.Sequential]:
    """The same networks as ordinary modules."""
    networks = []
    for n in range(stacked.layers[0].weight.shape[0]):
        parts: list[nn.Module] = []
        for layer in stacked.layers:
            linear = nn.Linear(*layer.weight.shape[1:])
            linear.weight.data, linear.bias.data = layer.weight[n].detach().T, layer.bias[n, 0].detach()
            parts += [linear, MODULES[activation]()]
        networks.append(nn.Sequential(*parts[:-1]))
    return networks


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_values_and_gradients_are_those_of_separate_networks(activation):
    torch.manual_seed(0)
    stacked = StackedMLP(3, (5, 7, 6, 2), activation)
    separate = one_by_one(stacked, activation)
    inputs = torch.randn(3, 11, 5)
    kept = inputs.clone()
    ours, weights = stacked(inputs), torch.randn(3, 11, 2)
    theirs = torch.stack([network(each) for network, each in zip(separate, inputs, strict=True)])
    assert torch.equal(inputs, kept), "inputs are not written to"
    assert torch.allclose(ours, theirs, atol=1e-6)
    (ours * weights).sum().backward()
    (theirs * weights).sum().backward()
    for n, network in enumerate(separate):
        for layer, linear in zip(stacked.layers, network[::2], strict=True):
            assert torch.allclose(layer.weight.grad[n], linear.weight.grad.T, atol=1e-5)
            assert torch.allclose(layer.bias.grad[n, 0], linear.bias.grad, atol=1e-5)


def test_layers_begin_as_torchs_own():
    torch.manual_seed(0)
    layer = StackedLinear(50, 16, 40)
    bound = 1 / math.sqrt(16)
    for values in (layer.weight.detach(), layer.bias.detach()):
        assert values.abs().max() <= bound
        assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert not torch.equal(layer.weight[0], layer.weight[1])
