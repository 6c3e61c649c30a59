"""Whose units fight: SMACv2's `weighted_teams`."""

import math

import torch
from torch import Tensor

from cohort.envs.sc2_sim.noise import uniform
from cohort.envs.smacv2_sim.tasks import Race

# The stream's step that decides the teams: weapons use the steps from 0 on, places use -4.
_TEAM_STEP = -3
_ONLY_SPECIAL, _NO_SPECIAL, _ANY = range(3)  # rows of the tables of chances


class Teams:
    """The types of both sides' units: the enemy's are the team's, and where it has more units these are drawn as well.

    SMACv2 draws each group until not all of it are of types that cannot fight alone (medivacs, banelings). Here that
    is drawn at once: first which unit is the first ordinary one, then the others given that.
    """

    def __init__(self, race: Race, n_agents: int, n_enemies: int, device: torch.device) -> None:
        weights = torch.tensor([kind.weight for kind in race.kinds], dtype=torch.float64)
        special = torch.tensor([not kind.alone for kind in race.kinds])
        chances = [weights * special, weights * ~special, weights]
        rows = [(row / row.sum().clamp_min(1e-9)).cumsum(0)[:-1] for row in chances]
        self._thresholds = torch.stack(rows).float().to(device)  # [3, kinds - 1]
        self._special = float((weights * special).sum())
        self._groups = [n_agents, n_enemies - n_agents]
        self._lanes = torch.arange(n_enemies + len(self._groups), device=device)

    def types(self, keys: Tensor) -> Tensor:
        """[B, E] int64 types in episodes with random streams `keys` [B]; the first N are also the team's."""
        random = uniform(keys, torch.full_like(keys, _TEAM_STEP), self._lanes)
        draws, first = random[:, : -len(self._groups)], random[:, -len(self._groups) :]
        parts = [
            self._group(part, first[:, number])
            for number, part in enumerate(draws.split(self._groups, 1))
            if part.shape[1]
        ]
        return torch.cat(parts, 1)

    def _group(self, draws: Tensor, first: Tensor) -> Tensor:
        """[B, n] types, not all special, from uniform numbers [B, n] and [B]."""
        n, number = draws.shape[1], torch.arange(draws.shape[1], device=draws.device)
        ordinary = torch.zeros_like(first)
        if self._special:  # P(the first ordinary unit is number i) is q^i (1 - q) / (1 - q^n)
            all_special = self._special**n
            ordinary = (
                (torch.log1p(-first * (1 - all_special)) / math.log(self._special)).floor().clamp_max(n - 1)
            )
        ordinary = ordinary.unsqueeze(1)
        rule = torch.where(
            number < ordinary, _ONLY_SPECIAL, torch.where(number == ordinary, _NO_SPECIAL, _ANY)
        )
        return (draws.unsqueeze(2) >= self._thresholds[rule]).sum(2)
