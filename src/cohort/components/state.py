"""Saving and restoring what changes: the one pair of functions behind every `state_dict` and `load_state_dict`."""

import copy
import math
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor


class Stateful(Protocol):
    """Networks, memories, environments, averages, learners."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


Part = Stateful | torch.optim.Optimizer | torch.Generator | Tensor | Mapping[str, Any]  # a mapping of parts


def state_of(parts: Mapping[str, Part]) -> dict[str, Any]:
    """What each part holds at this moment, under its name.

    Tensors are copied. What a `state_dict` gives is as torch gives it: a network's tensors are its own and change with
    it, so whoever keeps the state for later than the next update copies it.
    """
    return {name: _state(part) for name, part in parts.items()}


def restore(parts: Mapping[str, Part], state: Mapping[str, Any]) -> None:
    """Give each part what `state_of` said of it. Names that `state` has besides are not read.

    Tensors are written in place, so that optimisers and whoever else holds them see it. Optimisers keep their own
    rates, as `load_optimiser` says.

    Raises:
        ValueError: `state` lacks a part, or a tensor is of another shape.
    """
    for name, part in parts.items():
        if name not in state:
            raise ValueError(
                f"the saved state has no {name!r}; it has {', '.join(map(str, state)) or 'nothing'}"
            )
        if isinstance(part, Tensor):
            _write(part, state[name], name)
        elif isinstance(part, Mapping):
            restore(part, state[name])
        elif isinstance(part, torch.Generator):
            part.set_state(state[name])
        elif isinstance(part, torch.optim.Optimizer):
            load_optimiser(part, state[name])
        else:
            part.load_state_dict(state[name])


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restore what an optimiser has gathered. Its rates are the settings', not those of the run that saved it."""
    own = [
        {key: value for key, value in group.items() if key != "params"} for group in optimiser.param_groups
    ]
    optimiser.load_state_dict(copy.deepcopy(state))  # torch would keep the given tensors and write to them
    for group, rates in zip(optimiser.param_groups, own, strict=True):
        group.update(rates)


def _state(part: Part) -> Any:
    if isinstance(part, Tensor):
        return part.detach().clone()
    if isinstance(part, Mapping):
        return state_of(part)
    if isinstance(part, torch.Generator):
        return part.get_state()
    return part.state_dict()


@torch.no_grad()
def _write(part: Tensor, saved: Tensor, name: str) -> None:
    if part.shape != saved.shape:  # copying would stretch it
        raise ValueError(f"the saved {name} is {list(saved.shape)}, and here it is {list(part.shape)}")
    part.copy_(saved)


def copied(state: Any) -> Any:
    """Nested dicts, lists and tuples with tensors of their own, on the CPU: what they show of this moment stays."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, Mapping):
        return {name: copied(inner) for name, inner in state.items()}
    return type(state)(copied(inner) for inner in state) if isinstance(state, (list, tuple)) else state


def all_finite(state: Any) -> bool:
    """Whether no number in nested dicts, lists and tuples of tensors and numbers is infinite or none at all."""
    if isinstance(state, Tensor):
        return not state.is_floating_point() or bool(state.isfinite().all())
    if isinstance(state, Mapping):
        return all(all_finite(inner) for inner in state.values())
    if isinstance(state, (list, tuple)):
        return all(all_finite(inner) for inner in state)
    return not isinstance(state, float) or math.isfinite(state)
