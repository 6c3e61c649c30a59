"""Multi-agent MuJoCo inside its worker process. The only module that imports Gymnasium-Robotics."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium_robotics
from gymnasium_robotics import mamujoco_v1

from cohort.envs.foreign.parallel import ParallelGame
from cohort.envs.foreign.settings import MAMuJoCoSettings

_UNREGISTERED_LIMIT = 1000  # of CoupledHalfCheetah, which Gymnasium-Robotics makes without registering it


class MAMuJoCoGame(ParallelGame):
    """One robot, its joints moved by several agents. The reward is the robot's; all agents are given the same."""

    def __init__(self, settings: MAMuJoCoSettings) -> None:
        super().__init__(settings, common_reward=True, scalarisation="mean")

    def open_env(self, render_mode: str | None) -> Any:
        settings = self.settings
        categories = settings.local_categories
        with _one_at_a_time():
            return mamujoco_v1.parallel_env(
                settings.scenario,
                settings.agent_conf,
                settings.agent_obsk,
                local_categories=categories and [list(each) for each in categories],
                global_categories=settings.global_categories,
                render_mode=render_mode,
                **settings.kwargs,
            )

    def own_limit(self) -> int | None:
        spec = self.env.single_agent_env.spec
        return spec.max_episode_steps if spec else _UNREGISTERED_LIMIT

    def frames_per_second(self) -> float:
        return self.env.single_agent_env.metadata["render_fps"]


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Gymnasium-Robotics writes some robots into a file in its own folder, reads and removes it."""
    folder = os.open(Path(gymnasium_robotics.__file__).parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
