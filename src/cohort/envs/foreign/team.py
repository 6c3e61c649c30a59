"""A team's game of another library inside its worker process: padding, masks, rewards and time limits."""

import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cohort.envs.foreign.agent_spaces import AgentSpaces, mask_of
from cohort.envs.foreign.pictures import AS_THEY_COME, PictureSettings
from cohort.envs.workers.game import Game, GameObservation, GameSpec, GameStep
from cohort.errors import UserError

_SEEDS = 2**31  # what every library's generators take
_FPS = 10  # where an environment does not say
# Level-Based Foraging has the second, RWARE the third, PettingZoo's games the last
_LIMITS = ("max_episode_steps", "_max_episode_steps", "max_steps", "max_cycles")


class Moment(NamedTuple):
    """What one step of a game brought, one entry per agent."""

    seen: Sequence[Any]  # observations; None for an agent that has left the game
    infos: Sequence[Any]
    rewards: Sequence[float]
    terminated: bool = False
    truncated: bool = False


class Facts(NamedTuple):
    """What has to be known of a game before it is played."""

    seats: list[AgentSpaces]
    limit: int | None  # its own limit of steps, if it says so
    state_dim: int | None  # None: it has no state of its own
    state_in_bytes: bool = False  # whether that is a picture


class TeamGame(Game):
    """A game of N agents with spaces of their own, seen as N equal agents.

    Observations and actions are as large as the largest agent's: shorter observations end in zeros, and the actions
    that an agent lacks are never available. An agent that has left sees zeros and can only choose action 0, which
    reaches nobody. Reaching `time_limit` truncates an episode that goes on. At its own limit a game is cut, even where
    it says that it is over: Level-Based Foraging, RWARE and Multi-Walker know one word for both.

    Subclasses open a game (`open_game`) and play it (`begin`, `play`, `state`).

    Attributes:
        env: the other library's environment, which `open_game` sets.
        pictures: how small pictures of bytes are made.
        seats: its agents' places.
    """

    env: Any

    def __init__(
        self,
        settings: Any,
        *,
        common_reward: bool,
        scalarisation: str,
        pictures: PictureSettings = AS_THEY_COME,
    ) -> None:
        """Open the game, to see what it is."""
        self.settings, self._common, self.pictures = settings, common_reward, pictures
        self._pay = {"sum": np.sum, "mean": np.mean}[scalarisation]
        facts = self.open_game(render_mode=None)
        self.seats, n_agents, self._own_limit = facts.seats, len(facts.seats), facts.limit
        if len({bool(seat.n_actions) for seat in self.seats}) > 1:
            raise UserError(
                "some agents' actions are discrete and others' continuous; a team must have one kind"
            )
        sizes = [seat.obs_dim for seat in self.seats]
        self._own_state = facts.state_dim is not None and not settings.obs_instead_of_state
        seen = {seat.picture for seat in self.seats}
        picture = seen.pop() if len(seen) == 1 else None  # of unequal ones the team sees flat numbers
        self.spec = GameSpec(
            n_agents=n_agents,
            n_actions=max(seat.n_actions for seat in self.seats),
            obs_dim=max(sizes),
            state_dim=facts.state_dim if self._own_state else sum(sizes),
            episode_limit=settings.limit(facts.limit),
            info_keys=settings.info_keys,
            action_dim=max(seat.action_dim for seat in self.seats),
            common_reward=common_reward,
            picture=picture,
            state_in_bytes=facts.state_in_bytes if self._own_state else picture is not None,
            agent_names=tuple(str(seat.name) for seat in self.seats),
        )
        self._filled = np.arange(self.spec.obs_dim) < np.array(sizes)[:, None]  # [N, O]
        actions = np.array([seat.n_actions for seat in self.seats])
        self._possible = np.arange(self.spec.n_actions) < actions[:, None]  # [N, A]
        self._nothing = np.arange(self.spec.n_actions) == 0  # [A]

    def open_game(self, render_mode: str | None) -> Facts:
        """Make the game, in place of the one before if there was one."""
        raise NotImplementedError

    def begin(self, seed: int) -> Moment:
        """Begin an episode."""
        raise NotImplementedError

    def play(self, actions: list[Any]) -> Moment:
        """Advance by one step; one action per agent, in the agent's own space."""
        raise NotImplementedError

    def state(self) -> np.ndarray:
        """The game's own state, flat; asked for only where there is one."""
        raise NotImplementedError

    def reset(self, seed: int) -> GameObservation:
        seed %= _SEEDS
        random.seed(seed)  # games that draw from the process's generators repeat themselves, too
        np.random.seed(seed)  # noqa: NPY002
        self._steps = 0
        return self._sight(self.begin(seed))

    def step(self, actions: np.ndarray) -> GameStep:
        moment = self.play([seat.act(chosen) for seat, chosen in zip(self.seats, actions, strict=True)])
        self._steps += 1
        at_own_limit = self._steps == self._own_limit
        terminated = moment.terminated and not at_own_limit
        truncated = moment.truncated or at_own_limit or self._steps >= self.spec.episode_limit
        reward = float(self._pay(moment.rewards)) if self._common else np.asarray(moment.rewards)
        return GameStep(self._sight(moment), reward, terminated, truncated, self._info(moment.infos))

    def _sight(self, moment: Moment) -> GameObservation:
        dtype = np.uint8 if self.spec.picture else np.float32
        obs = np.zeros((self.spec.n_agents, self.spec.obs_dim), dtype=dtype)
        available = self._possible.copy()
        for agent, (seat, seen, info) in enumerate(zip(self.seats, moment.seen, moment.infos, strict=True)):
            if seen is None:
                available[agent] = self._nothing
                continue
            obs[agent, : seat.obs_dim] = self._in_the_teams_form(seat.observe(seen))
            mask = mask_of(seen, info) if seat.n_actions else None
            if mask is not None:
                available[agent, : seat.n_actions] = mask
                if not mask.any():
                    available[agent] = self._nothing
        state = self.state() if self._own_state else obs[self._filled]
        return GameObservation(obs, state, available)

    def _in_the_teams_form(self, seen: np.ndarray) -> np.ndarray:
        """Bytes become numbers from 0 to 1 where the team's observations are not all pictures."""
        return seen / 255 if seen.dtype == np.uint8 and self.spec.picture is None else seen

    def film(self) -> float:
        """Play from now on in a game that can be drawn; one picture is drawn to see whether it can."""
        self.close()
        self.open_game(render_mode="rgb_array")
        self.begin(seed=0)
        self.picture()
        return float(self.frames_per_second())

    def picture(self) -> np.ndarray:
        picture = np.asarray(self.env.render())
        if picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(f"its picture is an array {picture.shape}, not [height, width, 3]")
        return picture.astype(np.uint8, copy=False)

    def frames_per_second(self) -> float:
        """As the environment's metadata has it."""
        return self.env.metadata.get("render_fps", _FPS)

    def close(self) -> None:
        self.env.close()

    def _info(self, infos: Sequence[Any]) -> dict[str, float]:
        """The agents' mean of what was asked for; 0 while nobody says anything."""
        found = {}
        for key in self.spec.info_keys:
            values = [float(info[key]) for info in infos if key in info]
            found[key] = sum(values) / len(values) if values else 0.0
        return found


def stated_limit(env: Any) -> int | None:
    """The limit of steps that a Gymnasium or PettingZoo environment keeps, under a name that is common."""
    for name in _LIMITS:
        limit = getattr(env.unwrapped, name, None)
        if isinstance(limit, int) and limit > 0:
            return limit
    return None


def how_it_ended(terminated: Sequence[bool], truncated: Sequence[bool]) -> tuple[bool, bool]:
    """Whether an episode was terminated or truncated, from all agents' flags at its last step.

    It is truncated as soon as one agent was cut off that had not come to its end: the game would have gone on.
    """
    cut = any(stopped and not ended for ended, stopped in zip(terminated, truncated, strict=True))
    return not cut, cut
