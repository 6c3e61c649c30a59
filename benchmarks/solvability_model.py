"""The simulator as its own model: copies of true battles that go on with randomness of their own, and their worth."""

import torch
from torch import Tensor

from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.games import Games
from cohort.envs.sc2_sim.maps import all_maps
from cohort.envs.sc2_sim.noise import episode_keys, game_keys
from cohort.envs.sc2_sim.planes import HEALTH, SHIELD
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.envs.sc2_sim.units import TICKS_PER_SECOND, UNITS, Unit, unit_names

_BARE = {
    "obs_all_health": False,
    "obs_own_health": False,
    "state_last_action": False,
    "continuing_episode": True,
}
_WIN = 2.0  # more than all else can make up for
_HASTE = 0.2  # of a win at once over one at the step limit


def bare(settings: SC2SimSettings) -> SC2SimSettings:
    """The same battles without most of what only networks look at; running out of time is not a defeat there."""
    return settings.model_copy(update=_BARE)


class Model:
    """K copies of each of D battles.

    Attributes:
        env: the D * K games; those of one battle stand side by side.
        won: [D * K] bool, by the last step.
    """

    def __init__(self, settings: SC2SimSettings, battles: int, copies: int, seed: int) -> None:
        """`seed` must differ from that of the true battles: with the same one, the copies would know the future."""
        self.env = SC2Sim(bare(settings), battles * copies, seed)
        self.copies, self.draws = copies, 0
        self.won = torch.zeros(battles * copies, dtype=torch.bool)
        self._keys = game_keys(seed, torch.arange(battles * copies))

    def follow(self, true: SC2Sim, keys: Tensor | None = None) -> None:
        """Take over the state of the D battles of `true`.

        Args:
            true: the battles; they stay as they are.
            keys: [D * K] random streams for what comes, new ones every time if None.
        """
        if keys is None:
            self.draws += 1
            keys = episode_keys(self._keys, torch.full_like(self._keys, self.draws))
        state = true.state_dict()
        for name in Games._fields:
            state[name] = state[name].repeat_interleave(self.copies, 1 if name == "units" else 0)
        self.env.load_state_dict({**state, "keys": keys, "game_keys": self._keys})

    def step(self, actions: Tensor) -> None:
        """Advance all copies by `actions` [D * K, N]."""
        self.won = self.env.step(actions).info["battle_won"]


class Worth:
    """Values states for the team: wins and defeats, then the balance of strength, then that of health."""

    def __init__(self, env: SC2Sim) -> None:
        facts = all_maps()[env.settings.map_name]
        units = [UNITS[name] for name in unit_names(facts)]
        self.n, self.limit = facts.n_agents, facts.episode_limit
        allies, enemies = units[: self.n], units[self.n :]
        power = [_power(unit, enemies) for unit in allies] + [_power(unit, allies) for unit in enemies]
        self.power = torch.tensor(power)  # [U]
        self.full = torch.tensor([unit.health + unit.shield for unit in units])
        self.strongest = sum(self._strengths(self.full.unsqueeze(0)))

    def __call__(self, games: Games, won: Tensor) -> Tensor:
        """[B] worth of `games`, of which `won` [B] are; 0 for equal chances."""
        body = bodies(games.units)
        ours, theirs = self._strengths(body)
        # Lanchester's square law: the difference of the strengths is what remains in the end.
        strength = (ours - theirs) / self.strongest
        left = body / self.full
        balance = left[:, : self.n].mean(1) - left[:, self.n :].mean(1)
        lost = games.terminated & ~won
        return strength + balance + _WIN * (won.float() - lost.float()) - _HASTE * won * games.t / self.limit

    def _strengths(self, body: Tensor) -> tuple[Tensor, Tensor]:
        """[B] health times firepower of the team and of its enemy."""
        power = self.power * (body > 0)
        sides = (slice(None, self.n), slice(self.n, None))
        ours, theirs = (body[:, side].sum(1) * power[:, side].sum(1) for side in sides)
        return ours, theirs


def bodies(units: Tensor) -> Tensor:
    """Health and shield [B, U] of the living, 0 for the dead, from planes [P, B, U]."""
    health = units[HEALTH]
    return health + units[SHIELD] * (health > 0) if units.shape[0] > SHIELD else health


def _power(unit: Unit, targets: list[Unit]) -> float:
    """Health per tick that a unit takes from its average target, or gives."""
    if not unit.cooldown:
        return unit.heal_rate / TICKS_PER_SECOND
    through = [unit.damage_to(target) - unit.hits * target.armour for target in targets]
    return sum(through) / len(through) / (unit.cooldown * TICKS_PER_SECOND)
