"""What every learner does besides its own mathematics: follow with targets, count, keep state."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.settings import Settings


class DiscountSettings(Settings):
    gamma: float = Field(ge=0, le=1, description="discount factor")


class LearnerSettings(DiscountSettings):
    target_update_interval: int = Field(
        ge=1, description="episodes between two copies into the target networks"
    )


class Learner(ABC):
    """Owns the live networks and their target copies; a method adds `step`."""

    Settings = LearnerSettings

    parts: ClassVar[tuple[str, ...]] = ()
    """Which of the roles `mixer` and `critic` this learner is built with, by these names."""

    subject = "team"  # what it teaches

    def __init__(self, settings: DiscountSettings, networks: nn.ModuleDict) -> None:
        self.settings = settings
        self.networks = networks
        self.targets = copy.deepcopy(networks).requires_grad_(False)
        self.updates = 0
        self._last_sync = 0  # in collected episodes

    @abstractmethod
    def step(self, batch: Any) -> Metrics:
        """One update of the live networks from what the memory gave (`Episodes` or `Transitions`)."""

    def update(self, batch: Any, *, episode: int) -> Metrics:
        """One update, which the targets follow; `episode` is the count of collected episodes."""
        metrics = self.step(batch)
        self.updates += 1
        self.follow(episode)
        return metrics

    def follow(self, episode: int) -> None:
        """The targets become the live networks every `target_update_interval` episodes."""
        if episode - self._last_sync >= self.settings.target_update_interval:
            self.targets.load_state_dict(self.networks.state_dict())
            self._last_sync = episode

    def diagnostics(self, episodes: Episodes) -> Metrics:
        """What is worth logging but too dear for every update. Changes nothing."""
        return {}

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        """Those that a method steps with, by the names that their state is kept under."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {
            "networks": self.networks.state_dict(),
            "targets": self.targets.state_dict(),
            "updates": self.updates,
            "last_sync": self._last_sync,
            **{name: optimiser.state_dict() for name, optimiser in self.optimisers.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.networks.load_state_dict(state["networks"])
        self.targets.load_state_dict(state["targets"])
        self.updates, self._last_sync = state["updates"], state["last_sync"]
        for name, optimiser in self.optimisers.items():
            load_optimiser(optimiser, state[name])


class SoftLearnerSettings(DiscountSettings):
    target_update_rate: float = Field(
        gt=0, le=1, description="share of the way to the live networks that the targets go with every update"
    )


class SoftLearner(Learner):
    """Targets that follow a little with every update."""

    Settings = SoftLearnerSettings

    @torch.no_grad()
    def follow(self, episode: int) -> None:
        """Parameters alone: running statistics are each network's own."""
        for target, live in zip(self.targets.parameters(), self.networks.parameters(), strict=True):
            target.lerp_(live, self.settings.target_update_rate)


class LossLearnerSettings(LearnerSettings):
    lr: float = Field(gt=0, description="learning rate of RMSprop")
    optim_alpha: float = Field(ge=0, lt=1, description="RMSprop's smoothing of squared gradients")
    optim_eps: float = Field(gt=0, description="RMSprop's term for numerical stability")
    grad_norm_clip: float = Field(gt=0, description="largest norm of the whole gradient")


class Loss(NamedTuple):
    """A scalar to minimise and what to log about it (0-d tensors)."""

    value: Tensor
    metrics: Metrics


class LossLearner(Learner):
    """One loss over whole episodes, one optimiser for all networks; a method adds `loss`."""

    Settings = LossLearnerSettings
    learns_from = "episodes"

    def __init__(self, settings: LossLearnerSettings, networks: nn.ModuleDict) -> None:
        super().__init__(settings, networks)
        self.parameters = [each for each in networks.parameters() if each.requires_grad]
        self.optimiser = torch.optim.RMSprop(
            self.parameters, lr=settings.lr, alpha=settings.optim_alpha, eps=settings.optim_eps
        )

    @abstractmethod
    def loss(self, episodes: Episodes) -> Loss:
        """The method itself."""

    def step(self, batch: Episodes) -> Metrics:
        return self.descend(self.loss(batch))

    def descend(self, loss: Loss) -> Metrics:
        """One step of the optimiser down one loss. Parameters it does not depend on stay as they are."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.value.backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, self.settings.grad_norm_clip)
        self.optimiser.step()
        return {"loss": loss.value.detach(), "grad_norm": norm, **loss.metrics}

    @property
    def optimisers(self) -> Mapping[str, torch.optim.Optimizer]:
        return {"optimiser": self.optimiser}


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restore what an optimiser has gathered. Its rates are the settings', not those of the run that saved it."""
    own = [
        {key: value for key, value in group.items() if key != "params"} for group in optimiser.param_groups
    ]
    optimiser.load_state_dict(copy.deepcopy(state))  # torch would keep the given tensors and write to them
    for group, rates in zip(optimiser.param_groups, own, strict=True):
        group.update(rates)
