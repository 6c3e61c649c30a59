"""`WorkerEnv`: B games in B worker processes, seen as one batched environment."""

import copy
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from cohort.components.seeding import derive_seed
from cohort.envs.base import Observation, Transition
from cohort.envs.workers.block import Field
from cohort.envs.workers.film import Film
from cohort.envs.workers.game import Limits, Recipe
from cohort.envs.workers.pool import Pool
from cohort.errors import UserError


class WorkerEnv:
    """B foreign games, each in a supervised process of its own; all of them step at the same time.

    A game whose process dies, raises or does not answer in time spoils its episode (`Transition.spoiled`) and nothing
    else; it begins anew in a new process at the next `reset`. Every episode of every game is given a seed of its own
    that follows from the environment's seed, so that a resumed run begins the episodes it would have begun.
    """

    writes_replays = False  # whether the game writes files of its own in `save_replay`; else it can be filmed

    def __init__(
        self,
        recipe: Recipe,
        *,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
        limits: Limits | None = None,
    ) -> None:
        """Start B processes and build their games; `reset` begins them.

        Args:
            recipe: what each process builds.
            batch_size: B.
            seed: with a game's number and its episode's it decides the seed that the game is given.
            device: where all tensors live.
            limits: how long to wait for a process, and how often to try again.

        Raises:
            GameFailure: a game cannot be built, or no process could be started.
        """
        self.batch_size, self._device = batch_size, torch.device(device)
        self.title = recipe.title
        self._pool = Pool(recipe, batch_size, limits or Limits())
        self.spec = self._pool.spec
        self._places = [_place(field) for field in self._pool.block.result_fields]
        self._seed, self._episode = seed, 0

    def sharing_workers(self, seed: int) -> Self:
        """Another environment on the same processes: its own seed and count of episodes, the same `spec`.

        Only the one that was reset last can be stepped. `close` on either ends the processes of both.
        """
        other = copy.copy(self)
        other._seed, other._episode = seed, 0
        return other

    def reset(self) -> Observation:
        """Begin a new episode in every game.

        Raises:
            GameFailure: a game could not be begun, however often it was tried, or breaks off again and again.
        """
        seeds = [
            derive_seed(self._seed, f"game {game}/episode {self._episode}") for game in range(self.batch_size)
        ]
        self._pool.reset(seeds, player=self)
        self._episode += 1
        return self._transition().observation

    def step(self, actions: Tensor) -> Transition:
        """Advance every game that has not ended by one step; `actions` is [B, N] int64, or [B, N, U] float32."""
        self._pool.step(actions.cpu().numpy(), player=self)
        return self._transition()

    def _transition(self) -> Transition:
        """Tensors of their own on the device, in one copy."""
        flat = torch.from_numpy(self._pool.block.results).to(self._device, copy=True)
        typed = {dtype: flat.view(dtype) for dtype in (torch.float32, torch.bool, torch.uint8)}
        seen = {name: typed[dtype].as_strided(*place) for name, dtype, place in self._places}
        return Transition(
            Observation(seen["obs"], seen["state"], seen["available_actions"]),
            seen["reward"],
            seen["terminated"],
            seen["truncated"],
            dict(zip(self.spec.info_keys, seen["info"], strict=True)),
            seen["spoiled"],
        )

    def facts(self) -> dict[str, str | int]:
        """What the games say of themselves for the record; where they differ, all answers in a row."""
        return self._pool.facts()

    def metrics(self) -> dict[str, float]:
        """Counts since the processes were started, those of all twins together."""
        return {
            "game_restarts": float(self._pool.game_restarts),
            "spoiled_episodes": float(self._pool.spoiled_episodes),
        }

    @property
    def last_failure(self) -> str:
        """What the game said that broke off last; empty while none has."""
        return self._pool.last_error

    def renderer(self, agent: int | None = None) -> Film:
        """Draws the first game from the next `reset` on.

        Raises:
            UserError: the game cannot be drawn, or not as one agent sees it.
        """
        if agent is not None:
            raise UserError(f"{self.title} cannot be drawn as one agent sees it.")
        before = self.last_failure
        fps = self._pool.ask(0, "film")
        if fps is None:
            reason = f": {self.last_failure}" if self.last_failure != before else "."
            raise UserError(f"{self.title} cannot be drawn{reason}")
        return Film(self._pool, 0, fps)

    def save_replay(self, folder: Path) -> list[Path]:
        """Have every game write a replay into `folder`, created if need be; the files that were written."""
        return self._pool.save_replay(folder)

    def state_dict(self) -> dict[str, Any]:
        """Where the episodes' seeds stand. An episode that is going on is not saved: `reset` comes next."""
        return {"batch_size": self.batch_size, "seed": self._seed, "episode": self._episode}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`; `reset` then begins the episode that would have come next.

        Raises:
            ValueError: the state is of another number of games.
        """
        if state["batch_size"] != self.batch_size:
            raise ValueError(
                f"the saved state is of {state['batch_size']} games, this environment has {self.batch_size}; "
                "build it with the settings of the saved run"
            )
        self._seed, self._episode = state["seed"], state["episode"]
        self._pool.release(self)

    def close(self) -> None:
        """End all processes and remove what they left. Harmless when repeated; also done at exit."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _place(field: Field) -> tuple[str, torch.dtype, tuple[tuple[int, ...], tuple[int, ...], int]]:
    """An array's name, type, and its shape, strides and offset, in elements, within the results."""
    array = np.empty(field.shape, field.dtype)
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return field.name, torch.from_numpy(array).dtype, (field.shape, strides, field.start // array.itemsize)
