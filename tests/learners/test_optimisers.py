"""The optimisers are torch's, number by number and key by key."""

import copy

import pytest
import torch

from cohort.learners import optimisers

KINDS = {
    "rmsprop": ("RMSprop", {"alpha": 0.9, "eps": 1e-5}),
    "adam": ("Adam", {}),
    "amsgrad": ("Adam", {"amsgrad": True}),
    "fused": ("Adam", {"fused": True}),
    "adagrad": ("Adagrad", {}),
    "sgd": ("SGD", {}),
}


def step(optimiser, seed):
    optimiser.zero_grad()
    (parameter,) = optimiser.param_groups[0]["params"]
    parameter.grad = torch.randn(7, generator=torch.Generator().manual_seed(seed))
    optimiser.step()


@pytest.mark.parametrize(("name", "settings"), KINDS.values(), ids=KINDS)
def test_steps_and_states_are_torchs(name, settings):
    first = torch.linspace(-1, 1, 7)
    ours = getattr(optimisers, name)([torch.nn.Parameter(first.clone())], lr=0.1, **settings)
    theirs = getattr(torch.optim, name)([torch.nn.Parameter(first.clone())], lr=0.1, **settings)
    assert isinstance(ours, type(theirs))
    for seed in range(3):
        for each in (ours, theirs):
            step(each, seed)
    mine, reference = ours.state_dict(), theirs.state_dict()
    assert mine["param_groups"] == reference["param_groups"]
    assert mine["state"].keys() == reference["state"].keys()
    for key, value in reference["state"].get(0, {}).items():
        assert value is None or torch.equal(torch.as_tensor(mine["state"][0][key]), torch.as_tensor(value))
    ours.load_state_dict(copy.deepcopy(reference))
    step(ours, 3)
    step(theirs, 3)
    assert torch.equal(ours.param_groups[0]["params"][0], theirs.param_groups[0]["params"][0])
    assert not ours.param_groups[0]["params"][0].grad_fn
