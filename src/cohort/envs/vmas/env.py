"""VMAS's scenarios: B games in one of its worlds."""

import random
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from typing import Any

import numpy as np
import torch
from pydantic import Field, field_validator
from torch import Tensor

from cohort.envs.base import EnvSpec, Observation, Transition, refuse_other_games
from cohort.envs.packages import require_packages
from cohort.envs.team_rewards import TeamRewardSettings, pay
from cohort.envs.vmas.snapshot import restore_snapshot, snapshot
from cohort.errors import UserError

# what VMAS's make_env is told here or not at all; all others go to the scenario
_NOT_THE_SCENARIOS = {
    *("scenario", "num_envs", "device", "continuous_actions", "wrapper", "wrapper_kwargs", "max_steps"),
    *(
        "seed",
        "dict_spaces",
        "multidiscrete_actions",
        "clamp_actions",
        "grad_enabled",
        "terminated_truncated",
    ),
}


class VmasSettings(TeamRewardSettings):
    """Settings of `Vmas`."""

    scenario: str = Field(description="one of VMAS's scenarios, as balance, navigation or simple_spread")
    continuous_actions: bool = Field(description="False: each force is off, or full in one of two directions")
    episode_limit: int = Field(ge=1, description="steps after which an episode is cut")
    kwargs: dict[str, Any] = Field({}, description="further arguments of the scenario, as n_agents")
    info_keys: tuple[str, ...] = Field(
        (), description="numbers in the scenario's info to log as <key>_mean: last values, the agents' mean"
    )

    @field_validator("kwargs")
    @classmethod
    def _are_the_scenarios(cls, kwargs: dict[str, Any]) -> dict[str, Any]:
        if taken := sorted(kwargs.keys() & _NOT_THE_SCENARIOS):
            raise ValueError(
                f"{taken[0]} is no argument of a scenario; steps are env_args.episode_limit, games batch_size_run"
            )
        return kwargs


class Vmas:
    """B games of one scenario (VMAS, arXiv:2207.03530), all stepped at once by VMAS itself.

    Shorter observations end in zeros, and actions that an agent lacks are never available. The state is all
    observations in a row. Continuous actions in [-1, 1] are stretched to the agent's range, and what it says to [0, 1].
    VMAS goes on with games that have ended, until `reset`; what is shown of them stays as it was.
    """

    Settings = VmasSettings
    packages = ("vmas", "gym")

    def __init__(
        self, settings: VmasSettings, *, batch_size: int, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        """Make the world; `seed` decides all that follows.

        Raises:
            UserError: VMAS is not installed, has no such scenario, or cannot make it with these arguments.
        """
        require_packages("vmas", self.packages, "requirements/vmas.txt")
        self.settings, self.batch_size, self.device = settings, batch_size, torch.device(device)
        self._random = _seeded(seed)
        with redirect_stderr(StringIO()):  # the old Gym that VMAS imports says that it is old
            import vmas
            from vmas.simulator.environment import Environment
        known = sorted({*vmas.scenarios, *vmas.mpe_scenarios, *vmas.debug_scenarios})
        if settings.scenario not in known:
            raise UserError(f"env_args.scenario = {settings.scenario!r}: VMAS has {', '.join(known)}")
        self._shared_random = Environment.vmas_random_state  # of all worlds in this process
        with self._own_randomness():
            self._world = self._make(vmas.make_env)
            first = [_flat(each) for each in self._world.reset()]
        self._sizes = [each.shape[1] for each in first]
        self.spec = self._facts()
        places = torch.arange(self.spec.n_agents * self.spec.obs_dim).view(self.spec.n_agents, -1)
        self._filled = torch.cat([row[:size] for row, size in zip(places, self._sizes, strict=True)]).to(
            self.device
        )
        self._prepare_actions()
        self._begin(first)

    def _make(self, make_env: Any) -> Any:
        settings = self.settings
        try:
            return make_env(
                settings.scenario,
                num_envs=self.batch_size,
                device=self.device,
                continuous_actions=settings.continuous_actions,
                clamp_actions=True,
                terminated_truncated=True,
                **settings.kwargs,
            )
        except Exception as error:  # whatever the scenario raises about its arguments
            said = " ".join(str(error).split())
            raise UserError(f"VMAS cannot make {settings.scenario} with these env_args: {said}") from error

    def _facts(self) -> EnvSpec:
        spaces, continuous = self._world.action_space.spaces, self.settings.continuous_actions
        return EnvSpec(
            n_agents=len(spaces),
            n_actions=0 if continuous else max(int(space.n) for space in spaces),
            obs_dim=max(self._sizes),
            state_dim=sum(self._sizes),
            episode_limit=self.settings.episode_limit,
            info_keys=self.settings.info_keys,
            action_dim=max(space.shape[0] for space in spaces) if continuous else 0,
            common_reward=self.settings.common_reward,
        )

    def _prepare_actions(self) -> None:
        spaces, spec = self._world.action_space.spaces, self.spec
        available = torch.ones(spec.n_agents, spec.n_actions, dtype=torch.bool)
        self._ranges: list[tuple[Tensor, Tensor]] = []  # the middle and half the width of each agent's
        for agent, space in enumerate(spaces):
            if spec.n_actions:
                available[agent, int(space.n) :] = False
            else:
                low, high = (
                    torch.from_numpy(np.array(end)).to(self.device) for end in (space.low, space.high)
                )
                self._ranges.append(((low + high) / 2, (high - low) / 2))
        self._available = available.to(self.device).expand(self.batch_size, -1, -1)

    def reset(self) -> Observation:
        with self._own_randomness():
            first = self._world.reset()
        self._begin([_flat(each) for each in first])
        return self._observation()

    def _begin(self, seen: list[Tensor]) -> None:
        self.t = 0
        self._obs = self._padded(seen)
        self._ended = torch.zeros(self.batch_size, dtype=torch.bool, device=self.device)
        self._info = {key: torch.zeros(self.batch_size, device=self.device) for key in self.spec.info_keys}

    def step(self, actions: Tensor) -> Transition:
        """`actions` is [B, N] int64, or [B, N, U] float32."""
        was_over = self._over()
        with self._own_randomness(), torch.no_grad():
            seen, rewards, ended, _, infos = self._world.step(self.for_vmas(actions))
        self.t += 1
        self._obs = torch.where(was_over[:, None, None], self._obs, self._padded([_flat(s) for s in seen]))
        for key in self._info:
            self._info[key] = torch.where(was_over, self._info[key], _told(infos, key, self._info[key]))
        self._ended = torch.where(was_over, self._ended, ended.view(-1))
        paid = pay(torch.stack([each.view(-1) for each in rewards], 1), self.settings)
        reward = paid.masked_fill(was_over if paid.dim() == 1 else was_over[:, None], 0.0)
        cut = self._over() & ~self._ended
        return Transition(self._observation(), reward, self._ended, cut, dict(self._info))

    def _over(self) -> Tensor:
        return self._ended if self.t < self.spec.episode_limit else torch.ones_like(self._ended)

    def for_vmas(self, actions: Tensor) -> list[Tensor]:
        """Each agent's actions as VMAS takes them: [B, 1] numbers, or [B, its U] within its range."""
        if self.spec.n_actions:
            return list(actions.to(self.device).unsqueeze(2).unbind(1))
        actions = actions.to(self.device).clamp(-1, 1)
        return [
            middle + half * actions[:, agent, : len(half)]
            for agent, (middle, half) in enumerate(self._ranges)
        ]

    def _padded(self, seen: list[Tensor]) -> Tensor:
        if len(set(self._sizes)) > 1:
            widest = self.spec.obs_dim
            seen = [torch.nn.functional.pad(each, (0, widest - each.shape[1])) for each in seen]
        return torch.stack(seen, 1).float()

    def _observation(self) -> Observation:
        state = self._obs.flatten(1)
        if len(set(self._sizes)) > 1:
            state = state.index_select(1, self._filled)
        return Observation(self._obs, state, self._available)

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """All worlds of VMAS draw from one place; within, it is this environment's own."""
        others = list(self._shared_random)
        self._shared_random[:] = self._random
        try:
            yield
        finally:
            self._random = list(self._shared_random)
            self._shared_random[:] = others

    def state_dict(self) -> dict[str, Any]:
        drawn, numpys, pythons = self._random
        kind, keys, *rest = numpys
        return {
            "world": snapshot(self._remembering()),
            "steps": self._world.steps.clone(),
            "random": {
                "torch": drawn.clone(),
                "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), *rest],
                "python": pythons,
            },
            "t": self.t,
            "obs": self._obs.clone(),
            "ended": self._ended.clone(),
            "info": {key: value.clone() for key, value in self._info.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        refuse_other_games(len(state["ended"]), self.batch_size)
        # scenarios make some of their tensors only when they are begun or stepped
        self.reset()
        self.step(self._nothing())
        restore_snapshot(self._remembering(), state["world"], self.device)
        self._world.steps = state["steps"].to(self.device, copy=True)
        kind, keys, *rest = state["random"]["numpy"]
        self._random = [
            state["random"]["torch"].cpu().clone(),
            (kind, keys.cpu().numpy().astype(np.uint32), *rest),
            tuple(tuple(part) if isinstance(part, list) else part for part in state["random"]["python"]),
        ]
        self.t = state["t"]
        self._obs, self._ended = (state[name].to(self.device, copy=True) for name in ("obs", "ended"))
        self._info = {key: value.to(self.device, copy=True) for key, value in state["info"].items()}

    def _remembering(self) -> list[Any]:
        return [self._world.world.entities, self._world.scenario]

    def _nothing(self) -> Tensor:
        shape = (self.batch_size, self.spec.n_agents)
        if self.spec.n_actions:
            return torch.zeros(shape, dtype=torch.int64, device=self.device)
        return torch.zeros((*shape, self.spec.action_dim), device=self.device)


def _seeded(seed: int) -> list[Any]:
    """The states of the three generators that VMAS draws from."""
    small = seed % 2**32  # what NumPy's takes
    return [
        torch.Generator().manual_seed(seed).get_state(),
        np.random.RandomState(small).get_state(),
        random.Random(seed).getstate(),
    ]


def _flat(seen: Tensor | dict[str, Tensor]) -> Tensor:
    """What one agent sees in all games: [B, O]."""
    if isinstance(seen, dict):
        return torch.cat([each.flatten(1) for each in seen.values()], 1)
    return seen.flatten(1)


def _told(infos: list[dict[str, Tensor]], key: str, nothing: Tensor) -> Tensor:
    """The mean [B] of those agents' numbers who say something; 0 where nobody does."""
    told = [info[key].float().view(len(nothing), -1).mean(1) for info in infos if key in info]
    return torch.stack(told).mean(0) if told else torch.zeros_like(nothing)
