"""One game with PyMARL's methods and NumPy arrays, for code written for `smac.env.StarCraft2Env`."""

from typing import Any

import numpy as np
import torch

from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.settings import SC2SimSettings


class SingleGame:
    """`SC2Sim` with one game, seen through the methods of PyMARL's `MultiAgentEnv`."""

    def __init__(self, settings: SC2SimSettings, seed: int) -> None:
        self.env = SC2Sim(settings, batch_size=1, seed=seed)
        self.episode_limit, self.n_agents = self.env.spec.episode_limit, self.env.spec.n_agents

    def reset(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Begin an episode; returns observations and state."""
        self.env.reset()
        return self.get_obs(), self.get_state()

    def step(self, actions: list[int] | np.ndarray) -> tuple[float, bool, dict[str, Any]]:
        """Returns reward, whether the episode is over, and outcomes; `episode_limit` is there as in SMAC."""
        transition = self.env.step(torch.as_tensor(np.asarray(actions, np.int64)).view(1, -1))
        info = {name: value.item() for name, value in transition.info.items()}
        truncated = transition.truncated.item()
        if truncated:
            info["episode_limit"] = True
        return transition.reward.item(), transition.terminated.item() or truncated, info

    def get_obs(self) -> list[np.ndarray]:
        """Observations [O] of all agents."""
        return list(self._seen().obs[0].numpy())

    def get_obs_agent(self, agent_id: int) -> np.ndarray:
        """Observation [O] of one agent."""
        return self._seen().obs[0, agent_id].numpy()

    def get_state(self) -> np.ndarray:
        """State [S]."""
        return self._seen().state[0].numpy()

    def get_avail_actions(self) -> list[list[int]]:
        """Ones and zeros [A] for every agent."""
        return self._seen().available_actions[0].int().tolist()

    def get_avail_agent_actions(self, agent_id: int) -> list[int]:
        """Ones and zeros [A] for one agent."""
        return self.get_avail_actions()[agent_id]

    def get_obs_size(self) -> int:
        """O."""
        return self.env.spec.obs_dim

    def get_state_size(self) -> int:
        """S."""
        return self.env.spec.state_dim

    def get_total_actions(self) -> int:
        """A."""
        return self.env.spec.n_actions

    def get_env_info(self) -> dict[str, int]:
        """The sizes PyMARL asks for."""
        return self.env.get_env_info()

    def close(self) -> None:
        """Nothing to release."""

    def _seen(self):
        if self.env.observation is None:
            raise RuntimeError("call reset() first")
        return self.env.observation
