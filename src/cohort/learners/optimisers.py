"""torch's optimisers as they are, without torch's compiler.

The first step of one, and saving it, would import `torch._dynamo` with sympy and half of torch.distributed behind it: a
second and 70 MB, for marks that only a compiler reads. The numbers and the state are torch's own.
"""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer

_MARKED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")


def _unmarked(method: Callable[..., Any]) -> Callable[..., Any]:
    """The method below its decorators, as far as they say what is below them."""
    return inspect.unwrap(method)


class RMSprop(torch.optim.RMSprop):
    """torch's."""


class Adam(torch.optim.Adam):
    """torch's."""


class Adagrad(torch.optim.Adagrad):
    """torch's."""


class SGD(torch.optim.SGD):
    """torch's."""


for _kind in (RMSprop, Adam, Adagrad, SGD):
    _kind.step = torch.no_grad()(_unmarked(_kind.step))
    for _name in _MARKED:
        setattr(_kind, _name, _unmarked(getattr(Optimizer, _name)))
