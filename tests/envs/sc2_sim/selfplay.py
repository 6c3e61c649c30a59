"""Both armies under the enemy's rules: what a fair simulator must not favour."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.battle import Aim, Battle, Orders
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.healing import Healing
from cohort.envs.sc2_sim.maps import all_maps
from cohort.envs.sc2_sim.march import formation
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.envs.sc2_sim.spawn import start_positions
from cohort.envs.sc2_sim.targeting import acquire, edge_distance
from cohort.envs.sc2_sim.terrain import Terrain
from cohort.envs.sc2_sim.units import unit_constants


class SelfPlay(Battle):
    """Allies ignore their orders, walk to the enemy's start and fight as enemies do; nobody answers attacks."""

    def __init__(self, settings: SC2SimSettings) -> None:
        facts, device = all_maps()[settings.map_name], torch.device("cpu")
        constants = unit_constants(facts, settings.enemy_type_ids_swapped, device)
        super().__init__(facts, settings, constants, Terrain(facts, device))
        n = self.n_allies
        self.recoils = (constants.cooldown - constants.backswing + self.tick_numbers).unbind(0)
        if self.healing:
            self.healing = Healing(self.constants, 0)
        start = torch.from_numpy(start_positions(facts))
        self.places = formation(start[:, :n], constants.radius[:n]).unsqueeze(1)
        self.ally_reach = constants.reach[:n]
        notice = self.ally_reach.maximum(constants.radius[:n] + 5).unsqueeze(1)
        self.ally_notice = notice.masked_fill(~constants.affects[:n, n:], -1)
        self.last: tuple[Tensor, Tensor] | None = None

    def orders(self, units: Tensor, actions: Tensor, keys: Tensor) -> Orders:
        batch, n = units.shape[1], self.n_allies
        nobody = torch.zeros(batch, n, dtype=torch.int64)
        if self.last is None:
            self.last = nobody, nobody.bool()
        march = self.march.goals(keys).expand(2, batch, -1)
        ours = (self.places - self.march.start).expand(2, batch, -1)
        return Orders(
            goal=torch.cat((ours, march), 2),
            target=nobody,
            acting=nobody.bool(),
            alarm=self.senses.acquire.expand(batch, -1, n),
        )

    def aim(self, position: Tensor, *rest) -> Aim:
        *rest, orders = rest
        n = self.n_allies
        distance = edge_distance(position[:, :, :n], position[:, :, n:], self.constants.radius[n:])
        self.last = acquire(
            distance, *self.last, self.ally_reach, self.ally_notice.expand_as(distance), self.ally_reach + 100
        )
        target, acting = self.last
        return super().aim(position, *rest, orders._replace(target=target + n, acting=acting))


def selfplay_env(map_name: str, batch_size: int, seed: int, **options) -> SC2Sim:
    """An environment whose team plays by the enemy's rules, whatever its actions."""
    settings = SC2SimSettings(**{"map_name": map_name, "reset_noise": 0.0} | options)
    env = SC2Sim(settings, batch_size, seed)
    env.battle = SelfPlay(settings)
    env._advance = env._play  # never recorded: `last` changes from step to step
    return env
