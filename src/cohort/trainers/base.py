"""What a run asks of its trainer, whatever the trainer's pieces are."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from cohort.errors import UserError
from cohort.recording.folder import RunFolder

StepCallback = Callable[[], None] | None  # called at the start of a filmed game and after each of its steps


class LearnerState(Protocol):
    """The learner, as far as a run knows it."""

    updates: int

    def state_dict(self) -> dict[str, Any]:
        """What a saved model holds."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it."""


class Trainer(ABC):
    """Collects and learns; knows how far it is, and how good what it has taught is."""

    roles: ClassVar[tuple[str, ...]]
    """The keys of the components it is built from, itself among them. The learner may name more in `parts`.

    With `mac` among them it teaches a team, without it plays chains: `cohort.assembly` has what each kind receives.
    """
    requires_of_learner: ClassVar[tuple[str, ...]] = ()
    """What the learner has to say in `provides`."""
    requires_of_env: ClassVar[tuple[str, ...]] = ()
    """What the environment's class has to say in `provides`."""

    test_metrics: tuple[str, ...] = ()
    """The names that `evaluate` gives, of which one may choose the best model; none where they choose none."""

    t_env: int  # environment steps
    episode: int
    learner: LearnerState

    @abstractmethod
    def iterate(self) -> None:
        """One round of collecting and learning."""

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """What happened since the last call."""

    @abstractmethod
    def evaluate(self, watch: StepCallback = None) -> dict[str, float]:
        """How good what is taught is at this moment, named `test_...`. Training does not notice."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that decides what happens next; the learner's under `learner`, `t_env` under `counters`."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore it, bit for bit."""

    def load_model(self, state: dict[str, Any], step: int) -> None:
        """Start from a saved model: the learner as it was at `step`."""
        self.learner.load_state_dict(state)
        self.t_env = step

    def filmed(self, folder: RunFolder) -> AbstractContextManager[StepCallback]:
        """What to hand to `evaluate` so that its first game is kept in `folder` to be watched.

        Raises:
            UserError: there is nothing to film.
        """
        raise UserError(f"save_replay=True: there is no game to watch under {type(self).__name__}.")

    def report_crashes(self) -> None:  # noqa: B027  # most have nothing that can crash beside them
        """Tell the user what broke off since the last call in what runs beside this process."""

    def worker_metrics(self) -> dict[str, float]:
        """Metrics of what runs beside this process."""
        return {}

    @property
    def environment_facts(self) -> Mapping[str, str | int]:
        """What the record should say about a game that is not ours, as its version."""
        return {}

    def close(self) -> None:  # noqa: B027  # most have nothing to stop
        """Stop what was started beside this process."""
