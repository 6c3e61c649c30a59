"""What the simulator may be told; SMAC's own argument names wherever SMAC has the argument."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from src.envs.sc2_sim.maps import check_map_name
from src.settings import Settings


class SC2SimSettings(Settings):
    """Settings of `SC2Sim`. The defaults are SMAC's."""

    map_name: str = Field("3m", description="the SMAC map; python run.py --list names them")
    step_mul: int = Field(
        8,
        ge=1,
        le=8,
        description="Game loops of 1/16 s per step; SMAC uses 8, fewer is for smoke tests only.",
    )
    move_amount: float = Field(2.0, gt=0, le=8, description="Metres to the goal of a move action.")
    continuing_episode: bool = Field(
        False, description="True: reaching the step limit truncates the episode instead of terminating it."
    )

    obs_all_health: bool = Field(True, description="Observe health and shield of the units in sight.")
    obs_own_health: bool = Field(True, description="Observe one's own health and shield.")
    obs_last_action: bool = Field(False, description="Observe the last actions of allies in sight.")
    obs_pathing_grid: bool = Field(False, description="Observe whether 8 cells around are walkable.")
    obs_terrain_height: bool = Field(False, description="Observe the ground's height in 9 cells around.")
    obs_timestep_number: bool = Field(False, description="Observe the fraction of the step limit used.")
    obs_instead_of_state: bool = Field(False, description="The state is all agents' observations in a row.")
    state_last_action: bool = Field(True, description="The state includes all agents' last actions.")
    state_timestep_number: bool = Field(
        False, description="The state includes the fraction of the limit used."
    )

    reward_sparse: bool = Field(
        False, description="SMAC's sparse reward: 1 for a win, -1 for a defeat, else 0."
    )
    reward_ader_sparse: bool = Field(
        False,
        description="ADER's sparse reward, never scaled: -0.1 per step, +10 per enemy killed, -1 per ally lost, "
        "+200 for a win.",
    )
    reward_only_positive: bool = Field(
        True, description="Ignore what happens to allies; take absolute values."
    )
    reward_death_value: float = Field(10.0, ge=0, description="Reward for each enemy killed.")
    reward_win: float = Field(200.0, ge=0, description="Reward for winning the battle.")
    reward_defeat: float = Field(0.0, le=0, description="Reward for losing the battle, zero or negative.")
    reward_negative_scale: float = Field(
        0.5, ge=0, description="Weight of harm to allies when reward_only_positive is false."
    )
    reward_scale: bool = Field(
        True, description="Divide rewards so that a won battle sums to reward_scale_rate."
    )
    reward_scale_rate: float = Field(20.0, gt=0, description="The scaled sum of a won battle's rewards.")

    reset_noise: float = Field(
        0.0, ge=0, le=1, description="Metres by which each unit's start may differ, uniformly in x and in y."
    )
    weapon_jitter: bool = Field(
        True,
        description="Vary each cooldown by -1/16 s to +2/16 s, as StarCraft II does; false is deterministic.",
    )
    enemy_type_ids_swapped: bool = Field(
        True,
        description="On stalker and zealot maps enemies show SMAC's type ids, which are the allies' swapped.",
    )
    enemy_acquire_range: float | None = Field(
        None,
        gt=0,
        le=32,
        description="Metres at which enemies notice allies; null: max(5, weapon range + 0.5).",
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
    compile: bool = Field(
        False, description="Compile the battle with torch.compile: slow start, faster steps."
    )

    @field_validator("map_name")
    @classmethod
    def _playable(cls, name: str) -> str:
        return check_map_name(name)

    @model_validator(mode="after")
    def _one_reward(self) -> Self:
        if self.reward_sparse and self.reward_ader_sparse:
            raise ValueError(
                "reward_sparse and reward_ader_sparse exclude each other; set one of them to false"
            )
        return self

    @model_validator(mode="after")
    def _state_is_one_thing(self) -> Self:
        if self.obs_instead_of_state and self.state_timestep_number:
            raise ValueError(
                "obs_instead_of_state leaves no state for state_timestep_number; set one to false"
            )
        return self
