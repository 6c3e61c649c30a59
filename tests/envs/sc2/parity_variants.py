"""The ways of setting SMAC up that parity is asked of."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Variant:
    """One way to set SMAC up.

    Attributes:
        arguments: of SMAC, the same in both.
        battle: settings of the simulators that SMAC does not have.
        limit: steps after which the episodes end; None: the map's own limit.
        enemy_health: fraction of their health the enemies begin with, so that the team wins.
        old_pathing: how the stand-in writes the pathing grid.
    """

    arguments: dict[str, Any]
    battle: dict[str, Any] = field(default_factory=dict)
    limit: int | None = None
    enemy_health: float = 1.0
    old_pathing: bool = False


VARIANTS = (
    Variant({}),
    Variant(
        {"reward_only_positive": False, "obs_last_action": True, "state_timestep_number": True},
        {"reset_noise": 0.25},
    ),
    Variant({"reward_sparse": True, "obs_pathing_grid": True, "obs_terrain_height": True}, enemy_health=0.2),
    Variant(
        {
            "reward_scale": False,
            "reward_death_value": 7,
            "reward_win": 150,
            "reward_defeat": -20,
            "obs_timestep_number": True,
            "state_last_action": False,
        },
        {"weapon_jitter": False},
        enemy_health=0.3,
    ),
    Variant(
        {
            "obs_all_health": False,
            "obs_own_health": False,
            "obs_last_action": True,
            "obs_instead_of_state": True,
            "reward_scale_rate": 10,
        },
        {"enemy_acquire_range": 0.5, "enemy_retaliation_range": 0.5},
        enemy_health=0.4,
    ),
    Variant(
        {
            "obs_all_health": False,
            "obs_own_health": True,
            "obs_timestep_number": True,
            "obs_instead_of_state": True,
            "obs_pathing_grid": True,
            "move_amount": 3,
            "reward_only_positive": False,
            "reward_negative_scale": 0.25,
            "reward_defeat": -50,
        },
        old_pathing=True,
    ),
    Variant(
        {
            "obs_own_health": False,
            "obs_last_action": True,
            "obs_pathing_grid": True,
            "obs_terrain_height": True,
            "obs_timestep_number": True,
            "move_amount": 1,
            "continuing_episode": True,
            "state_last_action": False,
            "state_timestep_number": True,
        },
        limit=15,
        old_pathing=True,
    ),
    Variant({"move_amount": 1.5, "reward_sparse": True}, {"reset_noise": 0.5}, limit=15),
)
