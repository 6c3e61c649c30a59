"""What every learner of a team does besides its own mathematics: step, follow with targets, count, keep state."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.clock import Clock
from cohort.components.episodes import Episodes
from cohort.components.functional import clip_per_agent
from cohort.components.process import subnormals_as_zeros
from cohort.components.recorded import Recorded
from cohort.components.replay import Unit
from cohort.components.schedules import LinearSchedule
from cohort.components.sides import Side
from cohort.components.state import restore, state_of
from cohort.controllers.team_policy import TeamPolicy
from cohort.learners.flat import FlatParameters
from cohort.learners.targets import AVERAGED_POLICY, TargetRule, Targets
from cohort.learners.transfer import Transfer, take_over
from cohort.settings import Settings

Gradient = Sequence[Tensor | None]  # one tensor for each parameter; None where the loss does not depend on it


class Loss(NamedTuple):
    """A scalar to minimise and what to log about it (0-d tensors)."""

    value: Tensor
    metrics: Metrics


class Descent(NamedTuple):
    """A loss, which no graph hangs on any more, and its gradient on what it moves."""

    loss: Loss
    gradient: Gradient


# updates with batches of one shape before their gradients are recorded: as many as recording costs, twice
RECORDED_AFTER = 2000


class Minimiser:
    """Differentiate, clip, step: the one place where it is done."""

    def __init__(
        self,
        parameters: Sequence[Tensor],
        optimiser: torch.optim.Optimizer,
        *,
        grad_norm_clip: float | None,
        per_agent: bool = False,
    ) -> None:
        """Steps of `optimiser`, which has just these parameters.

        Args:
            parameters: what moves.
            optimiser: how.
            grad_norm_clip: largest norm of the whole gradient, or of each agent's; None for no limit.
            per_agent: parameters are stacked, [N, ...], and each agent's gradient is clipped by itself.
        """
        self.parameters, self.optimiser = list(parameters), optimiser
        self.limit = math.inf if grad_norm_clip is None else grad_norm_clip
        self.per_agent = per_agent

    def set_rate(self, rate: float) -> None:
        """The optimiser's learning rate from now on."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate

    def gradient(self, loss: Tensor) -> Gradient:
        """d loss / d parameters; frees the graph."""
        return torch.autograd.grad(loss, self.parameters, allow_unused=True)

    def step(self, gradient: Gradient) -> Tensor:
        """Move, and say how long the gradient was (with `per_agent`: on average); that is where a NaN shows."""
        norms = None
        if self.per_agent:
            gradient, norms = clip_per_agent(gradient, self.limit)
        for parameter, each in zip(self.parameters, gradient, strict=True):
            parameter.grad = each
        norm = nn.utils.clip_grad_norm_(self.parameters, self.limit) if norms is None else norms.mean()
        self.optimiser.step()
        return norm


class FlatMinimiser(Minimiser):
    """The same for parameters in long tensors, whose optimiser has those: less work for many small parameters."""

    def __init__(
        self, flat: FlatParameters, optimiser: torch.optim.Optimizer, *, grad_norm_clip: float | None
    ) -> None:
        """Steps of `optimiser`, which has just `flat.flat`."""
        super().__init__(flat.parameters, optimiser, grad_norm_clip=grad_norm_clip)
        self.flat = flat

    def step(self, gradient: Gradient) -> Tensor:
        self.flat.set_gradient(gradient)
        norm = nn.utils.clip_grad_norm_(self.flat.flat, self.limit)
        self.optimiser.step()
        return norm


class DiscountSettings(Settings):
    gamma: float = Field(ge=0, le=1, description="discount factor")


class Learner(ABC):
    """Owns live networks, target copies and what moves them; a method adds `step`.

    Networks, losses and targets have names. A method says once which parameters a loss moves (`add_loss`), then
    `minimise`s it; which networks have targets and how those follow is `target_rules`.
    """

    Settings: ClassVar[type[DiscountSettings]] = DiscountSettings

    parts: ClassVar[tuple[str, ...]] = ()
    """The roles it builds instances of, `mixer` or `critic`: it receives `make_mixer` or `make_critic`."""
    policy_kind: ClassVar[str | tuple[str, ...]]
    """The kinds of policy it trains, as heads name them."""
    learns_from: ClassVar[Unit] = "episodes"
    """What `step` reads: `Episodes`, or single steps as `Transitions`."""
    weights: ClassVar[str | None] = None
    """Whether the agents' networks have to be `own` or `shared`; None where it makes no difference."""
    recurrent: ClassVar[bool | None] = None
    """False where the agents' networks must not remember, as those that are learned from single steps."""
    critic_values: ClassVar[str | None] = None
    """What a critic of its `parts` has to value, as critics name it."""
    extras: ClassVar[tuple[str, ...]] = ()
    """What acting has to leave in the record besides, as `log_prob`."""
    provides: ClassVar[tuple[str, ...]] = ()
    """What it can do beyond `update`, for trainers that need it."""
    subject: ClassVar[str] = "team"
    """What it teaches."""
    sides: tuple[Side, ...] = ()
    """Of the game that its batches are of, where it has several."""

    def __init__(
        self,
        settings: Any,
        networks: Mapping[str, nn.Module],
        target_rules: Mapping[str, TargetRule],
    ) -> None:
        self.settings = settings
        self.networks = nn.ModuleDict(networks)
        self.targets = Targets(self.networks, target_rules)
        self.updates = 0
        self._minimisers: dict[str, Minimiser] = {}
        self._prefixes: dict[str, str] = {}
        self._rates: dict[str, LinearSchedule] = {}
        self._kept: dict[str, Any] = {}
        # environment steps at the latest update, for exploration that is part of what is learned
        self.t_env = 0
        self.clock = Clock()  # the trainer's at the latest update

    def add_loss(
        self,
        name: str,
        parameters: Sequence[Tensor] | FlatParameters,
        optimiser: torch.optim.Optimizer,
        *,
        grad_norm_clip: float | None,
        per_agent: bool = False,
        prefix: str | None = None,
        rate: LinearSchedule | None = None,
    ) -> None:
        """Let the loss `name` move these parameters, by this optimiser of theirs.

        `Minimiser` explains the limits. With `FlatParameters` the optimiser has their long tensors. `prefix` stands
        before what is logged, where it is not `<name>_`. `rate` is the optimiser's learning rate by environment steps,
        set before every update and logged as `<name>_lr`; without one the optimiser's stays.
        """
        self._minimisers[name] = (
            FlatMinimiser(parameters, optimiser, grad_norm_clip=grad_norm_clip)
            if isinstance(parameters, FlatParameters)
            else Minimiser(parameters, optimiser, grad_norm_clip=grad_norm_clip, per_agent=per_agent)
        )
        self._prefixes[name] = f"{name}_" if prefix is None else prefix
        if rate is not None:
            self._rates[name] = rate

    def add_networks_loss(
        self,
        name: str,
        networks: Sequence[str],
        optimiser: Callable[[list[nn.Parameter]], torch.optim.Optimizer],
        *,
        grad_norm_clip: float | None,
    ) -> None:
        """`add_loss` of whole networks by their names, whose parameters `optimiser` gets as a few long tensors."""
        parameters = FlatParameters(list(self.networks[each].parameters()) for each in networks)
        self.add_loss(name, parameters, optimiser(parameters.flat), grad_norm_clip=grad_norm_clip)

    def keep(self, **parts: Any) -> None:
        """Have these saved with the learner: whatever has a state_dict, and generators."""
        self._kept |= parts

    def minimise(self, name: str, loss: Loss) -> Metrics:
        """One step down a loss. Parameters it does not depend on stay as they are."""
        return self.step_along(name, self.gradient(name, loss), loss)

    def parameters_of(self, name: str) -> Sequence[Tensor]:
        """What a loss moves, in the order of its gradient."""
        return self._minimisers[name].parameters

    def gradient(self, name: str, loss: Loss) -> Gradient:
        """Of a loss, on the parameters that it moves."""
        return self._minimisers[name].gradient(loss.value)

    def step_along(self, name: str, gradient: Gradient, loss: Loss) -> Metrics:
        """One step along a gradient that a method has changed; logs `<name>_loss` and `<name>_grad_norm`."""
        norm, prefix = self._minimisers[name].step(gradient), self._prefixes[name]
        return {f"{prefix}loss": loss.value.detach(), f"{prefix}grad_norm": norm, **loss.metrics}

    def descents(self, losses: Mapping[str, Loss]) -> dict[str, Descent]:
        """Several losses with their gradients, all at the parameters of this moment."""
        return {
            name: Descent(Loss(loss.value.detach(), loss.metrics), self.gradient(name, loss))
            for name, loss in losses.items()
        }

    def descend(self, descents: Mapping[str, Descent]) -> Metrics:
        """One step along each."""
        metrics: Metrics = {}
        for name, (loss, gradient) in descents.items():
            metrics |= self.step_along(name, gradient, loss)
        return metrics

    def recorded_descents(
        self, losses: Callable[..., Mapping[str, Loss]]
    ) -> Callable[..., dict[str, Descent]]:
        """`descents` of a pure function of tensors, without Python between its operations once it has run for a while.

        For methods whose batches have one shape, as those of single steps: where networks are small, Python is most of
        what their updates cost. The numbers are the same bit for bit. On a GPU nothing is recorded.
        """
        return self.recorded(lambda *arguments: self.descents(losses(*arguments)))

    def recorded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A pure function of tensors that differentiates by itself, as in `recorded_descents`."""
        on_cpu = next(self.networks.parameters()).device.type == "cpu"
        return Recorded(function, RECORDED_AFTER, differentiates=True) if on_cpu else function

    @abstractmethod
    def step(self, batch: Any) -> Metrics:
        """One update of the live networks from `Episodes` or `Transitions`, whichever it learns from."""

    def update(self, batch: Any, clock: Clock) -> Metrics:
        """One update, which the targets follow. `clock` is the trainer's, this update not yet counted."""
        metrics = self.step_at(batch, clock)
        self.targets.follow(clock._replace(updates=self.updates))
        return metrics

    def step_at(self, batch: Any, clock: Clock) -> Metrics:
        """`step` with the learning rates of this moment, counted as an update. No target follows it.

        Rates, and whatever a method reads off `t_env`, follow from the clock alone, so that a resumed run has the same
        without keeping them.
        """
        self.t_env, self.clock = clock.steps, clock
        rates: Metrics = {}
        for name, schedule in self._rates.items():
            rate = schedule.at(clock.steps)
            self._minimisers[name].set_rate(rate)
            rates[f"{self._prefixes[name]}lr"] = torch.tensor(rate, dtype=torch.float64)
        with subnormals_as_zeros():
            metrics = self.step(batch)
        self.updates += 1
        return metrics | rates

    def tested(self, policy: TeamPolicy) -> TeamPolicy:
        """What is tested, watched and loaded to play: the average of the `policy` that learns, if there is one."""
        return self.targets[AVERAGED_POLICY] if AVERAGED_POLICY in self.targets.rules else policy

    def transfer(self, state: Mapping[str, Any]) -> dict[str, Transfer]:
        """Begin with what matches of another learner's saved networks and targets; all else begins anew."""
        networks = take_over(self.networks, state["networks"])
        return {"networks": networks, "targets": self.targets.take_over(state["targets"]["networks"])}

    def diagnostics(self, episodes: Episodes) -> Metrics:
        """What is worth logging but too dear for every update. Changes nothing."""
        return {}

    @property
    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """By the names of the losses that they step down."""
        return {name: each.optimiser for name, each in self._minimisers.items()}

    @property
    def _state(self) -> dict[str, Any]:
        return {
            "networks": self.networks,
            "targets": self.targets,
            "optimisers": self.optimisers,
            "parts": self._kept,
        }

    def state_dict(self) -> dict[str, Any]:
        return {**state_of(self._state), "updates": self.updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        restore(self._state, state)
        self.updates = state["updates"]

    def begin_with(self, state: Mapping[str, Any]) -> None:
        """Begin a run with a saved learner: its counts of episodes and steps start anew."""
        self.load_state_dict(state)
        self.targets.restart()
