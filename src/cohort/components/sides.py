"""Sides of a game: what each sees of it, is paid by it, and learns from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from torch import Tensor

from cohort.components.episodes import Episodes
from cohort.components.mixed_batch import MixedBatch
from cohort.components.transitions import Transitions
from cohort.configuration.teams import Pay
from cohort.envs.base import EnvSpec, Observation

PER_AGENT = ("obs", "next_obs", "available_actions", "next_available_actions", "actions")
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Side:
    """Some of a game's agents, as a team of their own: n of N.

    Attributes:
        name: as the run calls it; it stands before the slash in the names of its metrics and extras.
        agents: [n] int64 their numbers in the game, on the device that games are played on.
        reward: what it is paid: the sum or mean of its agents' rewards, or each agent its own.
    """

    name: str
    agents: Tensor
    reward: Pay = "sum"

    def spec(self, game: EnvSpec) -> EnvSpec:
        """The sizes of the game as this side plays it; its state stays the whole game's."""
        names = tuple(game.agent_names[agent] for agent in self.agents.tolist()) if game.agent_names else ()
        return replace(game, n_agents=len(self.agents), common_reward=self.reward != "own", agent_names=names)

    def sight(self, observation: Observation) -> Observation:
        """What the side sees of one moment."""
        return observation._replace(
            obs=observation.obs[:, self.agents],
            available_actions=observation.available_actions[:, self.agents],
        )

    def paid(self, reward: Tensor) -> Tensor:
        """Rewards of all agents [..., N] -> the side's [...], or [..., n] where each agent has its own."""
        own = reward[..., self.agents]
        return own if self.reward == "own" else own.sum(-1) if self.reward == "sum" else own.mean(-1)

    def returns(self, episodes: Episodes) -> Tensor:
        """The side's undiscounted return of each episode, [B]; of all its agents together where each has its own."""
        return self.paid(episodes.reward).flatten(1).sum(dim=1)

    def batch(self, batch: Any) -> Any:
        """What the side learns from: `Episodes`, `Transitions` or a `MixedBatch` of the whole game, as its own."""
        if isinstance(batch, MixedBatch):
            return MixedBatch(*(self.batch(each) for each in batch))
        return self._part(batch)

    def _part(self, batch: Episodes | Transitions) -> Episodes | Transitions:
        agents = 2 if isinstance(batch, Episodes) else 1  # the dimension that counts them
        names = [name for name in PER_AGENT if hasattr(batch, name)]
        own = {name: getattr(batch, name).index_select(agents, self.agents) for name in names}
        extras = {
            name.removeprefix(f"{self.name}/"): value
            for name, value in batch.extras.items()
            if name.startswith(f"{self.name}/")
        }
        return replace(batch, **own, reward=self.paid(batch.reward), extras=extras)

    def named(self, values: Mapping[str, _Value]) -> dict[str, _Value]:
        """Metrics or extras under names that say whose they are."""
        return {f"{self.name}/{name}": value for name, value in values.items()}
