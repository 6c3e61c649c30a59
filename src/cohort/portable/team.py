"""A team's greedy step as a function of tensors alone, each with the games along its first dimension."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from cohort.controllers.team_policy import TeamPolicy
from cohort.errors import UserError

PAST = "next_"  # before an entry of the memory's name, where it comes out


@dataclass(frozen=True)
class Port:
    """One tensor that goes in or comes out: [B, *shape]."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    def example(self, games: int) -> Tensor:
        return torch.zeros(games, *self.shape, dtype=self.dtype)


@dataclass(frozen=True)
class Remembered:
    """One tensor of a policy's memory, as the policy has it and as it is handed in and out.

    Attributes:
        field: its name in the policy's own memory.
        port: as it goes in.
        initial: the value that it is full of before the first step.
        axis: the dimension in which the policy has its games.
        rows: how many rows there belong to a game, as N in [B N, H].
    """

    field: str
    port: Port
    initial: float
    axis: int
    rows: int

    def handed_out(self, value: Tensor) -> Tensor:
        """From the policy's own layout to [B, *shape]."""
        value = value.movedim(self.axis, 0)
        return value if self.rows == 1 else value.unflatten(0, (-1, self.rows))

    def taken_in(self, value: Tensor) -> Tensor:
        """[B, *shape] -> as the policy has it."""
        return (value if self.rows == 1 else value.flatten(0, 1)).movedim(0, self.axis)


class PortableTeam(nn.Module):
    """(observation, available actions, memory ...) -> (actions, values, memory ...), all [B, ...].

    Last actions and the agents' numbers are put to the observations inside. Where actions are continuous there are no
    available ones.
    """

    def __init__(self, team: TeamPolicy) -> None:
        """Raises `UserError` where the policy cannot be written as such a function."""
        super().__init__()
        if not hasattr(team, "greedy_step"):
            raise UserError(
                f"a policy of {type(team).__name__} cannot be exported: it has no greedy_step, which "
                "cohort.controllers.team_policy describes."
            )
        self.team = _with_weights_of_its_own(team)
        self.kind = type(team.first_memory(1))
        spec = team.spec
        dtype = torch.uint8 if spec.picture else torch.float32
        self.observed = [Port("observation", (spec.n_agents, spec.obs_dim), dtype)]
        if not spec.action_dim:
            self.observed.append(Port("available_actions", (spec.n_agents, spec.n_actions), torch.bool))
        self.memory = _remembered(self)

    @property
    def inputs(self) -> list[Port]:
        return [*self.observed, *(each.port for each in self.memory)]

    @property
    def outputs(self) -> list[Port]:
        step = self(*(port.example(2) for port in self.inputs))
        names = ["actions", "values", *(PAST + each.port.name for each in self.memory)]
        return [
            Port(name, tuple(value.shape[1:]), value.dtype) for name, value in zip(names, step, strict=True)
        ]

    def begin(self, games: int) -> list[Tensor]:
        """The memory before the first step of an episode."""
        return [
            torch.full((games, *each.port.shape), each.initial, dtype=each.port.dtype) for each in self.memory
        ]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        observed, memory = inputs[: len(self.observed)], inputs[len(self.observed) :]
        fields: dict[str, Any] = dict.fromkeys(self.kind._fields)
        for each, value in zip(self.memory, memory, strict=True):
            fields[each.field] = each.taken_in(value)
        step = self.step(observed, self.kind(**fields))
        # an output that is an input's memory, or another output's, is no output of its own to exporters
        after = [each.handed_out(getattr(step.memory, each.field)).clone() for each in self.memory]
        return step.actions, step.values.clone(), *after

    def step(self, observed: Sequence[Tensor], memory: Any) -> Any:
        """The policy's own `greedy_step`."""
        observation, *available = observed
        nothing = observation.new_zeros((*observation.shape[:2], 0), dtype=torch.bool)
        return self.team.greedy_step(observation, available[0] if available else nothing, memory)


@torch.no_grad()
def _with_weights_of_its_own(team: TeamPolicy) -> TeamPolicy:
    """A copy: learners keep weights as parts of long tensors, which exporters would write as a whole."""
    own = copy.deepcopy(team)
    for parameter in own.parameters():
        parameter.data = parameter.data.clone()
    return own


@torch.no_grad()
def _remembered(portable: PortableTeam) -> list[Remembered]:
    """What of the policy's memory is tensors, found by playing a step of 2 and of 3 games."""
    first, (two, three) = portable.team.first_memory(2), (_memory_after(portable, games) for games in (2, 3))
    found = []
    for field in portable.kind._fields:
        after, more, before = getattr(two, field), getattr(three, field), getattr(first, field)
        if after is None:
            continue
        initial = 0 if before is None else before.flatten()[0].item()
        axes = [axis for axis, (a, b) in enumerate(zip(after.shape, more.shape, strict=True)) if a != b]
        if len(axes) != 1 or (before is not None and bool((before != initial).any())):
            raise UserError(
                f"this policy cannot be exported: what it remembers as {field} is not laid out by games."
            )
        (axis,) = axes
        rows = after.shape[axis] // 2
        rest = [size for place, size in enumerate(after.shape) if place != axis]
        port = Port(field, (*([rows] if rows > 1 else []), *rest), after.dtype)
        found.append(Remembered(field, port, initial, axis, rows))
    return found


def _memory_after(portable: PortableTeam, games: int) -> Any:
    observed = [port.example(games) for port in portable.observed]
    return portable.step(observed, portable.team.first_memory(games)).memory
