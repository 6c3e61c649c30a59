"""What environments of other libraries may be told."""

import re
from typing import Any

from pydantic import Field, field_validator

from cohort.envs.foreign.pictures import PictureSettings
from cohort.envs.team_rewards import TeamRewardSettings
from cohort.errors import UserError
from cohort.settings import Settings


class ForeignSettings(Settings):
    """Settings of every environment of another library."""

    kwargs: dict[str, Any] = Field({}, description="Further arguments of the environment, by its own names.")
    time_limit: int | None = Field(
        None,
        ge=1,
        description="Steps after which an episode is truncated; null: the environment's own limit.",
    )
    info_keys: tuple[str, ...] = Field(
        (),
        description="Numbers in the environment's info to log as <key>_mean: their last values, agents' mean.",
    )
    obs_instead_of_state: bool = Field(
        False, description="The state is all agents' observations in a row, also where there is a state()."
    )

    def limit(self, own: int | None) -> int:
        """The most steps of an episode; `own` is what the environment says of itself."""
        limit = self.time_limit or own
        if limit is None:
            raise UserError(
                "this environment does not say how long its episodes can be: type env_args.time_limit=<steps>"
            )
        return limit


class TeamSettings(ForeignSettings, TeamRewardSettings):
    """Settings where every agent is paid a reward of its own."""


class PettingZooSettings(TeamSettings, PictureSettings):
    """Settings of `PettingZoo`."""

    key: str = Field(
        description="A module with a function parallel_env (else env), or package.module:function of another name."
    )

    @field_validator("key")
    @classmethod
    def _can_be_imported(cls, key: str) -> str:
        if not re.fullmatch(r"\w+(\.\w+)*(:\w+)?", key):
            raise ValueError("must be package.module or package.module:function, as mpe2.simple_spread_v3")
        return key

    @property
    def module(self) -> str:
        """What is imported."""
        return self.key.partition(":")[0]


class MultiWalkerSettings(TeamSettings):
    """Settings of `MultiWalker`; PettingZoo's further arguments, as position_noise, are `kwargs`."""

    n_walkers: int = Field(ge=1, description="walkers, the agents")
    discrete_actions: bool = Field(
        description="16 actions that lift or lower each joint's torque by action_step; False: the four torques"
    )
    action_step: float = Field(
        gt=0, le=2, description="with discrete_actions: how far one action changes a torque"
    )

    @field_validator("kwargs")
    @classmethod
    def _has_keys_for_these(cls, kwargs: dict[str, Any]) -> dict[str, Any]:
        instead = {
            "shared_reward": "env_args.common_reward",
            "max_cycles": "env_args.time_limit",
            "n_walkers": "env_args.n_walkers",
            "render_mode": "python run.py watch",
        }
        for name, key in instead.items():
            if name in kwargs:
                raise ValueError(f"{name} cannot be among kwargs: use {key}")
        return kwargs


class GymnasiumSettings(TeamSettings, PictureSettings):
    """Settings of `GymnasiumTeams`."""

    key: str = Field(
        description="An id that Gymnasium knows; package:Id-v0 imports the package that registers it first."
    )

    @field_validator("key")
    @classmethod
    def _is_an_id(cls, key: str) -> str:
        if not re.fullmatch(r"([\w.]+:)?([\w-]+/)?[\w.:-]+", key):
            raise ValueError("must be Id-v0 or package:Id-v0, as lbforaging:Foraging-8x8-2p-3f-v3")
        return key

    @property
    def module(self) -> str:
        """What is imported so that it registers the id; empty where Gymnasium knows it already."""
        return self.key.rpartition(":")[0]


class PymarlSettings(ForeignSettings):
    """Settings of `Pymarl`."""

    entry_point: str = Field(description="The game's class, as package.module:Class.")

    @field_validator("entry_point")
    @classmethod
    def _can_be_imported(cls, entry_point: str) -> str:
        if not re.fullmatch(r"\w+(\.\w+)*:\w+", entry_point):
            raise ValueError("must be package.module:Class")
        return entry_point


class MAMuJoCoSettings(ForeignSettings):
    """Settings of `MAMuJoCo`, with Gymnasium-Robotics' names and defaults."""

    scenario: str = Field(description="The robot, as HalfCheetah, Ant or ManySegmentSwimmer.")
    agent_conf: str | None = Field(
        description="Who moves which joints, as 2x3: two agents with three each; null: one agent moves all."
    )
    agent_obsk: int | None = Field(
        1, ge=0, description="How many joints away an agent observes; null: one agent observes and moves all."
    )
    local_categories: tuple[tuple[str, ...], ...] | None = Field(
        None, description="What is observed of joints 0, 1, ... away, as [[qpos, qvel], [qpos]]."
    )
    global_categories: tuple[str, ...] | None = Field(
        None, description="What every agent observes of the whole, as [qpos, qvel]; null: both of these."
    )
