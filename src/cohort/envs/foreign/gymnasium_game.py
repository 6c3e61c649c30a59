"""A multi-agent Gymnasium environment inside its worker process. The only module that makes one."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from cohort.envs.foreign.agent_spaces import AgentSpaces
from cohort.envs.foreign.settings import GymnasiumSettings
from cohort.envs.foreign.team import Facts, Moment, TeamGame, how_it_ended, stated_limit
from cohort.errors import UserError

_NO_LIMIT = -1  # Gymnasium's word for: do not wrap it in a TimeLimit, whose one flag does not fit a team


class GymnasiumGame(TeamGame):
    """Any Gymnasium id whose spaces, observations, actions and rewards have one entry per agent.

    `terminated` and `truncated` may be one flag or one per agent. The state is all observations in a row.
    """

    def __init__(self, settings: GymnasiumSettings) -> None:
        super().__init__(
            settings,
            common_reward=settings.common_reward,
            scalarisation=settings.reward_scalarisation,
            pictures=settings,
        )

    def open_game(self, render_mode: str | None) -> Facts:
        settings = self.settings
        shown = {"render_mode": render_mode} if render_mode else {}
        # Gymnasium's checker expects one agent, and one reward
        self.env = gymnasium.make(
            settings.key, max_episode_steps=_NO_LIMIT, disable_env_checker=True, **settings.kwargs, **shown
        )
        observed, acted = (_each(self.env, name) for name in ("observation_space", "action_space"))
        if len(observed) != len(acted):
            raise UserError(f"{settings.key}: {len(observed)} observation spaces, {len(acted)} action spaces")
        seats = [
            AgentSpaces(f"agent {i}", *pair, self.pictures)
            for i, pair in enumerate(zip(observed, acted, strict=True))
        ]
        self._together = isinstance(self.env.action_space, gymnasium.spaces.Tuple)
        registered = gymnasium.spec(settings.key.rpartition(":")[2]).max_episode_steps
        return Facts(seats, registered or stated_limit(self.env), None)

    def begin(self, seed: int) -> Moment:
        seen, info = self.env.reset(seed=seed)
        return self._moment(seen, info, [0.0] * len(self.seats))

    def play(self, actions: list[Any]) -> Moment:
        seen, rewards, terminated, truncated, info = self.env.step(
            tuple(actions) if self._together else actions
        )
        moment = self._moment(seen, info, np.broadcast_to(rewards, len(self.seats)))
        terminated, truncated = (
            np.broadcast_to(flags, len(self.seats)).astype(bool) for flags in (terminated, truncated)
        )
        if not (terminated | truncated).all():
            return moment
        ended, cut = how_it_ended(terminated, truncated)
        return moment._replace(terminated=ended, truncated=cut)

    def _moment(self, seen: Sequence, info: Any, rewards: Sequence[float]) -> Moment:
        return Moment(seen=seen, infos=_shared_out(info, len(self.seats)), rewards=rewards)


def _each(env: gymnasium.Env, name: str) -> Sequence[gymnasium.Space]:
    spaces = getattr(env.unwrapped, name)
    if isinstance(spaces, gymnasium.spaces.Tuple):
        return spaces.spaces
    if isinstance(spaces, list | tuple):
        return spaces
    raise UserError(
        f"its {name} is {spaces}: a team's is a Tuple or a list with one entry per agent. For one agent alone, "
        "this project has nothing"
    )


def _shared_out(info: Any, n_agents: int) -> Sequence[Any]:
    """Each agent's own info: entries with one value per agent are given to their agents, others to all."""
    if isinstance(info, list | tuple):
        return info
    per_agent = {
        key: value
        for key, value in info.items()
        if isinstance(value, list | tuple | np.ndarray) and len(value) == n_agents
    }
    return [{**info, **{key: value[i] for key, value in per_agent.items()}} for i in range(n_agents)]
