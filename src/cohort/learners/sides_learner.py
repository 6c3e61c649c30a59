"""A learner for each side of a game that learns, seen as one."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from cohort.components.averages import Metrics
from cohort.components.episodes import Episodes
from cohort.components.sides import Side
from cohort.controllers.sides_policy import SidesPolicy
from cohort.controllers.team_policy import TeamPolicy
from cohort.learners.base import Learner
from cohort.learners.targets import HardUpdate
from cohort.settings import NoSettings


class SidesLearner(Learner):
    """Teaches every side by a learner of its own, from what that side saw, did and was paid of one batch.

    Past copies are targets of the copied sides' policies, by the names of the sides that they play; guests from other
    runs are kept as they are. A checkpoint has all of them.
    """

    def __init__(
        self,
        sides: Sequence[Side],
        learners: Mapping[str, Learner],
        policies: Mapping[str, TeamPolicy],
        *,
        copies: Mapping[str, tuple[str, int]],
        guests: Mapping[str, TeamPolicy],
    ) -> None:
        """Join what has been built.

        Args:
            sides: all sides of the game.
            learners: of the sides that learn, by their names, all of one class.
            policies: what these learners teach.
            copies: by the sides that past copies play, whose policy is copied, and every how many environment steps.
            guests: policies from other runs, by the sides that they play.
        """
        # names that no attribute of a torch.nn.ModuleDict has
        copied = {f"{of}_policy": policies[of] for of, _ in copies.values()}
        rules = {
            f"{name}_copy": HardUpdate(every, "steps", f"{of}_policy") for name, (of, every) in copies.items()
        }
        super().__init__(NoSettings(), copied, rules)
        self.sides, self.learners = tuple(sides), dict(learners)
        self.learns_from = next(iter(learners.values())).learns_from
        self._taught = [(side, learners[side.name]) for side in sides if side.name in learners]
        for guest in guests.values():
            guest.requires_grad_(False)
        self.keep(sides=self.learners, guests=dict(guests))

    def copy(self, name: str) -> TeamPolicy:
        """The past copy that plays a side."""
        return self.targets[f"{name}_copy"]

    def prepare(self, episodes: Episodes) -> Episodes:
        """The episodes with what each side's learner prepares, for trainers whose learners provide that."""
        extras: dict[str, torch.Tensor] = {}
        for side, learner in self._taught:
            extras |= side.named(learner.prepare(side.batch(episodes)).extras)
        return episodes.with_extras(**extras)

    def step(self, batch: Any) -> Metrics:
        """One update of every side, which its own targets follow."""
        metrics: Metrics = {}
        for side, learner in self._taught:
            metrics |= side.named(learner.update(side.batch(batch), self.clock))
        return metrics

    def tested(self, policy: SidesPolicy) -> SidesPolicy:
        taught = {player.side.name: player.policy for player in policy.players if player.learns}
        return policy.playing({name: learner.tested(taught[name]) for name, learner in self.learners.items()})

    def diagnostics(self, episodes: Episodes) -> Metrics:
        metrics: Metrics = {}
        for side, learner in self._taught:
            metrics |= side.named(learner.diagnostics(side.batch(episodes)))
        return metrics

    def begin_with(self, state: Mapping[str, Any]) -> None:
        """Begin a run with saved learners of the sides that learn here; the opponents are this run's."""
        for name, learner in self.learners.items():
            learner.begin_with(state["parts"]["sides"][name])
        for name in self.targets.rules:
            self.targets.renew(name)
        self.updates = state["updates"]
