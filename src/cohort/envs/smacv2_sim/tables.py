"""What differs from game to game in the rules of drawn teams, as a few tensors."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from cohort.envs.sc2_sim.battles import Rules, Tables


class Tabulation:
    """Takes the games' own tensors out of rules, and puts them into the rules of other games.

    Which those are, and which of their dimensions is that of the games, is read from rules of one game and of two.
    Those of one shape are stacked, so that a step takes few arguments, and games that begin get theirs in few
    operations.
    """

    def __init__(self, make: Callable[[int], Rules]) -> None:
        """`make` makes the rules of so many games, whichever."""
        self._pattern = make(1)
        self._dims: list[int] = []  # that of the games, of each stack
        self._stack: list[int | None] = []  # for each tensor of the rules: which it is in
        known: dict[tuple[torch.dtype, torch.Size, int], int] = {}
        for one, two in zip(_tensors(self._pattern), _tensors(make(2)), strict=True):
            grows = [dim for dim in range(one.dim()) if one.shape[dim] != two.shape[dim]]
            if not grows:
                self._stack.append(None)
                continue
            alike = (one.dtype, one.shape, *grows)
            if alike not in known:
                known[alike] = len(self._dims)
                self._dims.append(1 + grows[0])
            self._stack.append(known[alike])

    def take(self, rules: Rules) -> Tables:
        """What the games of these rules have for themselves."""
        stacks: list[list[Tensor]] = [[] for _ in self._dims]
        for stack, tensor in zip(self._stack, _tensors(rules), strict=True):
            if stack is not None:
                stacks[stack].append(tensor)
        return tuple(map(torch.stack, stacks))

    def put(self, tables: Tables) -> Rules:
        """The rules whose games have these tables."""
        rows = [iter(table.unbind(0)) for table in tables]
        stacks = iter(self._stack)

        def own(shared: Tensor) -> Tensor:
            stack = next(stacks)
            return shared if stack is None else next(rows[stack])

        return _replaced(self._pattern, own, {})

    def choose(self, mask: Tensor, new: Tables, old: Tables) -> Tables:
        """`new` for the games of `mask` [B], `old` for the others."""
        each = zip(self._dims, new, old, strict=True)
        return tuple(torch.where(mask.view(-1, *[1] * (a.dim() - dim - 1)), a, b) for dim, a, b in each)


def _tensors(value: Any) -> Iterator[Tensor]:
    """All tensors in an object, once each, always in the same order."""
    found: list[Tensor] = []

    def note(tensor: Tensor) -> Tensor:
        found.append(tensor)
        return tensor

    _replaced(value, note, {})
    return iter(found)


def _replaced(value: Any, other: Callable[[Tensor], Tensor], done: dict[int, Any]) -> Any:
    """`value` with `other` of each of its tensors: itself where none changes, else a copy.

    `done` has what came of each object, by its id: what is met twice stays one.
    """
    if id(value) in done:
        return done[id(value)]
    new = value
    if isinstance(value, Tensor):
        new = other(value)
    elif isinstance(value, tuple):
        parts = [_replaced(part, other, done) for part in value]
        if any(part is not was for part, was in zip(parts, value, strict=True)):
            new = type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    elif hasattr(value, "__dict__"):
        parts = {name: _replaced(part, other, done) for name, part in vars(value).items()}
        if any(part is not vars(value)[name] for name, part in parts.items()):
            new = copy.copy(value)
            vars(new).update(parts)
    done[id(value)] = new
    return new
