"""Environments of other libraries, seen from the main process, which imports none of them."""

import importlib.util

import torch

from cohort.envs.foreign.settings import (
    ForeignSettings,
    GymnasiumSettings,
    MAMuJoCoSettings,
    MultiWalkerSettings,
    PettingZooSettings,
    PymarlSettings,
)
from cohort.envs.packages import require_packages
from cohort.envs.workers.env import WorkerEnv
from cohort.envs.workers.game import Recipe
from cohort.errors import UserError


class ForeignEnv(WorkerEnv):
    """B games of another library, each in a worker process of its own.

    Every episode's seed follows from the run's seed, the game's number and the episode's.
    """

    name: str  # as in --env-config
    factory: str  # "module:Class" of a `Game`
    requirements: str  # the file that its packages come from
    packages: tuple[str, ...]

    def __init__(
        self,
        settings: ForeignSettings,
        *,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """Start B worker processes and make their games.

        Raises:
            UserError: a package is not installed, or the games cannot be made.
        """
        self.settings = settings
        self._check_packages()
        recipe = Recipe(factory=self.factory, settings=settings, title=self.describe(settings))
        super().__init__(recipe, batch_size=batch_size, seed=seed, device=device)

    def describe(self, settings: ForeignSettings) -> str:
        """How messages call the game."""
        raise NotImplementedError

    def _check_packages(self) -> None:
        require_packages(self.name, self.packages, self.requirements)


class _KeyedEnv(ForeignEnv):
    """Its game is what `env_args.key` says."""

    def describe(self, settings: PettingZooSettings | GymnasiumSettings) -> str:
        return f"{self.name} {settings.key}"

    def _check_packages(self) -> None:
        super()._check_packages()
        module = self.settings.module
        root = module and module.partition(".")[0]
        if root and importlib.util.find_spec(root) is None:
            raise UserError(
                f"env_args.key = {self.settings.key!r}: there is no Python package {root} here.\n"
                f"Install what brings it, as pip install {root}; code of your own has to be on PYTHONPATH."
            )


class PettingZoo(_KeyedEnv):
    """Any PettingZoo environment whose agents act at the same time, or can be made to (arXiv:2009.14471)."""

    Settings = PettingZooSettings
    name, factory = "pettingzoo", "cohort.envs.foreign.pettingzoo_game:PettingZooGame"
    requirements, packages = "requirements/pettingzoo.txt", ("gymnasium", "pettingzoo")


class GymnasiumTeams(_KeyedEnv):
    """Any environment registered with Gymnasium whose `step` takes and returns one entry per agent (EPyMARL: gymma)."""

    Settings = GymnasiumSettings
    name, factory = "gymnasium", "cohort.envs.foreign.gymnasium_game:GymnasiumGame"
    requirements, packages = "requirements/pettingzoo.txt", ("gymnasium",)


class Pymarl(ForeignEnv):
    """Any class with the methods of PyMARL's `MultiAgentEnv` (arXiv:1902.04043)."""

    Settings = PymarlSettings
    name, factory = "pymarl", "cohort.envs.foreign.pymarl_game:PymarlGame"
    requirements, packages = "", ()

    def describe(self, settings: PymarlSettings) -> str:
        return f"{self.name} {settings.entry_point}"


class MAMuJoCo(ForeignEnv):
    """Multi-agent MuJoCo of Gymnasium-Robotics (arXiv:2003.06709): one robot, its joints moved by several agents."""

    Settings = MAMuJoCoSettings
    name, factory = "mamujoco", "cohort.envs.foreign.mamujoco_game:MAMuJoCoGame"
    requirements, packages = "requirements/mujoco.txt", ("gymnasium_robotics", "mujoco")

    def describe(self, settings: MAMuJoCoSettings) -> str:
        return f"{self.name} {settings.scenario} {settings.agent_conf}"


class MultiWalker(ForeignEnv):
    """PettingZoo's Multi-Walker (sisl/multiwalker_v9): two-legged robots carry one package, as MAMT plays it."""

    Settings = MultiWalkerSettings
    name, factory = "multiwalker", "cohort.envs.foreign.multiwalker_game:MultiWalkerGame"
    requirements, packages = "requirements/sisl.txt", ("gymnasium", "pettingzoo", "pygame", "Box2D")

    def describe(self, settings: MultiWalkerSettings) -> str:
        return f"{self.name} with {settings.n_walkers} walkers"
