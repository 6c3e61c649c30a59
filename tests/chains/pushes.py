"""A small game of vectors and continuous actions, without a simulator."""

from collections.abc import Callable, Sequence

import torch

Reward = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


class Pushes:
    """Two agents push a point on a line and see where it is and how late; `reward` is of both their pushes."""

    n_agents, n_actions, action_dim, n_inputs, reward_scale, temperaments = 2, 0, 1, 2, 1.0, ()

    def __init__(self, reward: Reward, dtype: torch.dtype = torch.float64) -> None:
        self.reward, self.dtype = reward, dtype

    def chance(self, lead: tuple[int, ...], steps: int, generator: torch.Generator) -> torch.Tensor:
        return torch.randn(*lead, steps, 2, 1, dtype=self.dtype, generator=generator)

    def begin(self, chance: torch.Tensor) -> "PushesRollout":
        return PushesRollout(self, chance)


class PushesRollout:
    def __init__(self, game: Pushes, chance: torch.Tensor) -> None:
        self.game, self.steps = game, chance.shape[2]
        self.draws = chance.permute(2, 3, 0, 1, 4)
        self.seen = chance.new_zeros(*chance.shape[:2], 2)
        self.kept: list[tuple[torch.Tensor, ...]] = []

    def step(self, actions: Sequence[torch.Tensor]) -> None:
        pushes = torch.stack(list(actions), dim=2)  # [C, K, N, 1]
        mine, other = pushes[..., 0].unbind(-1)
        paid = torch.stack(self.game.reward(mine + self.seen[..., 0], other), dim=-1)
        self.kept.append((self.seen, pushes, paid))
        self.seen = torch.stack([self.seen[..., 0] + 0.3 * mine - 0.2 * other, self.seen[..., 1] + 0.1], -1)

    def record(self) -> tuple[torch.Tensor, ...]:
        return tuple(torch.stack(each, dim=2) for each in zip(*self.kept, strict=True))
