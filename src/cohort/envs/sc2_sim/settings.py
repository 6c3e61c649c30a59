"""What the simulator may be told: SMAC's arguments and its own."""

from typing import ClassVar

from pydantic import Field, field_validator

from cohort.envs.sc2_sim.maps import check_map_name
from cohort.envs.smac_settings import SmacSettings


class BattleSettings(SmacSettings):
    """What every simulated battle may be told, whichever benchmark's units fight."""

    map_name: str
    step_mul: int = Field(
        8,
        ge=1,
        le=8,
        description="Game loops of 1/16 s per step; SMAC uses 8, fewer is for smoke tests only.",
    )
    weapon_jitter: bool = Field(
        True,
        description="Vary each cooldown by -1/16 s to +2/16 s, as StarCraft II does; false is deterministic.",
    )
    banelings_burst_when_killed: bool = Field(
        True, description="A baneling that is killed bursts as if it had attacked; false: it just dies."
    )
    compile: bool = Field(
        False, description="Compile the battle with torch's compiler: slow start, faster steps."
    )


class SC2SimSettings(BattleSettings):
    """Settings of `SC2Sim`. The defaults are SMAC's."""

    obs_own_pos: ClassVar[bool] = False  # SMACv2 alone shows agents where they are

    map_name: str = Field("3m", description="the SMAC map; python run.py --list names them")
    reset_noise: float = Field(
        0.05, ge=0, le=1, description="Metres by which each unit's start may differ, uniformly in x and in y."
    )
    enemy_type_ids_swapped: bool = Field(
        True,
        description="On stalker and zealot maps enemies show SMAC's type ids, which are the allies' swapped.",
    )
    enemy_acquire_range: float | None = Field(
        None,
        gt=0,
        le=32,
        description="Metres at which enemies notice allies; null: max(5, weapon range).",
    )
    enemy_retaliation_range: float | None = Field(
        None,
        gt=0,
        le=64,
        description="Metres up to which enemies answer an attack on them; null: any distance.",
    )
    enemy_spawn_spacing: float = Field(
        1.0, ge=1, le=3, description="Looseness of the enemy's start formation, 1 is shoulder to shoulder."
    )

    @field_validator("map_name")
    @classmethod
    def _known(cls, name: str) -> str:
        return check_map_name(name)
