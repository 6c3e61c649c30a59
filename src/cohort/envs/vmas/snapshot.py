"""What a VMAS world remembers, for which it has no function: every tensor, number and reference in its objects.

Objects are entered once each, those nearest to the root first, and are called by the way to them: "0/3/_state" is the
attribute `_state` of what stands fourth in the root's first list. Who is whose goal is a reference to such a name.
"""

import enum
from collections import deque
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

_NUMBERS = (bool, int, float, type(None))


def snapshot(root: list[Any]) -> dict[str, dict[str, Any]]:
    """All tensors (copies), numbers and references below `root`, each under its place."""
    tensors: dict[str, Tensor] = {}
    numbers: dict[str, float | None] = {}
    references: dict[str, str] = {}
    names = {id(value): name for name, value in _entered(root)}
    first: dict[int, str] = {}  # tensors that stand in several places are kept once
    for name, container in _entered(root):
        for key, value in _parts(container):
            place = f"{name}/{key}"
            if isinstance(value, Tensor):
                if id(value) in first:
                    references[place] = first[id(value)]
                else:
                    first[id(value)] = place
                    tensors[place] = value.detach().clone()
            elif type(value) in _NUMBERS:
                numbers[place] = value
            elif names.get(id(value), place) != place:
                references[place] = names[id(value)]
    return {"tensors": tensors, "numbers": numbers, "references": references}


def restore_snapshot(root: list[Any], state: dict[str, dict[str, Any]], device: torch.device) -> None:
    """Put everything back into objects that were made in the same way.

    Raises:
        ValueError: a place is missing; the state is of another scenario or of another version of it.
    """
    objects = dict(_entered(root))
    tensors = {place: tensor.to(device, copy=True) for place, tensor in state["tensors"].items()}
    values = tensors | state["numbers"]
    for place, name in state["references"].items():
        if name not in tensors and name not in objects:
            raise ValueError(f"the saved state has {name}, which this scenario does not have")
        values[place] = tensors[name] if name in tensors else objects[name]
    for place, value in values.items():
        name, _, key = place.rpartition("/")
        if name not in objects:
            raise ValueError(f"the saved state has {place}, which this scenario does not have")
        _put(objects[name], key, value)


def _entered(root: list[Any]) -> Iterator[tuple[str, Any]]:
    """Every object below `root` that has parts, with its name; the nearest first."""
    waiting, known = deque([("", root)]), {id(root)}
    while waiting:
        name, container = waiting.popleft()
        yield name, container
        for key, value in _parts(container):
            if _has_parts(value) and id(value) not in known:
                known.add(id(value))
                waiting.append((f"{name}/{key}", value))


def _has_parts(value: Any) -> bool:
    if isinstance(value, list | tuple | dict):
        return True
    return (
        hasattr(value, "__dict__")
        and not isinstance(value, Tensor | type | enum.Enum)
        and not callable(value)
    )


def _parts(container: Any) -> list[tuple[Any, Any]]:
    if isinstance(container, dict):  # its keys may be objects
        return list(enumerate(container.values()))
    return (
        list(enumerate(container)) if isinstance(container, list | tuple) else list(vars(container).items())
    )


def _put(container: Any, key: str, value: Any) -> None:
    if isinstance(container, dict):
        container[list(container)[int(key)]] = value
    elif isinstance(container, list):
        container[int(key)] = value
    elif not isinstance(container, tuple):  # what stands in a tuple does not change
        vars(container)[key] = value
