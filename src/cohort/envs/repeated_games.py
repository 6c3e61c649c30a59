"""Matrix games played again and again: iterated prisoner's dilemma, rock-paper-scissors with 2 to 4 players."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from cohort.envs.base import EnvSpec, Observation, Transition, refuse_other_games
from cohort.envs.payoffs import PRISONERS_DILEMMA
from cohort.settings import Settings


@dataclass(frozen=True)
class RepeatedGame:
    """One matrix game, its state the joint action of the step before.

    State 0 is the beginning; 1 + sum_j a_j A^(N-1-j) follows the joint action a.

    Attributes:
        payoff: [A^N, N], what every agent gets for a joint action.
        actions: the actions' names in order.
        temperaments: what one who prefers an action is called, in the same order.
    """

    payoff: Tensor
    actions: tuple[str, ...]
    temperaments: tuple[str, ...]
    action_dim = 0  # actions are discrete
    reward_scale = 1.0  # rewards are the payoff itself

    @property
    def n_actions(self) -> int:
        return len(self.actions)

    @property
    def n_agents(self) -> int:
        return self.payoff.shape[1]

    @property
    def n_states(self) -> int:
        return self.payoff.shape[0] + 1

    @property
    def n_inputs(self) -> int:
        """Networks see the state one-hot."""
        return self.n_states

    @property
    def joint_actions(self) -> Tensor:
        """[A^N, N]: the joint action behind each row of the payoff."""
        joint = list(product(range(self.n_actions), repeat=self.n_agents))
        return torch.tensor(joint, device=self.payoff.device)

    def next_state(self, actions: Tensor) -> Tensor:
        """[..., N] int64 -> [...] int64."""
        places = self.n_actions ** torch.arange(self.n_agents - 1, -1, -1, device=actions.device)
        return 1 + (actions * places).sum(dim=-1)

    def reward(self, next_state: Tensor) -> Tensor:
        """What the step into `next_state` paid: [...] int64, never 0 -> [..., N]."""
        return self.payoff[next_state - 1]

    def chance(self, lead: tuple[int, ...], steps: int, generator: torch.Generator) -> Tensor:
        """One number from [0, 1) for each action: [*lead, T, N]."""
        return torch.rand(*lead, steps, self.n_agents, generator=generator)

    def begin(self, chance: Tensor) -> "RepeatedRollout":
        return RepeatedRollout(self, chance)


class RepeatedRollout:
    """C x K matches of a repeated game while they are played, as tensors."""

    def __init__(self, game: RepeatedGame, uniform: Tensor) -> None:
        """`uniform` is [C, K, T, N]."""
        chains, matches, self.steps, n_agents = uniform.shape
        self.game = game
        self.draws = uniform.permute(2, 3, 0, 1).contiguous()  # [T, N, C, K]
        self._places = [game.n_actions ** (n_agents - 1 - agent) for agent in range(n_agents)]
        shape = (self.steps + 1, chains, 1, matches)
        self._states = torch.ones(shape, dtype=torch.int64, device=uniform.device)
        self._states[0] = 0
        self._at, *ahead = self._states.unbind()  # [C, 1, K] each
        self._ahead = iter(ahead)

    @property
    def seen(self) -> Tensor:
        return self._at.squeeze(1)

    def step(self, actions: Sequence[Tensor]) -> None:
        self._at = next(self._ahead)  # 1 so far
        for action, place in zip(actions, self._places, strict=True):
            self.seen.add_(action, alpha=place)

    def follow(self, answers: Sequence[Tensor]) -> None:
        following = torch.ones_like(answers[0])  # what each state leads to, [T', C, S, K]
        for answer, place in zip(answers, self._places, strict=True):
            following.add_(answer, alpha=place)
        for leads_to in following.unbind():
            before, self._at = self._at, next(self._ahead)
            torch.gather(leads_to, 1, before, out=self._at)

    def record(self) -> tuple[Tensor, Tensor, Tensor]:
        states = self._states.squeeze(2).permute(1, 2, 0)  # [C, K, T+1]
        actions = self.game.joint_actions[states[..., 1:] - 1]
        return states[..., :-1].contiguous(), actions, self.game.reward(states[..., 1:])


def prisoners_dilemma() -> RepeatedGame:
    return RepeatedGame(
        torch.tensor(PRISONERS_DILEMMA), ("defect", "cooperate"), ("defecting", "cooperating")
    )


def rock_paper_scissors(n_agents: int, reduction: Literal["sum", "mean"] = "sum") -> RepeatedGame:
    """Every pair plays once at a time: +1 for the winner, -1 for the loser, 0 for a tie.

    `reduction` says whether an agent gets the sum or the mean of its pairs.
    """
    outcome = torch.tensor([0.0, 1.0, -1.0])  # of (mine - theirs) mod 3
    joint = torch.tensor(list(product(range(3), repeat=n_agents)))  # [3^N, N]
    pairs = outcome[(joint[:, :, None] - joint[:, None, :]) % 3]
    payoff = pairs.sum(dim=-1) / (1 if reduction == "sum" else n_agents - 1)
    names = ("rock", "paper", "scissors")
    return RepeatedGame(payoff, names, names)


class RepeatedGamesSettings(Settings):
    map_name: Literal["ipd", "rps"] = Field(description="iterated prisoner's dilemma or rock-paper-scissors")
    n_agents: int = Field(default=2, ge=2, le=4, description="players; the prisoner's dilemma has 2")
    episode_limit: int = Field(ge=1, description="steps of a match (the paper's horizon H)")
    pairwise_reduction: Literal["sum", "mean"] = Field(
        default="sum", description="rps with more than two players: sum or mean of an agent's pairwise games"
    )

    @model_validator(mode="after")
    def a_dilemma_is_of_two(self) -> Self:
        if self.map_name == "ipd" and self.n_agents != 2:
            raise ValueError("map_name=ipd is a game of n_agents=2")
        return self

    @property
    def game(self) -> RepeatedGame:
        if self.map_name == "ipd":
            return prisoners_dilemma()
        return rock_paper_scissors(self.n_agents, self.pairwise_reduction)


class RepeatedGames:
    """B matches of one game side by side. Every agent sees the state, one-hot; each has rewards of its own.

    A match never ends by itself: after `episode_limit` steps it is cut off.
    """

    Settings = RepeatedGamesSettings
    provides = ("chains",)  # its `game` is one that chains of joint policies are played in

    def __init__(
        self,
        settings: RepeatedGamesSettings,
        *,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        """`seed` is not needed: nothing here is random."""
        game = settings.game
        self.game = RepeatedGame(game.payoff.to(device), game.actions, game.temperaments)
        self.batch_size = batch_size
        self.spec = EnvSpec(
            n_agents=game.n_agents,
            n_actions=game.n_actions,
            obs_dim=game.n_states,
            state_dim=game.n_states,
            episode_limit=settings.episode_limit,
            common_reward=False,
        )
        self.state = torch.zeros(batch_size, dtype=torch.int64, device=device)  # [B]
        self.time = torch.zeros(batch_size, dtype=torch.int64, device=device)  # [B] steps played
        self._codes = torch.eye(game.n_states, device=device)
        self._all = torch.ones(batch_size, game.n_agents, game.n_actions, dtype=torch.bool, device=device)

    def reset(self) -> Observation:
        self.state = torch.zeros_like(self.state)
        self.time = torch.zeros_like(self.time)
        return self._observe()

    def step(self, actions: Tensor) -> Transition:
        over = self.time >= self.spec.episode_limit
        following = self.game.next_state(actions)
        reward = self.game.reward(following).masked_fill(over[:, None], 0.0)
        self.state = torch.where(over, self.state, following)
        self.time = torch.where(over, self.time, self.time + 1)
        cut = self.time >= self.spec.episode_limit
        return Transition(self._observe(), reward, torch.zeros_like(cut), cut, {})

    def _observe(self) -> Observation:
        state = self._codes[self.state]
        return Observation(state.unsqueeze(1).expand(-1, self.spec.n_agents, -1), state, self._all)

    def state_dict(self) -> dict[str, Any]:
        return {"state": self.state.clone(), "time": self.time.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        refuse_other_games(len(state["state"]), self.batch_size)
        self.state, self.time = (state[name].to(self.state.device, copy=True) for name in ("state", "time"))
