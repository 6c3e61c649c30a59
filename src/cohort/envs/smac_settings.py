"""SMAC's arguments that the simulator and the real game share, with SMAC's names and defaults."""

from typing import Self

from pydantic import Field, model_validator

from cohort.settings import Settings

# Sparse SMAC of ADER ("An Adaptive Entropy-Regularization Framework for Multi-Agent Reinforcement Learning",
# appendix C): per step, per enemy killed, per ally lost, for a win.
ADER_REWARDS = (-0.1, 10.0, -1.0, 200.0)


class SmacSettings(Settings):
    """What is observed and what is rewarded. Argument names and defaults are SMAC's (arXiv:1902.04043)."""

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
