"""Both armies under the enemy's rules: what a fair simulator must not favour."""

import torch
from torch import Tensor

from src.envs.sc2_sim.battle import Aim, Battle, Orders, acquire, length2, root
from src.envs.sc2_sim.env import SC2Sim
from src.envs.sc2_sim.maps import all_maps
from src.envs.sc2_sim.settings import SC2SimSettings
from src.envs.sc2_sim.terrain import Terrain
from src.envs.sc2_sim.units import unit_constants


class SelfPlay(Battle):
    """Allies ignore their orders, walk to the enemy's start and fight as enemies do."""

    def __init__(self, settings: SC2SimSettings) -> None:
        facts, device = all_maps()[settings.map_name], torch.device("cpu")
        constants = unit_constants(facts, settings.enemy_type_ids_swapped, device)
        super().__init__(facts, settings, constants, Terrain(facts, device))
        n = self.n_allies
        self.ally_reach = constants.reach[:n]
        self.ally_acquire = (self.ally_reach + 0.5).maximum(constants.radius[:n] + 5).unsqueeze(1)
        self.last: tuple[Tensor, Tensor] | None = None

    def orders(self, units: Tensor, actions: Tensor) -> Orders:
        batch, n = units.shape[1], self.n_allies
        nobody = torch.zeros(batch, n, dtype=torch.int64)
        if self.last is None:
            self.last = nobody, nobody.bool()
        return Orders(
            goal=(-self.waypoint[:, :, :1]).expand(2, batch, n),
            target=nobody,
            attacking=nobody.bool(),
            alarm=self.enemy_acquire.expand(batch, -1, n),
        )

    def retarget(self, position: Tensor, target: Tensor, engaged: Tensor, orders: Orders) -> Aim:
        n, radius = self.n_allies, self.constants.radius
        distance = root(length2(position.unsqueeze(2) - position.unsqueeze(3)))
        theirs, they_fight = acquire(
            distance[:, n:, :n] - radius[:n], target, engaged, self.enemy_reach, orders.alarm
        )
        ours = distance[:, :n, n:] - radius[n:]
        alarm = self.ally_acquire.expand_as(ours)
        self.last = acquire(ours, *self.last, self.ally_reach, alarm)
        ours, we_fight = self.last
        return self.aim(torch.cat((ours + n, theirs), 1), torch.cat((we_fight, they_fight), 1))


def selfplay_env(map_name: str, batch_size: int, seed: int, **options) -> SC2Sim:
    """An environment whose team plays by the enemy's rules, whatever its actions."""
    settings = SC2SimSettings(map_name=map_name, **options)
    env = SC2Sim(settings, batch_size, seed)
    env.battle = SelfPlay(settings)
    return env
