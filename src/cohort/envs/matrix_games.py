"""Matrix games: payoffs one can look up, optima one can compute."""

import math
from typing import Any, Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor

from cohort.envs.base import EnvSpec, Observation, Transition, refuse_other_games
from cohort.envs.payoffs import GAMES, Payoff
from cohort.registry import known
from cohort.settings import Settings


class MatrixGamesSettings(Settings):
    map_name: str = Field(description=f"the game: {', '.join(GAMES)}, or custom with a payoff of your own")
    payoff: list | None = Field(
        default=None,
        description="with map_name=custom: nested lists, one level per agent, as many entries as actions",
    )

    @field_validator("map_name")
    @classmethod
    def game_is_known(cls, name: str) -> str:
        return known(name, "game", [*GAMES, "custom"], "Allowed")

    @model_validator(mode="after")
    def payoff_is_of_a_game(self) -> Self:
        if (self.map_name == "custom") != (self.payoff is not None):
            raise ValueError("map_name=custom and payoff=[[...], ...] go together")
        if self.payoff is not None:
            _payoff_tensor(self.payoff)
        return self

    @property
    def payoffs(self) -> tuple[Payoff, ...]:
        return (self.payoff,) if self.payoff is not None else GAMES[self.map_name].payoffs


def _payoff_tensor(payoff: Payoff) -> Tensor:
    """[A] * N float32. Raises `ValueError` when it is ragged, not finite or not the same size on every side."""
    try:
        tensor = torch.tensor(payoff, dtype=torch.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"payoff must be nested lists of numbers of equal lengths ({error})") from error
    if tensor.dim() < 1 or tensor.numel() == 0 or len(set(tensor.shape)) != 1:
        raise ValueError(f"payoff must have as many entries on every side, not {tuple(tensor.shape)}")
    if not math.isfinite(float(tensor.abs().max())):
        raise ValueError("payoff must be finite")
    return tensor


class MatrixGames:
    """B matrix games side by side. Every agent sees which stage it is in, one-hot, and so does the state."""

    Settings = MatrixGamesSettings

    def __init__(
        self, settings: MatrixGamesSettings, *, batch_size: int, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        """`seed` is not needed: nothing here is random."""
        payoffs = torch.stack([_payoff_tensor(each) for each in settings.payoffs])
        self.batch_size = batch_size
        self.two_steps = len(payoffs) > 1
        stages, n_agents, n_actions = len(payoffs), payoffs.dim() - 1, payoffs.shape[1]
        self.spec = EnvSpec(
            n_agents=n_agents,
            n_actions=n_actions,
            obs_dim=stages,
            state_dim=stages,
            episode_limit=2 if self.two_steps else 1,
        )
        self.payoffs = payoffs.flatten(1).to(device)  # [stages, A^N]
        self._places = n_actions ** torch.arange(n_agents - 1, -1, -1, device=device)
        self._codes = torch.eye(stages, device=device)
        self._all = torch.ones((batch_size, n_agents, n_actions), dtype=torch.bool, device=device)
        self.stage = torch.zeros(batch_size, dtype=torch.int64, device=device)
        self.over = torch.zeros(batch_size, dtype=torch.bool, device=device)

    def reset(self) -> Observation:
        self.stage, self.over = torch.zeros_like(self.stage), torch.zeros_like(self.over)
        return self._observe()

    def step(self, actions: Tensor) -> Transition:
        joint = (actions * self._places).sum(dim=1)
        reward = self.payoffs[self.stage, joint].masked_fill(self.over, 0.0)
        ends = (self.stage > 0) | (not self.two_steps)
        if self.two_steps:
            self.stage = torch.where(self.stage > 0, self.stage, 1 + actions[:, 0])
        self.over = self.over | ends
        return Transition(self._observe(), reward, self.over, torch.zeros_like(self.over), {})

    def _observe(self) -> Observation:
        state = self._codes[self.stage]
        return Observation(state.unsqueeze(1).expand(-1, self.spec.n_agents, -1), state, self._all)

    def state_dict(self) -> dict[str, Any]:
        return {"stage": self.stage.clone(), "over": self.over.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        refuse_other_games(len(state["stage"]), self.batch_size)
        self.stage, self.over = (state[name].to(self.stage.device, copy=True) for name in ("stage", "over"))
