"""What SMACv2's simulated battles may be told: SMACv2's arguments and the simulator's own."""

from pydantic import Field, field_validator

from cohort.envs.sc2_sim.settings import BattleSettings
from cohort.envs.smacv2_sim.tasks import TASKS
from cohort.registry import known


class SMACv2SimSettings(BattleSettings):
    """Settings of `SMACv2Sim`. The defaults are those of SMACv2's files sc2_gen_<race>.yaml."""

    map_name: str = Field("terran_5_vs_5", description="SMACv2's task; python run.py --list names them.")
    obs_own_pos: bool = Field(True, description="Observe where one is on the map.")
    use_unit_ranges: bool = Field(
        True, description="Every type has its own sight and range; false: 9 and 6 metres, as in SMAC."
    )
    min_attack_range: float = Field(
        2.0, ge=0, description="With use_unit_ranges: metres as far as every attack is offered at least."
    )
    unseen_hide_others: bool = Field(
        True,
        description="SMACv2's quirk: an enemy that nobody has seen yet, or a dead one out of sight, blanks all "
        "enemies of lower numbers in an observation; false: everybody in sight is observed.",
    )

    @field_validator("map_name")
    @classmethod
    def _known(cls, name: str) -> str:
        return known(name, "task", TASKS, "SMACv2's tasks")
