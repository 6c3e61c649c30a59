"""What the real game may be told: SMAC's arguments and how long to wait for it."""

from typing import Self

from pydantic import Field, field_validator, model_validator

from cohort.envs.sc2_sim.maps import check_map_name
from cohort.envs.smac_settings import SmacSettings

DIFFICULTIES = "123456789A"


class StarCraft2Settings(SmacSettings):
    """Settings of `StarCraft2`: all arguments of smac's `StarCraft2Env`, with its names and defaults."""

    map_name: str = Field("8m", description="The SMAC map; python run.py --list names them.")
    step_mul: int = Field(8, ge=1, description="Game loops per step.")
    difficulty: str = Field(
        "7", description="The opponent's strength: 1 very easy to 7 very hard; 8, 9 and A cheat."
    )
    game_version: str | None = Field(
        None,
        description="The installed version to play, such as '4.10' (typed with both kinds of quotes: \"'4.10'\"); "
        "null: the newest that is installed.",
    )
    seed: None = Field(
        None,
        description="Always null: each game's seed follows from the run's seed, its number and its launch.",
    )
    replay_dir: str = Field("", description="Folder for replays; empty: the run's own.")
    replay_prefix: str = Field("", description="How replay files' names begin; empty: the map's name.")
    window_size_x: int = Field(1920, ge=1, description="Width of the game's window, where it has one.")
    window_size_y: int = Field(1200, ge=1, description="Height of the game's window, where it has one.")
    heuristic_ai: bool = Field(
        False, description="smac's scripted team plays, whatever the agents choose; to look at, not to learn."
    )
    heuristic_rest: bool = Field(
        False, description="With heuristic_ai: only actions that the agents could have chosen."
    )
    debug: bool = Field(False, description="Print smac's log of actions, observations and rewards.")

    launch_seconds: int = Field(
        180, ge=1, description="Seconds that StarCraft II may take to start and begin a battle."
    )
    reset_seconds: float = Field(
        60.0, gt=0, description="Seconds that it may take to begin another battle before it counts as hung."
    )
    step_seconds: float = Field(
        60.0, gt=0, description="Seconds that a step may take before the game counts as hung."
    )

    @field_validator("map_name")
    @classmethod
    def _known(cls, name: str) -> str:
        return check_map_name(name)

    @field_validator("difficulty")
    @classmethod
    def _difficulty(cls, difficulty: str) -> str:
        if difficulty not in tuple(DIFFICULTIES):
            raise ValueError(f"must be one of {', '.join(DIFFICULTIES)}")
        return difficulty

    @field_validator("replay_prefix")
    @classmethod
    def _one_word(cls, prefix: str) -> str:
        if "/" in prefix:
            raise ValueError("must not contain /; the folder is replay_dir")
        return prefix

    def smac_arguments(self) -> dict[str, object]:
        """What `StarCraft2Env` is built with, but for the seed and the replays' folder and names."""
        ours = {"reward_ader_sparse", "seed", "replay_dir", "replay_prefix"}
        ours |= {"launch_seconds", "reset_seconds", "step_seconds"}
        arguments = self.model_dump(exclude=ours)
        if self.move_amount.is_integer():  # smac uses it as an index into the ground
            arguments["move_amount"] = int(self.move_amount)
        return arguments

    @model_validator(mode="after")
    def _whole_cells(self) -> Self:
        if (self.obs_pathing_grid or self.obs_terrain_height) and not self.move_amount.is_integer():
            raise ValueError(
                f"move_amount is {self.move_amount}: smac's obs_pathing_grid and obs_terrain_height need a whole number"
            )
        return self
