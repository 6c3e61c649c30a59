"""`python -m benchmarks.real_game.heuristic`: SMAC's scripted team in the simulator, beside its published win rates.

No learning stands between the battles and this number, so it says more about the battle model than a learned win rate.
The script is smac's `heuristic_ai`: everybody attacks the enemy that was nearest when it had no target, from any
distance, until that one is dead; a medivac heals whoever hurt was nearest. Where units start decides who is nearest,
and how StarCraft scatters them is unknown.
"""

import argparse
import math

import torch
from torch import Tensor

from cohort.components.process import prepare_process
from cohort.envs.sc2_sim.battle import Battle, Orders
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.maps import all_maps
from cohort.envs.sc2_sim.planes import HEALTH, NOWHERE, STOP, X
from cohort.envs.sc2_sim.settings import SC2SimSettings

# Percent, StarCraft II 4.6.2: the column of the heuristic in the SMAC paper's table (arXiv:1902.04043). Written down
# from memory of the paper: no copy of that column was at hand; other columns of the table are in published.yaml.
PUBLISHED = {
    "2s_vs_1sc": 0, "2s3z": 90, "3s5z": 42, "1c3s5z": 81, "10m_vs_11m": 12, "2c_vs_64zg": 0, "bane_vs_bane": 43,
    "5m_vs_6m": 0, "3s_vs_5z": 0, "3s5z_vs_3s6z": 0, "6h_vs_8z": 0, "27m_vs_30m": 0, "MMM2": 0, "corridor": 0,
}  # fmt: skip


class ScriptedBattle(Battle):
    """A battle whose team follows the script, whatever its actions are."""

    def __init__(self, env: SC2Sim) -> None:
        """On the ground and with the units of `env`."""
        constants = env.battle.constants
        super().__init__(all_maps()[env.settings.map_name], env.settings, constants, env.observer.terrain)
        self.can_act = constants.affects[: self.n_allies]  # [N, U]
        self.heals = torch.tensor([unit.heal_rate > 0 for unit in constants.units[: self.n_allies]])
        self.chosen: Tensor | None = None  # [B, N] the unit each agent acts on, -1 for none

    def orders(self, units: Tensor, actions: Tensor, keys: Tensor) -> Orders:
        given, n = super().orders(units, actions, keys), self.n_allies
        self.chosen = chosen = self.choose(units)
        goal = given.goal.clone()
        goal[X, :, :n] = NOWHERE  # nobody walks anywhere else
        attacked = chosen.unsqueeze(1) == self.enemies
        return given._replace(
            goal=goal,
            target=torch.where(chosen < 0, self.allies, chosen),
            acting=chosen >= 0,
            alarm=self.senses.alarm(units[:2, :, n:], attacked),
        )

    def choose(self, units: Tensor) -> Tensor:
        """[B, N]: the last one while it is worth acting on, else the nearest that is."""
        n, health = self.n_allies, units[HEALTH]
        hurt = (health < self.constants.health) | (
            torch.arange(self.n_units) >= n
        )  # medivacs heal the hurt only
        worth = self.can_act & (hurt & (health > 0)).unsqueeze(1)  # [B, N, U]
        gap = units[:2].unsqueeze(2) - units[:2, :, :n].unsqueeze(3)
        distance = gap.norm(dim=0).masked_fill(~worth, math.inf)
        nearest = torch.where(distance.amin(2) < math.inf, distance.argmin(2), -1)
        nearest = nearest.masked_fill(health[:, :n] <= 0, -1)
        if self.chosen is None:
            return nearest
        keeps = worth.gather(2, self.chosen.clamp_min(0).unsqueeze(2)).squeeze(2) & (self.chosen >= 0)
        return torch.where(keeps & (health[:, :n] > 0), self.chosen, nearest)


def play(settings: SC2SimSettings, battles: int, seed: int) -> dict[str, float]:
    """Mean outcomes of as many battles under the script."""
    env = SC2Sim(settings, battles, seed)
    env.battle = ScriptedBattle(env)
    seen = env.reset()
    ended = False
    while not ended:
        actions = torch.where(seen.available_actions[:, :, STOP], STOP, 0)
        transition = env.step(actions)
        seen = transition.observation
        ended = bool((transition.terminated | transition.truncated).all())
    return {name: value.float().mean().item() for name, value in transition.info.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--maps", nargs="+", default=list(all_maps()))
    parser.add_argument("--battles", type=int, default=256)
    parser.add_argument("--noise", type=float, help="reset_noise, if not the default")
    options = parser.parse_args()
    prepare_process(1)
    print("| map | StarCraft II, % | here, % | dead allies | dead enemies |\n| --- | --- | --- | --- | --- |")
    for name in options.maps:
        noise = {} if options.noise is None else {"reset_noise": options.noise}
        result = play(SC2SimSettings(map_name=name, **noise), options.battles, seed=5)
        real = PUBLISHED.get(name, "")
        dead = f"{result['dead_allies']:.1f} | {result['dead_enemies']:.1f}"
        print(f"| {name} | {real} | {100 * result['battle_won']:.0f} | {dead} |", flush=True)


if __name__ == "__main__":
    main()
