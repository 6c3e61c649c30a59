"""Target networks by name: copies that follow live networks, each by a rule of its own."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.clock import Clock, ClockUnit
from cohort.learners.transfer import Transfer, take_over
from cohort.settings import Settings


@dataclass(frozen=True)
class HardUpdate:
    """The target becomes the live network every `every` of `unit`; `of` names it where the names differ."""

    every: int
    unit: ClockUnit = "episodes"
    of: str | None = None


@dataclass(frozen=True)
class SoftUpdate:
    """With every update the target goes `rate` of the way to the live network's parameters.

    Running statistics are each network's own.
    """

    rate: float
    of: str | None = None


@dataclass(frozen=True)
class Average:
    """The target is the live network's exponential moving average: with every update it keeps `decay` of itself.

    Early on it keeps less, min(decay, (1 + u) / (10 + u)) at update u, so that the weights of the beginning, which
    taught nobody anything, are forgotten within some ten updates; that needs no state, where a correction of the bias
    would keep a sum beside the network. Running statistics are averages already: they are copied.
    """

    decay: float
    of: str | None = None

    def kept(self, updates: int) -> float:
        """The share of itself that it keeps at this update, the first being 1."""
        return min(self.decay, (1 + updates) / (10 + updates))


@dataclass(frozen=True)
class OnRequest:
    """The target becomes the live network when the method says so, by `targets.renew(name)`."""

    of: str | None = None


TargetRule = HardUpdate | SoftUpdate | Average | OnRequest


class HardTargetSettings(Settings):
    target_update_interval: int = Field(
        ge=1, description="episodes between two copies into the target networks"
    )

    @property
    def target_rule(self) -> HardUpdate:
        return HardUpdate(self.target_update_interval)


class SoftTargetSettings(Settings):
    target_update_rate: float = Field(
        gt=0, le=1, description="share of the way to the live networks that the targets go with every update"
    )

    @property
    def target_rule(self) -> SoftUpdate:
        return SoftUpdate(self.target_update_rate)


class ChosenTargetSettings(HardTargetSettings, SoftTargetSettings):
    # a file that does not extend a family need not name what it does not want
    target_mode: Literal["hard", "soft"] = Field(
        default="hard",
        description="targets are copied every target_update_interval episodes, or follow by target_update_rate",
    )
    target_update_rate: float = Field(
        default=0.01,
        gt=0,
        le=1,
        description="share of the way to the live networks that the targets go with every update",
    )

    @property
    def target_rule(self) -> HardUpdate | SoftUpdate:
        if self.target_mode == "hard":
            return HardUpdate(self.target_update_interval)
        return SoftUpdate(self.target_update_rate)


AVERAGED_POLICY = "averaged_policy"


class PolicyAverageSettings(Settings):
    policy_average: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of itself that the averaged policy keeps with every update; it is the one that is tested, "
        "watched and loaded to play. 0: none, these take the policy that learns",
    )

    @property
    def average_rules(self) -> dict[str, TargetRule]:
        return {AVERAGED_POLICY: Average(self.policy_average, of="policy")} if self.policy_average else {}


class Targets:
    """`targets["mixer"]` is the copy of the live mixer. Nothing differentiates through its parameters."""

    def __init__(self, networks: nn.ModuleDict, rules: Mapping[str, TargetRule]) -> None:
        """Copies of those of `networks` that `rules` names, as they are now."""
        self.rules = dict(rules)
        self._live = {name: networks[rule.of or name] for name, rule in self.rules.items()}
        copies = {name: copy.deepcopy(network) for name, network in self._live.items()}  # each its own
        self.networks = nn.ModuleDict(copies).requires_grad_(False)
        # the target's and the live ones: loading and optimisers write into them, so these lists stay right
        self._parameters = {
            name: (list(self.networks[name].parameters()), list(live.parameters()))
            for name, live in self._live.items()
        }
        self.last_copy = dict.fromkeys(self.rules, 0)  # in the rule's unit

    def __getitem__(self, name: str) -> Any:
        return self.networks[name]

    @torch.no_grad()
    def follow(self, clock: Clock) -> None:
        """What each rule asks for after an update."""
        for name, rule in self.rules.items():
            if isinstance(rule, SoftUpdate):
                self._approach(name, rule.rate)
            elif isinstance(rule, Average):
                self._approach(name, 1 - rule.kept(clock.updates))
                _copy_buffers(self.networks[name], self._live[name])
            elif isinstance(rule, HardUpdate):
                now = getattr(clock, rule.unit)
                if now - self.last_copy[name] >= rule.every:
                    self.renew(name)
                    self.last_copy[name] = now

    def _approach(self, name: str, rate: float) -> None:
        """Go `rate` of the way to the live network's parameters."""
        targets, live = self._parameters[name]
        if targets:  # VDN's mixer has none, and torch refuses an empty list
            # as torch.optim.swa_utils does: one call, not one a parameter
            torch._foreach_lerp_(targets, live, rate)

    def renew(self, name: str) -> None:
        """The target becomes the live network."""
        self.networks[name].load_state_dict(self._live[name].state_dict())

    @torch.no_grad()
    def copy_now(self, clock: Clock) -> None:
        """Make the copies of hard rules, whenever the last ones were. Averages copy what they do not average."""
        for name, rule in self.rules.items():
            if isinstance(rule, HardUpdate):
                self.renew(name)
                self.last_copy[name] = getattr(clock, rule.unit)
            elif isinstance(rule, Average):
                _copy_buffers(self.networks[name], self._live[name])

    def take_over(self, saved: Mapping[str, Tensor]) -> Transfer:
        """What matches of saved targets; one that was not saved becomes its live network as that is now."""
        for name in self.rules:
            if not any(each.startswith(f"{name}.") for each in saved):
                self.renew(name)
        return take_over(self.networks, saved)

    def restart(self) -> None:
        """Count from zero, as a run does that begins with saved networks."""
        self.last_copy = dict.fromkeys(self.rules, 0)

    def state_dict(self) -> dict[str, Any]:
        return {"networks": self.networks.state_dict(), "last_copy": dict(self.last_copy)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.networks.load_state_dict(state["networks"])
        self.last_copy = dict(state["last_copy"])


def _copy_buffers(target: nn.Module, live: nn.Module) -> None:
    for into, buffer in zip(target.buffers(), live.buffers(), strict=True):
        into.copy_(buffer)
