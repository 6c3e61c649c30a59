"""What several test files need: environments in chosen states, and maps made up for one test."""

import dataclasses

import pytest
import torch
from torch import Tensor

from src.envs.sc2_sim import maps
from src.envs.sc2_sim.battle import COOLDOWN, FIRST_ATTACK, HEALTH, NO_OP, SHIELD, STOP
from src.envs.sc2_sim.env import SC2Sim
from src.envs.sc2_sim.maps import CENTRE, Group, all_maps
from src.envs.sc2_sim.settings import SC2SimSettings
from src.envs.sc2_sim.units import UNITS

SYMMETRIC = ("3m", "8m", "25m", "2s3z", "3s5z")
PLAYABLE = (
    "10m_vs_11m", "25m", "27m_vs_30m", "2s3z", "3m", "3s5z", "3s5z_vs_3s6z", "3s_vs_3z", "3s_vs_4z", "3s_vs_5z",
    "5m_vs_6m", "8m", "8m_vs_9m",
)  # fmt: skip
RACE = {"Marine": "T", "Marauder": "T", "Stalker": "P", "Zealot": "P", "Zergling": "Z", "Hydralisk": "Z"}


def make(map_name: str = "3m", batch_size: int = 1, seed: int = 0, first_game: int = 0, **settings) -> SC2Sim:
    """A new environment, already reset."""
    env = SC2Sim(SC2SimSettings(map_name=map_name, **settings), batch_size, seed, first_game=first_game)
    env.reset()
    return env


def duel(monkeypatch: pytest.MonkeyPatch, ally: str, enemy: str, batch_size: int = 1, **settings) -> SC2Sim:
    """One unit against one on the marine maps' ground."""
    facts = dataclasses.replace(
        all_maps()["3m"],
        name="duel",
        n_agents=1,
        n_enemies=1,
        ally_race=RACE[ally],
        enemy_race=RACE[enemy],
        episode_limit=10_000,
        groups=(Group("ally", ally, 1, (9.0, 16.0)), Group("enemy", enemy, 1, (23.0, 16.0))),
    )
    monkeypatch.setitem(all_maps(), "duel", facts)
    monkeypatch.setattr(maps, "_PLAYABLE_UNITS", set(UNITS))
    return make("duel", batch_size, **settings)


def change(
    env: SC2Sim,
    position: Tensor | None = None,
    health: Tensor | float | None = None,
    shield: Tensor | float | None = None,
    cooldown: Tensor | float | None = None,
    **games: Tensor,
) -> None:
    """Set positions [B, U, 2] (metres from the corner), planes [B, U] and other state; refreshes what is seen."""
    state = env.state_dict()
    units = state["units"]
    if position is not None:
        units[:2] = (position - CENTRE).permute(2, 0, 1)
    for plane, value in ((HEALTH, health), (SHIELD, shield), (COOLDOWN, cooldown)):
        if value is not None:
            units[plane] = value
    units[:2] = torch.where(units[HEALTH] > 0, units[:2], env.battle.grave)
    env.load_state_dict({**state, **games})


def positions(env: SC2Sim) -> Tensor:
    """[B, U, 2] metres from the lower left corner."""
    return env.games.units[:2].permute(1, 2, 0) + CENTRE


def stop(env: SC2Sim) -> Tensor:
    """[B, N]: everyone alive stops."""
    return torch.where(env.observation.available_actions[:, :, STOP], STOP, NO_OP)


def attack(env: SC2Sim, enemy: int) -> Tensor:
    """[B, N]: everyone attacks one enemy."""
    return torch.full((env.batch_size, env.spec.n_agents), FIRST_ATTACK + enemy)
