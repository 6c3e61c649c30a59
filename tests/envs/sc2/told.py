"""Teams and places that somebody else drew, for a `SMACv2Sim` of one game."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.maps import CENTRE
from cohort.envs.smacv2_sim.env import SMACv2Sim
from cohort.envs.smacv2_sim.places import Asked
from cohort.envs.smacv2_sim.tasks import race_of


class _Told:
    """Takes the place of `Teams` and of `Places`."""

    def __init__(self, enemies: Tensor, asked: Asked) -> None:
        self.enemies, self.asked = enemies, asked

    def types(self, keys: Tensor) -> Tensor:
        return self.enemies.expand(len(keys), -1)

    def ask(self, keys: Tensor) -> Asked:
        return Asked(*(each.expand(*each.shape[:-2], len(keys), -1) for each in self.asked))


def tell(sim: SMACv2Sim, team: list[str], enemies: list[str], points: list[tuple[float, float]]) -> None:
    """Let the next episode have these units (SMACv2's names) at these points (metres from the map's corner)."""
    names = [kind.name.lower() for kind in race_of(sim.settings.map_name).kinds]
    assert enemies[: len(team)] == team, "SMACv2's enemies begin with the team's own types"
    asked = Asked(
        position=torch.tensor(points, dtype=torch.float32).T.unsqueeze(1) - CENTRE,
        rank=torch.tensor([[points[:i].count(point) for i, point in enumerate(points)]]),
        crowd=torch.tensor([[points.count(point) for point in points]]),
    )
    told = _Told(torch.tensor([[names.index(name) for name in enemies]]), asked)
    sim.spawner._teams = sim.spawner._places = told
    sim._starts = sim._starts_of_these()  # none is prepared
    sim._advance = sim._play  # a recording would go on with those that it was made with
