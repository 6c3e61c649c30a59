"""The 2-agent HalfCheetah as a game that chains of joint policies are played in."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cohort.envs.halfcheetah.robots import N_JOINTS, N_POSITIONS, N_SEEN, N_VELOCITIES, Robots

N_AGENTS = 2
N_START = N_POSITIONS + N_VELOCITIES


class HalfCheetahGame:
    """Matches in which one robot is to run in a direction; both agents see all of it and get the same reward.

    Agent 0 moves the back leg, agent 1 the front leg:

        reward = scale (direction (x' - x) / 0.05 s - 0.1 |clipped actions|^2).

    One rollout is played at a time: the next takes its robots.
    """

    n_agents, n_actions, action_dim, n_inputs = N_AGENTS, 0, N_JOINTS // N_AGENTS, N_SEEN
    temperaments = ()

    def __init__(self, direction: float, reward_scale: float) -> None:
        """`direction` is 1 for the right, -1 for the left. Raises `UserError` where a package is missing."""
        self.direction, self.reward_scale = direction, reward_scale
        self.robots = Robots()

    def chance(self, lead: tuple[int, ...], steps: int, generator: torch.Generator) -> Tensor:
        """Of each match where the robot begins and each agent's deviation from its mean: [*lead, 18 + T N U].

        The first 9 numbers are from [0, 1), the others normal.
        """
        uniform = torch.rand(*lead, N_POSITIONS, generator=generator)
        normal = torch.randn(*lead, N_VELOCITIES + steps * N_JOINTS, generator=generator)
        return torch.cat([uniform, normal], dim=-1)

    def begin(self, chance: Tensor) -> "HalfCheetahRollout":
        return HalfCheetahRollout(self, chance)

    def act(self, actions: Tensor) -> Tensor:
        """One step of all robots, [B, N, U] -> reward [B] float64 on the CPU."""
        speed, price = self.robots.step(actions.flatten(1).double().cpu().numpy())
        return torch.from_numpy(self.reward_scale * (self.direction * speed - price))


class HalfCheetahRollout:
    """C x K matches while they are played: robots on the CPU, one after the other."""

    def __init__(self, game: HalfCheetahGame, chance: Tensor) -> None:
        """`chance` [C, K, 18 + T N U] also says the type and device of all that is seen."""
        self.game = game
        self._shape = chance.shape[:2]
        noise = chance[..., N_START:].unflatten(-1, (-1, N_AGENTS, game.action_dim))  # [C, K, T, N, U]
        self.steps = noise.shape[2]
        self.draws = noise.permute(2, 3, 0, 1, 4).contiguous()  # [T, N, C, K, U]
        game.robots.place(chance[..., :N_START].flatten(0, 1).double().cpu().numpy())
        self._like = chance
        self._seen: list[Tensor] = []
        self._actions: list[Tensor] = []
        self._reward: list[Tensor] = []
        self.seen = self._look()

    def _look(self) -> Tensor:
        """[C, K, O]."""
        return torch.from_numpy(self.game.robots.seen()).to(self._like).unflatten(0, self._shape)

    def step(self, actions: Sequence[Tensor]) -> None:
        self._seen.append(self.seen)
        self._actions.append(torch.stack(list(actions), dim=2))  # [C, K, N, U]
        reward = self.game.act(self._actions[-1].flatten(0, 1))
        self._reward.append(reward.to(self._like).unflatten(0, self._shape))
        self.seen = self._look()

    def record(self) -> tuple[Tensor, Tensor, Tensor]:
        states, actions, reward = (
            torch.stack(each, dim=2) for each in (self._seen, self._actions, self._reward)
        )
        return states, actions, reward.unsqueeze(-1).expand(*reward.shape, N_AGENTS).contiguous()
