"""The battle: what happens to all units of all games during one step.

Units are a float tensor [P, B, U] of planes; U counts allies first, then enemies. Everything inside a tick is
simultaneous: all units aim by the positions at its start, all shots and cures take effect at once, and all units
walk and push each other apart. Rules that only some maps need are parts that other maps do not have.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from cohort.envs.sc2_sim.collision import Collision
from cohort.envs.sc2_sim.damage import Bodies, Damage
from cohort.envs.sc2_sim.delivery import HORIZON, Delivery
from cohort.envs.sc2_sim.healing import Healing
from cohort.envs.sc2_sim.maps import MapFacts
from cohort.envs.sc2_sim.march import March
from cohort.envs.sc2_sim.noise import uniform
from cohort.envs.sc2_sim.paths import Paths
from cohort.envs.sc2_sim.planes import (
    COOLDOWN,
    ENERGY,
    FIRST_ATTACK,
    HEALTH,
    NORTH,
    NOWHERE,
    SHIELD,
    WEST,
    X,
)
from cohort.envs.sc2_sim.settings import BattleSettings
from cohort.envs.sc2_sim.splash import Bursts, Lines
from cohort.envs.sc2_sim.targeting import Senses, acquire, edge_distance
from cohort.envs.sc2_sim.terrain import Terrain, walkable_cells
from cohort.envs.sc2_sim.units import TICKS_PER_SECOND, UnitConstants
from cohort.envs.sc2_sim.vectors import length2
from cohort.envs.sc2_sim.wind_up import NEVER, WindUp

_JITTER = (-1.0, 2.0)  # ticks
# Metres per tick of those who stand: not 0, which at a goal that is reached would meet a division by 0 metres.
_STILL = 1e-20


class Orders(NamedTuple):
    """What everybody was told to do in one step."""

    goal: Tensor  # [2, B, U] where those go who act on nobody; NOWHERE for those who stay
    target: Tensor  # [B, N] int64 unit to attack or heal, oneself if none
    acting: Tensor  # [B, N] bool whether there is one
    alarm: Tensor  # [B, E, N] metres to ally n's edge within which enemy e notices it once it has fired


class Course(NamedTuple):
    """What goes on between steps, beside the units' planes."""

    target: Tensor  # [B, U] int64 on whom each unit acted last, -1 for nobody
    aimed: Tensor  # [B, U] ticks until each unit's aimed shot leaves, NEVER if it aims at none; [B, 0] without wind-up
    pace: Tensor  # [B, M] metres per tick that medivacs have gathered speed to
    pending: Tensor  # [B, K * HORIZON * U] what is on its way; [B, 0] where every shot hits at once


class Aim(NamedTuple):
    """On whom every unit acts, and with what effect."""

    target: Tensor  # [B, U] int64
    engaged: Tensor  # [B, U] bool
    reach: Tensor  # [B, U] squared, -1 for units that act on nobody
    hold: Tensor  # [B, U] the same for units that have taken aim
    victim: Tensor  # [B, S] int64 the target of each shot; S is U but for units that hit twice
    weapon: Tensor  # [K, B, S] raw damage, and on maps with shields or armour hits, of each shot


class Battle:
    """The rules of one map, as tensors that every step uses."""

    def __init__(
        self, facts: MapFacts, settings: BattleSettings, constants: UnitConstants, terrain: Terrain
    ) -> None:
        device, units = constants.health.device, constants.units
        self.n_allies, self.n_units = facts.n_agents, facts.n_agents + facts.n_enemies
        self.ticks, self.constants, self.jitter = settings.step_mul, constants, settings.weapon_jitter
        if self.ticks > min(unit.cooldown for unit in units if unit.damage) * TICKS_PER_SECOND + _JITTER[0]:
            raise ValueError("a unit could fire twice in one step, which the simulator does not model")

        self.senses = Senses(facts, settings, constants)
        self.march = March(facts, settings, constants.radius[..., self.n_allies :])
        self.collision, self.damage = Collision(constants, terrain), Damage(constants)
        self.lines = Lines(constants, self.n_allies) if any(unit.line[0] for unit in units) else None
        self.bursts = Bursts(constants) if any(unit.burst for unit in units) else None
        self.last_bursts = settings.banelings_burst_when_killed
        self.healing = Healing(constants, self.n_allies) if any(unit.heal_rate for unit in units) else None
        self.wind_up = WindUp(constants, self.ticks) if WindUp.needed(constants) else None
        self.delivery = Delivery(constants) if Delivery.needed(constants) else None
        self.kinds = 2 if constants.layered else 1  # K: raw damage, and hits where they matter
        self.paths = None if terrain.rectangular else Paths(walkable_cells(facts), device)
        # An enemy stands still for its backswing after each shot; agents are given orders, which end it.
        ours = torch.arange(self.n_units, device=device) < self.n_allies
        recoil = (constants.cooldown - constants.backswing).masked_fill(ours, NEVER)
        regenerates = any(unit.health_regeneration for unit in units)
        self.regeneration = constants.regeneration * self.ticks / TICKS_PER_SECOND if regenerates else None
        self.planes = constants.planes

        self.units = torch.arange(self.n_units, device=device)
        self.grave = torch.zeros(2, 1, self.n_units, device=device)
        self.grave[X] = NOWHERE * (1 + self.units)  # apart from each other, so that no two coincide
        self.shots = self.delivery.shots if self.delivery else self.units
        self.own_row = self.shots * self.n_units
        self.nobody = torch.tensor(-1.0, device=device)  # a reach within which nobody is
        self.duel = self._tabulate_duels()
        self.allies, self.enemies = self.units[: self.n_allies], self.units[self.n_allies :].unsqueeze(1)
        self.tick_numbers = torch.arange(self.ticks, device=device).view(-1, 1, 1)
        self.recoils = (recoil + self.tick_numbers).unbind(0)
        self.moves, self.victims = self._tabulate_actions(facts, settings.move_amount)

    def _tabulate_duels(self) -> Tensor:
        """[2 + K, U * U] squared reaches and weapon of unit i on unit j at i * U + j; splash is a part of its own.

        Where teams are drawn, [2 + K, B, U * U].
        """
        constants = self.constants
        splash = (constants.burst > 0) | constants.sweeps
        reaches, weapon = constants.duel[:2], constants.duel[2:]
        parts = torch.where(constants.second_hit.unsqueeze(-1) > 0, weapon[1], 1.0)
        weapon = (weapon / parts).masked_fill(splash.unsqueeze(-1), 0)
        return torch.cat((reaches, weapon[: self.kinds])).flatten(-2)

    def at_rest(self, batch: int) -> Course:
        """Of battles that begin."""
        device = self.units.device
        aims = self.n_units if self.wind_up else 0
        waits = self.kinds * HORIZON * self.n_units if self.delivery else 0
        return Course(
            target=torch.full((batch, self.n_units), -1, device=device),
            aimed=torch.full((batch, aims), NEVER, device=device),
            pace=self.healing.thrust.expand(batch, -1).clone()
            if self.healing
            else torch.zeros(batch, 0, device=device),
            pending=torch.zeros(batch, waits, device=device),
        )

    def _tabulate_actions(self, facts: MapFacts, distance: float) -> tuple[Tensor, Tensor]:
        """[2, A] displacement of each action's goal; [1 or B, N, A] unit it acts on, oneself if none or in vain."""
        n_actions, device = FIRST_ATTACK + facts.n_enemies, self.units.device
        moves = torch.zeros(2, n_actions, device=device)
        moves[X] = NOWHERE
        directions = torch.tensor([[0.0, 0.0, 1.0, -1.0], [1.0, -1.0, 0.0, 0.0]], device=device)
        moves[:, NORTH : WEST + 1] = directions * distance
        # SMAC numbers enemies, but for a medivac allies; on its maps the enemies are at least as many.
        n = self.n_allies
        first = torch.where(self.constants.medic[..., :n], 0, n).unsqueeze(-1)
        victim = (first + torch.arange(facts.n_enemies, device=device)).clamp_max(self.n_units - 1)
        able = self.constants.affects[..., :n, :].gather(-1, victim)
        oneself = self.allies.unsqueeze(1)
        attacks = torch.where(able, victim, oneself)
        victims = torch.cat((oneself.expand(*attacks.shape[:-1], FIRST_ATTACK), attacks), -1)
        return moves, victims if victims.dim() == 3 else victims.unsqueeze(0)

    def orders(self, units: Tensor, actions: Tensor, keys: Tensor) -> Orders:
        """Translate available actions [B, N] in episodes with random streams `keys` [B]."""
        target = self.victims.expand(len(actions), -1, -1).gather(2, actions.unsqueeze(2)).squeeze(2)
        goal = units[:2, :, : self.n_allies] + self.moves[:, actions]
        march = self.march.goals(keys).expand(-1, len(keys), -1)
        attacked = target.unsqueeze(1) == self.enemies
        return Orders(
            goal=torch.cat((goal, march), 2),
            target=target,
            acting=target != self.allies,
            alarm=self.senses.alarm(units[:2, :, self.n_allies :], attacked),
        )

    def reload_times(self, keys: Tensor, t: Tensor) -> Tensor:
        """Ticks [B, U] from a shot in step `t` [B] to the next; one draw is enough, for no unit fires twice."""
        if not self.jitter:
            return self.constants.cooldown.expand(len(t), -1)
        low, high = _JITTER
        return torch.add(self.constants.cooldown + low, uniform(keys, t, self.units), alpha=high - low)

    def advance(self, units: Tensor, course: Course, orders: Orders, reload: Tensor) -> tuple[Tensor, Course]:
        """Fight for one step.

        Args:
            units: [P, B, U].
            course: what went on before.
            orders: for this step.
            reload: [B, U] ticks from a shot to the next.

        Returns:
            The units and what goes on afterwards.
        """
        position, cooldown = units[:2], units[COOLDOWN]
        bodies = Bodies(units[HEALTH], *(units[SHIELD:ENERGY] if self.constants.layered else ()))
        energy = self.healing.of(units[ENERGY]) if self.healing else None
        reloads = (reload + self.tick_numbers).unbind(0)
        last, aimed, pace, beams = course.target, course.aimed, course.pace, []
        queue = self.delivery.open(course.pending, self.ticks) if self.delivery else course.pending
        target = last[:, self.n_allies :]
        engaged = (target >= 0) & (target < self.n_allies)  # medivacs act on their own side
        target = torch.where(engaged, target, 0)
        for tick in range(self.ticks):
            if tick % 2 == 0:
                fired = cooldown[:, None, : self.n_allies] > tick  # and is loading, after a shot at somebody
                alarm = torch.where(fired, orders.alarm, self.senses.acquire)
                target, engaged = self.retarget(position, target, engaged, alarm)
                aim = self.aim(position, bodies.health, target, engaged, orders)
                stride = self.constants.stride.masked_fill(cooldown > self.recoils[tick], _STILL)
                reach = aim.reach
                if self.wind_up:
                    aimed, last = aimed.masked_fill(aim.target != last, NEVER), aim.target
                    reach = torch.where(aimed < NEVER, aim.hold, aim.reach)
            if self.healing:
                stride = self.healing.put(pace, stride)
            walked, reached, distance2 = self.walk(position, orders.goal, aim, reach, stride)
            if self.healing:
                pace = self.healing.accelerate(pace, walked - position)
            if self.wind_up:
                aims, aimed = self.wind_up.take(aimed, reached, cooldown, tick)
                fires = aimed <= tick
                if tick % 2 == 0:  # after the next tick, everybody may have a new target
                    reach = torch.where(aims, aim.hold, aim.reach)
            else:  # in the tick nearest to when it is due
                fires = (cooldown <= tick + 0.5).logical_and_(reached)
            cooldown = torch.where(fires, reloads[tick], cooldown)
            if self.healing:
                health, energy = self.healing.treat(bodies.health, energy, aim.target, reached)
                bodies = bodies._replace(health=health)
            if self.delivery:
                if tick % 2 == 0:
                    places = self.delivery.places(aim.victim, distance2).expand_as(aim.weapon)
                queue = self.delivery.send(queue, tick, places, aim.weapon, fires)
                if self.lines:
                    beams.append((position, aim.target, fires))
                    if len(beams) >= self.lines.lag or tick == self.ticks - 1:  # before the first arrives
                        first = tick + 1 - len(beams) + self.lines.lag
                        queue, beams = self.delivery.add(queue, first, self.lines.volleys(beams)), []
                volley = self.delivery.arriving(queue, tick)
            else:
                volley = self.damage.volley(aim.target, aim.weapon, fires)
            bodies = self.harm(position, fires, bodies, volley, tick)
            position = self.collision.settle(position, walked, turned=tick % 2 == 0)
            position = torch.where(bodies.health > 0, position, self.grave)
        course = Course(
            target=torch.where(aim.engaged, aim.target, -1),
            aimed=aimed - self.ticks * (aimed < NEVER),
            pace=pace,
            pending=self.delivery.close(queue) if self.delivery else queue,
        )
        return self._gather(units, position, cooldown, bodies, energy), course

    def _gather(
        self, before: Tensor, position: Tensor, cooldown: Tensor, bodies: Bodies, energy: Tensor | None
    ) -> Tensor:
        """Unit planes [P, B, U] after the last tick."""
        health = bodies.health.clamp_min(0)
        if self.regeneration is not None:
            health = torch.minimum(health + self.regeneration * (health > 0), self.constants.health)
        planes = [health, cooldown - self.ticks]
        if self.constants.layered:
            planes += [self.damage.recovered(bodies, self.ticks), bodies.unhurt - self.ticks]
        if self.healing:
            planes.append(self.healing.put(energy, before[ENERGY]))
        return torch.cat((position, torch.stack(planes)))

    def retarget(
        self, position: Tensor, target: Tensor, engaged: Tensor, alarm: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The enemies' targets [B, E] among the allies and whether they have one, given the last ones.

        `alarm` [B, E, N] is the distance within which enemy e notices ally n.
        """
        n, senses = self.n_allies, self.senses
        distance = edge_distance(position[:, :, n:], position[:, :, :n], self.constants.radius[..., :n])
        return acquire(distance, target, engaged, senses.reach, alarm, senses.chase)

    def aim(
        self,
        position: Tensor,
        health: Tensor,
        target: Tensor,
        engaged: Tensor,
        orders: Orders,
    ) -> Aim:
        """On whom everybody acts, given the enemies' targets, and what that means."""
        target, engaged = torch.cat((orders.target, target), 1), torch.cat((orders.acting, engaged), 1)
        if self.healing:
            target, engaged = self.healing.choose(position, health, target, engaged)
        victim, n = target if self.delivery is None else target.index_select(1, self.shots), self.n_units
        duel = self._look_up(self.own_row + victim)
        reach, hold = torch.where(engaged, duel[:2, :, :n], self.nobody)
        return Aim(target, engaged, reach, hold, victim, duel[2:])

    def _look_up(self, pair: Tensor) -> Tensor:
        """[2 + K, B, S] of `duel`, of each shot's `pair` [B, S]."""
        if self.duel.dim() == 3:  # teams are drawn
            return self.duel.gather(2, pair.expand(len(self.duel), -1, -1))
        return self.duel.index_select(1, pair.flatten()).view(-1, *pair.shape)

    def walk(
        self, position: Tensor, goal: Tensor, aim: Aim, reach: Tensor, stride: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """One step towards the target or goal of those who are not in reach.

        Args:
            position: [2, B, U].
            goal: [2, B, U] of those who act on nobody.
            aim: on whom everybody acts.
            reach: [B, U] squared.
            stride: [B, U] metres that everybody can go.

        Returns:
            Positions [2, B, U], whether the target was in reach and its squared distance, [B, U] each.
        """
        prey = position.gather(2, aim.target.expand(2, -1, -1))
        goal = torch.where(aim.engaged, prey, goal)
        way = goal - position
        distance2 = way2 = length2(way)
        reached = distance2 <= reach
        if self.paths:
            way = self.heading(position, goal) - position
            way2 = length2(way)
        fraction = way2.rsqrt().mul_(stride).clamp_max_(1).masked_fill_(reached, 0)
        return torch.addcmul(position, way, fraction), reached, distance2

    def heading(self, position: Tensor, goal: Tensor) -> Tensor:
        """Where to walk now [2, B, U] to come to `goal`; who need not walk on the ground goes straight."""
        turn, free = self.paths.towards(position, goal), self.collision.free
        return turn if free is None else torch.where(free, goal, turn)

    def harm(self, position: Tensor, fires: Tensor, bodies: Bodies, volley: Tensor, tick: int) -> Bodies:
        """Bodies after a volley [K, B, U] has hit and banelings have burst: those that fire [B, U] or die."""
        if not self.bursts:
            return self.damage.suffer(bodies, volley, tick)
        near = self.bursts.near(position)
        bodies = self.damage.suffer(bodies, volley + self.bursts.volley(near, fires), tick)
        if self.last_bursts:
            killed = (bodies.health <= 0) & ~fires
            bodies = self.damage.suffer(bodies, self.bursts.volley(near, killed), tick)
        return bodies._replace(health=bodies.health.masked_fill(fires & self.bursts.spent, 0))
