"""What the tests of factored learners share: double precision, and one row at a time."""

import dataclasses

import torch
from torch import Tensor, nn

from cohort.components.clock import Clock


def double(batch):
    """The same batch in double precision."""
    fields = {field.name: getattr(batch, field.name) for field in dataclasses.fields(batch)}
    floats = {
        name: value.double()
        for name, value in fields.items()
        if isinstance(value, Tensor) and value.dtype == torch.float32
    }
    return dataclasses.replace(batch, **floats)


def unlike_targets(learner):
    """The learner in double precision, with targets unlike the live networks."""
    learner.networks.double()
    learner.targets.networks.double()
    draw = torch.Generator().manual_seed(3)
    for parameter in learner.targets.networks.parameters():
        parameter.data = 0.5 * torch.randn(parameter.shape, generator=draw, dtype=torch.float64)
    return learner


def perceptron(network: nn.Module, row: Tensor) -> Tensor:
    """Linear and ReLU by turns, then Linear: one row, layer by layer."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    for number, layer in enumerate(layers):
        row = layer.weight @ row + layer.bias
        if number < len(layers) - 1:
            row = row.clamp(min=0)
    return row


def one_hot(action: int, actions: int = 4) -> Tensor:
    row = torch.zeros(actions, dtype=torch.float64)
    row[action] = 1
    return row


def lambda_return(rewards, terminated, following, td_lambda: float, gamma: float) -> list[float]:
    """From the last step to the first; `following[t]` is what the state after step t is worth."""
    found, after = [], None
    for reward, ends, value in zip(*map(reversed, (rewards, terminated, following)), strict=True):
        ahead = value if after is None else (1 - td_lambda) * value + td_lambda * after
        after = reward + gamma * (0.0 if ends else ahead)
        found.insert(0, after)
    return found


def assert_same_gradient(one: Tensor, other: Tensor, parameters: list[nn.Parameter]) -> None:
    pairs = [torch.autograd.grad(each, parameters, retain_graph=True) for each in (one, other)]
    for ours, theirs in zip(*pairs, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def assert_goes_on_the_same(ours, again, batch) -> None:
    """Save after three updates into another learner: the next update is the same."""
    for number in range(3):
        ours.update(batch, Clock(steps=1000 * number))
    again.load_state_dict(ours.state_dict())
    one, other = (each.update(batch, Clock(steps=3000)) for each in (ours, again))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert again.updates == 4
