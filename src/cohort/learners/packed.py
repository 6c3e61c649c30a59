"""What learners of whole episodes read of them: their real moments alone, packed once for live and target networks."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

from torch import Tensor

from cohort.components.episodes import Episodes
from cohort.components.packing import Packing
from cohort.components.transitions import Transitions
from cohort.controllers.team_policy import TeamPolicy


@dataclass(frozen=True)
class PackedEpisodes:
    """B episodes as P rows, one for each moment, in the order of `packing`; R of them stand before a step."""

    episodes: Episodes
    packing: Packing
    inputs: Tensor  # [P, N, I], what the agents' networks read

    @classmethod
    def of(cls, episodes: Episodes, policy: TeamPolicy) -> Self:
        return cls._packed(episodes, Packing.of(episodes.length, episodes.actions.shape[1]), policy)

    @classmethod
    def of_single_steps(cls, steps: Transitions, policy: TeamPolicy) -> Self:
        """B single steps as B episodes of one step, without a look at what stands in a tensor."""
        packing = Packing.of_single_steps(steps.batch_size, steps.reward.device)
        return cls._packed(Episodes.of_single_steps(steps), packing, policy)

    @classmethod
    def _packed(cls, episodes: Episodes, packing: Packing, policy: TeamPolicy) -> Self:
        return cls(episodes, packing, policy.packed_inputs(episodes, packing))

    @cached_property
    def states(self) -> Tensor:
        """[P, S]."""
        return self.packing.of_moments(self.episodes.state)

    @cached_property
    def obs(self) -> Tensor:
        """[P, N, O], for critics: the agents' networks read `inputs`."""
        return self.packing.of_moments(self.episodes.obs)

    @cached_property
    def obs_before(self) -> Tensor:
        """Before each step: [R, N, O]."""
        return self.packing.before_steps(self.obs)

    @cached_property
    def available_actions(self) -> Tensor:
        """[P, N, A] bool."""
        return self.packing.of_moments(self.episodes.available_actions)

    @cached_property
    def states_before(self) -> Tensor:
        """Before each step: [R, S]."""
        return self.packing.before_steps(self.states)

    @property
    def states_after(self) -> Tensor:
        """After each step: [R, S]."""
        return self.packing.after_steps(self.states)
