"""The battle: what happens to all units of all games during one step.

Units are a float tensor [P, B, U] of planes; U counts allies first, then enemies. Everything inside a tick is
simultaneous: all units aim by the positions at its start, walk, push each other apart, and all shots land at its
end.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from src.envs.sc2_sim.maps import CENTRE, MapFacts
from src.envs.sc2_sim.noise import uniform
from src.envs.sc2_sim.settings import SC2SimSettings
from src.envs.sc2_sim.terrain import Terrain
from src.envs.sc2_sim.units import TICKS_PER_SECOND, UnitConstants

# Planes. X and Y are metres from the map's centre. COOLDOWN and UNHURT are ticks left until the unit may fire
# and until its shield recovers. The last two exist only on maps with shields or armour.
X, Y, HEALTH, COOLDOWN, SHIELD, UNHURT = range(6)

# Far enough for its square to overflow: a goal at infinite distance is one nobody takes a step towards, and a
# dead unit put there is out of every range, pushes nobody and needs no mask anywhere in the tick.
NOWHERE = 1e20

NO_OP, STOP, NORTH, SOUTH, EAST, WEST, FIRST_ATTACK = range(7)

_SHIELD_DELAY = 10.0 * TICKS_PER_SECOND
_SHIELD_PER_TICK = 2.0 / TICKS_PER_SECOND
_ACQUIRE = 5.0  # metres, edge to edge; longer weapons look half a metre beyond their range
_JITTER = (-1.0, 2.0)  # ticks


class Orders(NamedTuple):
    """What the team ordered for one step."""

    goal: Tensor  # [2, B, N] where movers go; NOWHERE for all others
    target: Tensor  # [B, N] int64 unit to attack, oneself if none
    attacking: Tensor  # [B, N] bool
    alarm: Tensor  # [B, E, N] metres to an ally's edge within which enemy e notices ally n


class Aim(NamedTuple):
    """Whom every unit attacks, and with what effect."""

    target: Tensor  # [B, U] int64
    engaged: Tensor  # [B, U] bool
    reach: Tensor  # [B, U] squared, -1 for units that attack nobody
    weapon: Tensor  # [2, B, U] raw damage and hits of one attack


class Battle:
    """The rules of one map, as tensors that every step uses."""

    def __init__(
        self, facts: MapFacts, settings: SC2SimSettings, constants: UnitConstants, terrain: Terrain
    ) -> None:
        device = constants.health.device
        self.n_allies, self.n_units = facts.n_agents, facts.n_agents + facts.n_enemies
        self.ticks, self.constants = settings.step_mul, constants
        self.low, self.high = terrain.low, terrain.high
        self.planes = UNHURT + 1 if constants.layered else COOLDOWN + 1
        self.move_amount = settings.move_amount
        if self.ticks > float(constants.cooldown.min()) + _JITTER[0]:
            raise ValueError("a unit could fire twice in one step, which the simulator does not model")

        self.jitter = settings.weapon_jitter
        self.units = units = torch.arange(self.n_units, device=device)
        self.grave = torch.zeros(2, 1, self.n_units, device=device)
        self.grave[X] = NOWHERE * (1 + units)  # apart from each other, so that no two coincide
        self.own_row = units * self.n_units
        self.allies, self.enemies = units[: self.n_allies], units[self.n_allies :]
        self.tick_numbers = torch.arange(self.ticks, device=device).view(-1, 1, 1)
        self.attack_actions = (self.enemies - self.n_allies + FIRST_ATTACK).unsqueeze(1)
        # One pass settles a pair; in a crowd, where everybody pushes, overlaps of over 10 % need more to vanish.
        self.pushes = 1 + (self.n_units > 12) + (self.n_units > 20)
        self.half, self.tiny = torch.tensor(-0.5, device=device), torch.tensor(1e-12, device=device)
        self.waypoint = torch.full((2, 1, self.n_units - self.n_allies), NOWHERE, device=device)
        if facts.enemy_target is not None:
            point = torch.tensor(facts.enemy_target, device=device) - CENTRE
            self.waypoint[:] = point.view(2, 1, 1)
        self.moves = self._move_table(facts, device)
        self._tabulate_enemy_senses(settings)

    def _move_table(self, facts: MapFacts, device: torch.device) -> Tensor:
        """[2, A] displacement of each action's goal."""
        moves = torch.zeros(2, FIRST_ATTACK + facts.n_enemies, device=device)
        moves[X] = NOWHERE
        moves[X, NORTH : WEST + 1] = torch.tensor([0.0, 0.0, 1.0, -1.0], device=device) * self.move_amount
        moves[Y, NORTH : WEST + 1] = torch.tensor([1.0, -1.0, 0.0, 0.0], device=device) * self.move_amount
        return moves

    def _tabulate_enemy_senses(self, settings: SC2SimSettings) -> None:
        """Distances from an enemy's centre to an ally's edge: in weapon reach, noticed, answered."""
        constants, n = self.constants, self.n_allies
        reach, radius = constants.reach[n:], constants.radius[n:]
        if settings.enemy_acquire_range is None:
            acquire = (reach + 0.5).maximum(radius + _ACQUIRE)
        else:
            acquire = (radius + settings.enemy_acquire_range).maximum(reach)
        answer = torch.full_like(radius, NOWHERE)
        if settings.enemy_retaliation_range is not None:
            answer = (radius + settings.enemy_retaliation_range).maximum(acquire)
        self.enemy_reach = reach
        self.enemy_acquire, self.enemy_answer = acquire.unsqueeze(1), answer.unsqueeze(1)  # [E, 1]

    def orders(self, units: Tensor, actions: Tensor) -> Orders:
        """Translate available actions [B, N]."""
        attacking = actions >= FIRST_ATTACK
        return Orders(
            goal=units[:2, :, : self.n_allies] + self.moves[:, actions],
            target=torch.where(attacking, actions + (self.n_allies - FIRST_ATTACK), self.allies),
            attacking=attacking,
            alarm=torch.where(
                actions.unsqueeze(1) == self.attack_actions, self.enemy_answer, self.enemy_acquire
            ),
        )

    def reload_times(self, keys: Tensor, t: Tensor) -> Tensor:
        """Ticks [B, U] from a shot in step `t` [B] to the next; one draw is enough, for no unit fires twice."""
        if not self.jitter:
            return self.constants.cooldown.expand(len(t), -1)
        low, high = _JITTER
        return torch.add(self.constants.cooldown + low, uniform(keys, t, self.units), alpha=high - low)

    def advance(
        self, units: Tensor, enemy_target: Tensor, orders: Orders, reload: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Fight for one step.

        Args:
            units: [P, B, U].
            enemy_target: [B, E] int64 whom each enemy attacked last, -1 for nobody.
            orders: the team's.
            reload: [B, U] ticks from a shot to the next.

        Returns:
            The units and enemy targets afterwards.
        """
        position, health, cooldown = units[:2], units[HEALTH], units[COOLDOWN]
        shield = units[SHIELD:].unbind(0) if self.constants.layered else ()
        place = torch.cat((orders.goal, self.waypoint.expand(-1, units.shape[1], -1)), 2)
        reloads = (reload + self.tick_numbers).unbind(0)
        target, engaged = enemy_target.clamp_min(0), enemy_target >= 0
        for tick in range(self.ticks):
            if tick % 2 == 0:
                aim = self.retarget(position, target, engaged, orders)
                target, engaged = aim.target[:, self.n_allies :], aim.engaged[:, self.n_allies :]
            position, reached = self.walk(position, place, aim)
            position = self.separate(position)
            fires = reached & (cooldown <= tick + 0.5)  # the tick nearest to the cooldown's end
            cooldown = torch.where(fires, reloads[tick], cooldown)
            if self.constants.layered:
                health, *shield = self.hit_layers(health, *shield, aim, fires, tick)
            else:
                health = health.scatter_add(1, aim.target, -(aim.weapon[0] * fires))
            position = torch.where(health > 0, position, self.grave)
        clocks = [cooldown - self.ticks]
        if shield:
            clocks += [shield[0], shield[1] - self.ticks]
        units = torch.cat((position, torch.stack([health.clamp_min(0), *clocks])))
        return units, torch.where(engaged, target, -1)

    def retarget(self, position: Tensor, target: Tensor, engaged: Tensor, orders: Orders) -> Aim:
        """Choose the enemies' targets, given the last ones [B, E]; the team's are ordered."""
        n = self.n_allies
        gap = position[:, :, n:].unsqueeze(3) - position[:, :, :n].unsqueeze(2)  # [2, B, E, N]
        distance = root(length2(gap)).sub_(self.constants.radius[:n])  # centre to edge
        target, engaged = acquire(distance, target, engaged, self.enemy_reach, orders.alarm)
        return self.aim(torch.cat((orders.target, target), 1), torch.cat((orders.attacking, engaged), 1))

    def aim(self, target: Tensor, engaged: Tensor) -> Aim:
        """Look up what attacking `target` [B, U] means for every unit."""
        duel = self.constants.duel.index_select(1, (self.own_row + target).flatten())
        duel = duel.view(3, *target.shape)
        return Aim(target, engaged, torch.where(engaged, duel[0], -1.0), duel[1:])

    def walk(self, position: Tensor, place: Tensor, aim: Aim) -> tuple[Tensor, Tensor]:
        """One step towards the target or place: positions [2, B, U], and whether the target was in reach [B, U]."""
        prey = position.gather(2, aim.target.expand(2, -1, -1))
        way = torch.where(aim.engaged, prey, place) - position
        distance2 = length2(way)
        reached = distance2 <= aim.reach
        fraction = distance2.rsqrt_().mul_(self.constants.stride).clamp_max_(1).masked_fill_(reached, 0)
        return torch.addcmul(position, way, fraction), reached

    def separate(self, position: Tensor) -> Tensor:
        """Push overlapping units apart, half the overlap each, and everybody onto walkable ground; [2, B, U]."""
        for _ in range(self.pushes):
            gap = position.unsqueeze(3) - position.unsqueeze(2)  # [2, B, U, U]
            across, along = gap.unbind(0)
            closeness = torch.addcmul(self.tiny, across, across).addcmul_(along, along).rsqrt_()
            weight = torch.addcmul(self.half, self.constants.touching, closeness).relu_()
            position = gap.mul_(weight).sum(3).add_(position)
        return torch.clamp(position, self.low, self.high)

    def hit_layers(
        self, health: Tensor, shield: Tensor, unhurt: Tensor, aim: Aim, fires: Tensor, tick: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Let damage pass shields, then armour; let shields recover. All [B, U].

        A volley counts as one attack: exact for single attacks and without shields, close for mixed volleys.
        """
        index = aim.target.expand(2, -1, -1)
        raw, hits = torch.zeros_like(aim.weapon).scatter_add_(2, index, aim.weapon * fires).unbind(0)
        absorbed = torch.minimum(raw, shield)
        rest = raw - absorbed
        through = (rest * hits).div_(raw.clamp_min(1)).sub_(1e-6).ceil_()  # hits that reach the body
        loss = torch.addcmul(rest, through, self.constants.armour, value=-1).maximum(0.5 * through)
        unhurt = torch.where(raw > 0, _SHIELD_DELAY + tick, unhurt)
        recovery = torch.where(unhurt <= tick, _SHIELD_PER_TICK, 0.0)
        shield = torch.minimum(shield - absorbed + recovery, self.constants.shield)
        return health - loss, shield, unhurt


def length2(vectors: Tensor) -> Tensor:
    """Squared lengths [...] of vectors [2, ...]."""
    across, along = vectors.unbind(0)
    return (across * across).addcmul_(along, along)


def root(squares: Tensor) -> Tensor:
    """Square roots. Four times as fast on CPU as `sqrt`, which stumbles over the infinities of the dead."""
    return squares.rsqrt().reciprocal_()


def acquire(
    distance: Tensor, target: Tensor, engaged: Tensor, reach: Tensor, alarm: Tensor
) -> tuple[Tensor, Tensor]:
    """StarCraft II's automatic targeting with equal priorities.

    A target is kept while the weapon reaches it; otherwise the nearest one within the alarm distance is taken.
    The dead are infinitely far.

    Args:
        distance: [B, S, T] from each shooter's centre to each target's edge.
        target: [B, S] int64 index of the last target, if there was one.
        engaged: [B, S] whether there was.
        reach: [S] distance the weapon reaches.
        alarm: [B, S, T] distance within which a target is noticed, at least the weapon's reach.

    Returns:
        [B, S] targets and [B, S] whether there is one.
    """
    kept = (distance.gather(2, target.unsqueeze(2)).squeeze(2) <= reach).logical_and_(engaged)
    noticed = torch.where(distance <= alarm, distance, torch.inf)
    nearest, index = noticed.min(2)
    return torch.where(kept, target, index), nearest < torch.inf
