"""How wide each part of SMAC's observation and state is."""

from dataclasses import dataclass

from cohort.envs.base import EnvSpec
from cohort.envs.sc2_sim.maps import MapFacts
from cohort.envs.sc2_sim.settings import BattleSettings

MOVES = 4
PATHING_CELLS = 8
HEIGHT_CELLS = 9
INFO_KEYS = ("battle_won", "dead_allies", "dead_enemies")


@dataclass(frozen=True)
class Layout:
    """Widths of the parts, in the order they are concatenated.

    An observation is moves, E enemies, N - 1 allies, oneself, time; a state is N allies, E enemies, last actions,
    time.
    """

    n_agents: int
    n_enemies: int
    n_actions: int
    move_width: int
    enemy_width: int
    ally_width: int
    own_width: int
    obs_time_width: int
    state_ally_width: int
    state_enemy_width: int
    state_extra_width: int
    obs_instead_of_state: bool

    @property
    def obs_dim(self) -> int:
        """O."""
        others = self.n_enemies * self.enemy_width + (self.n_agents - 1) * self.ally_width
        return self.move_width + others + self.own_width + self.obs_time_width

    @property
    def state_dim(self) -> int:
        """S."""
        if self.obs_instead_of_state:
            return self.n_agents * self.obs_dim
        units = self.n_agents * self.state_ally_width + self.n_enemies * self.state_enemy_width
        return units + self.state_extra_width


def layout(facts: MapFacts, settings: BattleSettings) -> Layout:
    """The layout of any map."""
    bits = facts.unit_type_bits
    ally_body, enemy_body = 1 + facts.shield_bits_ally, 1 + facts.shield_bits_enemy
    n_actions = 6 + facts.n_enemies
    return Layout(
        n_agents=facts.n_agents,
        n_enemies=facts.n_enemies,
        n_actions=n_actions,
        move_width=MOVES
        + PATHING_CELLS * settings.obs_pathing_grid
        + HEIGHT_CELLS * settings.obs_terrain_height,
        enemy_width=4 + enemy_body * settings.obs_all_health + bits,
        ally_width=4 + ally_body * settings.obs_all_health + bits + n_actions * settings.obs_last_action,
        # SMAC shows an agent its own health whenever it shows all health.
        own_width=ally_body * (settings.obs_own_health or settings.obs_all_health)
        + 2 * settings.obs_own_pos
        + bits,
        obs_time_width=int(settings.obs_timestep_number),
        state_ally_width=3 + ally_body + bits,
        state_enemy_width=2 + enemy_body + bits,
        state_extra_width=facts.n_agents * n_actions * settings.state_last_action
        + settings.state_timestep_number,
        obs_instead_of_state=settings.obs_instead_of_state,
    )


def env_spec(facts: MapFacts, settings: BattleSettings) -> EnvSpec:
    """The facts that networks and memories are sized by."""
    sizes = layout(facts, settings)
    return EnvSpec(
        n_agents=facts.n_agents,
        n_actions=sizes.n_actions,
        obs_dim=sizes.obs_dim,
        state_dim=sizes.state_dim,
        episode_limit=facts.episode_limit,
        info_keys=INFO_KEYS,
    )
