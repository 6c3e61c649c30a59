"""What several test files need: environments in chosen states, and maps made up for one test."""

import dataclasses

import pytest
import torch
from torch import Tensor

from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.maps import CENTRE, Group, all_maps
from cohort.envs.sc2_sim.planes import COOLDOWN, ENERGY, FIRST_ATTACK, HEALTH, NO_OP, SHIELD, STOP, UNHURT
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.envs.sc2_sim.wind_up import NEVER

SYMMETRIC = ("3m", "8m", "25m", "2s3z", "3s5z", "1c3s5z", "MMM", "bane_vs_bane")
MAPS = tuple(all_maps())
FOREVER = 1e6  # health or cooldown that no test outlives
RACE = {
    "Marine": "T", "Marauder": "T", "Medivac": "T", "Stalker": "P", "Zealot": "P", "Colossus": "P",
    "Zergling": "Z", "Baneling": "Z", "Hydralisk": "Z", "SpineCrawler": "Z",
}  # fmt: skip


def make(map_name: str = "3m", batch_size: int = 1, seed: int = 0, first_game: int = 0, **settings) -> SC2Sim:
    """A new environment, already reset; its starts are exact unless told otherwise."""
    settings = {"map_name": map_name, "reset_noise": 0.0} | settings
    env = SC2Sim(SC2SimSettings(**settings), batch_size, seed, first_game=first_game)
    env.reset()
    return env


def skirmish(
    monkeypatch: pytest.MonkeyPatch,
    allies: dict[str, int],
    enemies: dict[str, int],
    base: str = "3m",
    **options,
) -> SC2Sim:
    """A battle of any armies (unit: how many) on the ground of map `base`, at whose centres they start."""
    spawns = {group.side: group.spawn for group in all_maps()[base].groups}
    armies = (("ally", allies), ("enemy", enemies))
    facts = dataclasses.replace(
        all_maps()[base],
        name="skirmish",
        n_agents=sum(allies.values()),
        n_enemies=sum(enemies.values()),
        map_type="MMM" if "Medivac" in {**allies, **enemies} else "marines",
        ally_race=RACE[next(iter(allies))],
        enemy_race=RACE[next(iter(enemies))],
        episode_limit=10_000,
        groups=tuple(Group(side, unit, n, spawns[side]) for side, army in armies for unit, n in army.items()),
    )
    monkeypatch.setitem(all_maps(), "skirmish", facts)
    return make("skirmish", **options)


def duel(monkeypatch: pytest.MonkeyPatch, ally: str, enemy: str, batch_size: int = 1, **options) -> SC2Sim:
    """One unit against one on the marine maps' ground."""
    return skirmish(monkeypatch, {ally: 1}, {enemy: 1}, batch_size=batch_size, **options)


def change(
    env: SC2Sim,
    position: Tensor | None = None,
    health: Tensor | float | None = None,
    shield: Tensor | float | None = None,
    cooldown: Tensor | float | None = None,
    energy: Tensor | float | None = None,
    unhurt: Tensor | float | None = None,
    **games: Tensor,
) -> None:
    """Set positions [B, U, 2] (metres from the corner), planes [B, U] and other state; refreshes what is seen."""
    state = env.state_dict()
    units = state["units"]
    if position is not None:
        units[:2] = (position - CENTRE).permute(2, 0, 1)
    planes = {HEALTH: health, SHIELD: shield, COOLDOWN: cooldown, ENERGY: energy, UNHURT: unhurt}
    for plane, value in planes.items():
        if value is not None:
            units[plane] = value
    units[:2] = torch.where(units[HEALTH] > 0, units[:2], env.battle.grave)
    env.load_state_dict({**state, **games})


def facing(env: SC2Sim, metres: float) -> Tensor:
    """[B, U, 2]: all allies at (12, 16), all enemies `metres` east of them."""
    place = torch.full((env.batch_size, env.battle.n_units, 2), 16.0)
    place[:, : env.spec.n_agents, 0] = 12
    place[:, env.spec.n_agents :, 0] = 12 + metres
    return place


def disarm_enemies(env: SC2Sim) -> None:
    """Keep the enemy from firing for as long as any test lasts; it does not stand still for that."""
    env.battle.recoils = [torch.full_like(each, NEVER) for each in env.battle.recoils]
    cooldown = env.games.units[COOLDOWN].clone()
    cooldown[:, env.spec.n_agents :] = FOREVER
    change(env, cooldown=cooldown)


def positions(env: SC2Sim) -> Tensor:
    """[B, U, 2] metres from the lower left corner."""
    return env.games.units[:2].permute(1, 2, 0) + CENTRE


def stop(env: SC2Sim) -> Tensor:
    """[B, N]: everyone alive stops."""
    return torch.where(env.observation.available_actions[:, :, STOP], STOP, NO_OP)


def attack(env: SC2Sim, enemy: int) -> Tensor:
    """[B, N]: everyone attacks one enemy."""
    return torch.full((env.batch_size, env.spec.n_agents), FIRST_ATTACK + enemy)


def insist(env: SC2Sim, enemy: int = 0) -> None:
    """Step with everyone attacking one enemy, also from beyond the 6 m at which SMAC offers it."""
    everything = torch.ones_like(env.observation.available_actions)
    env.observation = env.observation._replace(available_actions=everything)
    env.step(attack(env, enemy))
