"""Many half-cheetahs of MuJoCo side by side. The only module here that imports it, and not before there are any."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from cohort.envs.packages import require_packages

PACKAGES = ("mujoco", "gymnasium")  # the simulator, and who brings the robot's description
ROBOT = Path("envs", "mujoco", "assets", "half_cheetah.xml")
FRAME_SKIP = 5
RESET_NOISE = 0.1
CONTROL_COST = 0.1
N_POSITIONS = N_VELOCITIES = 9
N_JOINTS = 6  # bthigh, bshin, bfoot, fthigh, fshin, ffoot
N_SEEN = N_POSITIONS - 1 + N_VELOCITIES  # all but where along the track it is


class Robots:
    """B robots of one model, B being as many as were placed last: HalfCheetah-v5 of Gymnasium without its layers.

    Arrays are float64. What a robot does depends on nothing but where it was placed and what was done since.
    """

    def __init__(self) -> None:
        """Raises `UserError` where a package is missing."""
        require_packages("halfcheetah_dir", PACKAGES, "requirements/mujoco.txt")
        import mujoco

        self._mujoco = mujoco
        assets = Path(find_spec("gymnasium").origin).parent
        self.model = mujoco.MjModel.from_xml_path(str(assets / ROBOT))
        self.seconds = self.model.opt.timestep * FRAME_SKIP
        rest = mujoco.MjData(self.model)
        self._rest = np.concatenate([rest.qpos, rest.qvel])
        self._all: list[Any] = []  # MjData, as many as there ever were
        self._now: list[Any] = []
        self._saved = mujoco.mjtState.mjSTATE_INTEGRATION

    def place(self, noise: np.ndarray) -> None:
        """B robots anew, from [B, 18]: 9 numbers from [0, 1) for the positions, 9 normal ones for the velocities."""
        self._take(len(noise))
        away = np.concatenate([2 * noise[:, :N_POSITIONS] - 1, noise[:, N_POSITIONS:]], axis=1)
        for data, start in zip(self._now, self._rest + RESET_NOISE * away, strict=True):
            self._mujoco.mj_resetData(self.model, data)
            data.qpos[:], data.qvel[:] = start[:N_POSITIONS], start[N_POSITIONS:]
            self._mujoco.mj_forward(self.model, data)

    def seen(self) -> np.ndarray:
        """All positions but the first, then all velocities: [B, 17]."""
        positions, velocities = ([getattr(data, name) for data in self._now] for name in ("qpos", "qvel"))
        return np.concatenate([np.array(positions)[:, 1:], np.array(velocities)], axis=1)

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """From torques [B, 6], clipped to [-1, 1], to the speed to the right and the price of the torques, [B] each."""
        actions = np.clip(actions, -1.0, 1.0)
        before = self._places()
        for data, torques in zip(self._now, actions, strict=True):
            data.ctrl[:] = torques
            self._mujoco.mj_step(self.model, data, nstep=FRAME_SKIP)
        return (self._places() - before) / self.seconds, CONTROL_COST * np.square(actions).sum(axis=1)

    def _places(self) -> np.ndarray:
        return np.array([data.qpos[0] for data in self._now])

    def _take(self, count: int) -> None:
        while len(self._all) < count:
            self._all.append(self._mujoco.MjData(self.model))
        self._now = self._all[:count]

    def state(self) -> np.ndarray:
        """All that decides what comes next, [B, ...]."""
        saved = np.empty((len(self._now), self._mujoco.mj_stateSize(self.model, self._saved)))
        for data, row in zip(self._now, saved, strict=True):
            self._mujoco.mj_getState(self.model, data, row, self._saved)
        return saved

    def restore(self, saved: np.ndarray) -> None:
        self._take(len(saved))
        for data, row in zip(self._now, saved, strict=True):
            self._mujoco.mj_resetData(self.model, data)
            self._mujoco.mj_setState(self.model, data, row, self._saved)
