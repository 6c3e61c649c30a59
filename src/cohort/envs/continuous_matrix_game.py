"""The continuous matrix game: two agents whose numbers must turn a corner together (ADER, section 3.1)."""

from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from cohort.envs.base import EnvSpec, Observation, Transition, refuse_other_games
from cohort.settings import Settings

CORNER = 0.6  # the path leads from (0, 0) to (0.6, 0) and on to (0.6, 0.55)
CENTRE = (0.6, 0.6)  # of the circle at its end
RADIUS = 0.05
GOAL = CENTRE[0] + CENTRE[1]  # the length of the whole way
BEST = 5.0  # the reward at the centre


class ContinuousMatrixGameSettings(Settings):
    c: float = Field(
        default=4.0, ge=0, description="penalty outside the path, times the distance from (0, 0)"
    )
    w: float = Field(default=0.05, gt=0, le=0.5, description="half the path's width")
    episode_limit: int = Field(default=1, ge=1, description="joint actions of an episode, each paid")


def path_reward(x: Tensor, y: Tensor, w: float) -> tuple[Tensor, Tensor]:
    """What joint actions on the path or in the circle earn.

    The reward rises with the way gone, from 0 at (0, 0) to 5 at the circle's centre.

    Args:
        x: the first agent's actions, of any shape.
        y: the second's, of the same shape.
        w: half the path's width.

    Returns:
        The reward, and where it holds (bool): elsewhere there is a penalty instead.
    """
    left = torch.hypot(x - CENTRE[0], y - CENTRE[1])  # of the way, in the circle
    circle = left <= RADIUS
    low = y.abs() <= w
    first = (x >= -w) & (x <= CORNER + w) & low
    second = ((x - CORNER).abs() <= w) & (y >= -w) & (y <= CENTRE[1] - RADIUS)
    along = x.clamp(0.0, CORNER)
    gone = torch.where(second, torch.where(low, along + y.clamp_min(0.0), CORNER + y), along)
    gone = torch.where(circle, GOAL - left, gone)
    return BEST * gone / GOAL, circle | first | second


def game_reward(x: Tensor, y: Tensor, c: float, w: float) -> Tensor:
    """What joint actions (x, y) of any shape earn: on the path as `path_reward`, elsewhere -c times |(x, y)|."""
    reward, holds = path_reward(x, y, w)
    return torch.where(holds, reward, -c * torch.hypot(x, y))


class ContinuousMatrixGame:
    """B games side by side. Two agents choose a number in [-1, 1] each and see the last joint action, at first (0, 0).

    The paper gives the path, the circle and the best reward; the penalty, the width and the length of an episode are
    chosen here so that its figure 2 can come about. The game ends after `episode_limit` joint actions: it terminates.
    Outcomes of an episode: each agent's mean action.
    """

    Settings = ContinuousMatrixGameSettings

    def __init__(
        self,
        settings: ContinuousMatrixGameSettings,
        *,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """`seed` is not needed: nothing here is random."""
        self.settings, self.batch_size = settings, batch_size
        self.spec = EnvSpec(
            n_agents=2,
            n_actions=0,
            obs_dim=2,
            state_dim=2,
            episode_limit=settings.episode_limit,
            info_keys=("action_0", "action_1"),
            action_dim=1,
        )
        self._available = torch.ones((batch_size, 2, 0), dtype=torch.bool, device=device)
        self._nothing = torch.zeros(batch_size, device=device)
        self._no, self._yes = (
            torch.full((batch_size,), value, dtype=torch.bool, device=device) for value in (False, True)
        )
        self.reset()

    def reset(self) -> Observation:
        self.t = 0  # joint actions of this episode, the same in every game
        self.position = torch.zeros((self.batch_size, 2), device=self._nothing.device)
        self.total = torch.zeros_like(self.position)
        return self._observe()

    def step(self, actions: Tensor) -> Transition:
        """`actions` is [B, 2, 1] float32; what lies outside [-1, 1] is cut."""
        over = self.t >= self.spec.episode_limit
        reward = self._nothing
        if not over:
            self.t += 1
            self.position = actions.detach().squeeze(-1).clamp(-1.0, 1.0)  # [B, 2]
            self.total = self.total + self.position
            reward = game_reward(*self.position.unbind(1), self.settings.c, self.settings.w)
        ended = self._yes if self.t >= self.spec.episode_limit else self._no
        mean = self.total / self.t
        info = {name: mean[:, agent] for agent, name in enumerate(self.spec.info_keys)}
        return Transition(self._observe(), reward, ended, self._no, info)

    def _observe(self) -> Observation:
        return Observation(self.position.unsqueeze(1).expand(-1, 2, -1), self.position, self._available)

    def state_dict(self) -> dict[str, Any]:
        return {"t": self.t, "position": self.position.clone(), "total": self.total.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        refuse_other_games(len(state["position"]), self.batch_size)
        self.t = state["t"]
        self.position, self.total = (
            state[name].to(self._nothing.device, copy=True) for name in ("position", "total")
        )
