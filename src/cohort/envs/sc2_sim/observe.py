"""What SMAC lets agents and trainers see: available actions, observations, state."""

from typing import NamedTuple

import torch
from torch import Tensor

from cohort.envs.base import Observation
from cohort.envs.sc2_sim.layout import layout
from cohort.envs.sc2_sim.maps import CENTRE, MAP_SIZE, MapFacts
from cohort.envs.sc2_sim.planes import COOLDOWN, ENERGY, FIRST_ATTACK, HEALTH, SHIELD
from cohort.envs.sc2_sim.settings import BattleSettings
from cohort.envs.sc2_sim.terrain import Terrain
from cohort.envs.sc2_sim.units import UnitConstants
from cohort.envs.sc2_sim.vectors import length2, root

SIGHT = 9.0  # metres between centres, the same for all units
_SHIELD_PLANE = 4  # among what is seen of a unit: distance, x, y, health, shield
SHOOT = 6.0  # an attack is available up to here, whatever the weapon


class Ranges(NamedTuple):
    """Metres between centres: the same for all units, or of each agent, [B, N, 1]."""

    sight: float | Tensor = SIGHT
    shoot: float | Tensor = SHOOT


class Fractions(NamedTuple):
    """Of what every unit is when whole, [B, U] each."""

    health: Tensor
    shield: Tensor | None  # None on maps without shields


class Observer:
    """Computes `Observation`s of one map from unit planes [P, B, U]."""

    def __init__(
        self,
        facts: MapFacts,
        settings: BattleSettings,
        constants: UnitConstants,
        terrain: Terrain,
        ranges: Ranges | None = None,
    ) -> None:
        """`ranges` are SMAC's unless given."""
        device, ranges = constants.health.device, ranges or Ranges()
        self.n, self.limit = facts.n_agents, facts.episode_limit
        self.settings, self.terrain, self.constants = settings, terrain, constants
        self.n_actions = layout(facts, settings).n_actions
        self.ally_shield, self.enemy_shield = facts.shield_bits_ally, facts.shield_bits_enemy
        self.has_shields = bool(self.ally_shield or self.enemy_shield)
        self.full_shield = constants.shield.clamp_min(1)
        self.sight2, self.shoot2 = ranges.sight**2, ranges.shoot**2
        self.per_metre = 1 / ranges.sight
        self.ally_bits = constants.type_bits[..., : self.n, :]
        self.enemy_bits = constants.type_bits[..., self.n :, :]
        self.own_health = settings.obs_own_health or settings.obs_all_health
        self.medic = constants.medic[..., : self.n]
        self.drawn = self.medic.dim() > 1
        possible = constants.units if self.drawn else constants.units[: self.n]
        self.has_medics = any(unit.heal_rate for unit in possible)
        m = settings.move_amount
        steps = [(0, m / 2), (0, -m / 2), (m / 2, 0), (-m / 2, 0)]
        around = [
            (0, 2 * m),
            (0, -2 * m),
            (2 * m, 0),
            (-2 * m, 0),
            (m, m),
            (-m, -m),
            (m, -m),
            (-m, m),
            (0, 0),
        ]
        self.steps = torch.tensor(steps, device=device).T.reshape(2, 1, 1, -1)
        self.around = torch.tensor(around, device=device).T.reshape(2, 1, 1, -1)

    def observe(self, units: Tensor, actions: Tensor, t: Tensor, shown: Tensor | None = None) -> Observation:
        """See the battle after `actions` [B, N] (-1 at the start) at step `t` [B].

        With `shown` [B, N, E] an agent is shown only those of the enemies in sight.
        """
        units = _as_smac_reads(units)
        last = None
        if self.settings.obs_last_action or self.settings.state_last_action:
            last = (actions.unsqueeze(2) == torch.arange(self.n_actions, device=actions.device)).float()
        alive = units[HEALTH] > 0  # [B, U]
        gap = units[:2].unsqueeze(2) - units[:2, :, : self.n].unsqueeze(3)  # [2, B, N, U]
        distance2 = length2(gap)
        available, bodies = self.available(units, alive, distance2), self._fractions(units)
        seen = distance2 < self.sight2
        if shown is not None:
            seen = torch.cat((seen[:, :, : self.n], seen[:, :, self.n :] & shown), 2)
        obs = self.observations(units, bodies, alive, gap, distance2, seen, available, last, t)
        whole = self.settings.obs_instead_of_state
        state = obs.flatten(1) if whole else self.state(units, bodies, alive, last, t)
        return Observation(obs, state, available)

    def available(self, units: Tensor, alive: Tensor, distance2: Tensor) -> Tensor:
        """[B, N, A] bool: the dead can only do nothing, the living never nothing."""
        agent = alive[:, : self.n].unsqueeze(2)
        moves = self.terrain.walkable(units[:2, :, : self.n].unsqueeze(3) + self.steps)
        in_range = distance2 <= self.shoot2
        targets = in_range[:, :, self.n :]
        if self.has_medics:
            # To medivacs SMAC offers the allies they may heal; there are never more of them than of enemies.
            patients = in_range[:, :, : self.n] & ~self.medic.unsqueeze(-2)
            patients = torch.nn.functional.pad(patients, (0, targets.shape[2] - self.n))
            targets = torch.where(self.medic.unsqueeze(-1), patients, targets)
        return torch.cat((~agent, agent, moves, targets), 2)

    def observations(
        self,
        units: Tensor,
        bodies: Fractions,
        alive: Tensor,
        gap: Tensor,
        distance2: Tensor,
        seen: Tensor,
        available: Tensor,
        last: Tensor | None,
        t: Tensor,
    ) -> Tensor:
        """[B, N, O]; all zero for the dead, but for the time."""
        n, (health, shield) = self.n, bodies
        planes = self._planes(gap, distance2, seen, health, shield)
        told = [last.unsqueeze(1) * seen[:, :, :n].unsqueeze(3)] if self.settings.obs_last_action else []
        # A medivac's bit is about the ally of the same number, but shown only with a visible enemy.
        targets = available[:, :, FIRST_ATTACK:]
        enemies = [
            (targets & seen[:, :, n:] if self.has_medics or self.drawn else targets).unsqueeze(3),
            self._columns(planes, slice(n, None), self.enemy_shield),
        ]
        allies = [seen[:, :, :n].unsqueeze(3), self._columns(planes, slice(0, n), self.ally_shield), *told]
        parts = [
            self._moves(units, available, alive[:, :n].unsqueeze(2)),
            torch.cat(enemies, 3).flatten(2),
            _without_self(torch.cat(allies, 3)),
            self._own(units, health, shield, alive),
        ]
        if self.settings.obs_timestep_number:
            parts.append((t / self.limit).view(-1, 1, 1).expand(-1, n, 1))
        return torch.cat(parts, 2)

    def _planes(
        self, gap: Tensor, distance2: Tensor, seen: Tensor, health: Tensor, shield: Tensor | None
    ) -> Tensor:
        """[K, B, N, U] what is seen of other units: distance, x, y, then health, shield and type bits."""
        # The dead are infinitely far; a finite distance lets a product with `seen` hide them.
        distance = root(distance2.clamp_max(MAP_SIZE**4))
        facts = [
            fraction for fraction in (health, shield) if self.settings.obs_all_health and fraction is not None
        ]
        facts = [fact.unsqueeze(1).expand_as(distance) for fact in facts]
        bits = [bit.unsqueeze(-2).expand_as(distance) for bit in self.constants.type_bits.unbind(-1)]
        scaled = torch.cat((distance.unsqueeze(0), gap)).mul_(self.per_metre)
        return torch.cat((scaled, torch.stack(facts + bits))) * seen if facts + bits else scaled * seen

    def _columns(self, planes: Tensor, part: slice, shielded: int) -> Tensor:
        """Planes of one side as features: [K, B, N, part of U] -> [B, N, part of U, K]."""
        planes = planes[..., part]
        if self.has_shields and self.settings.obs_all_health and not shielded:
            planes = torch.cat((planes[:_SHIELD_PLANE], planes[_SHIELD_PLANE + 1 :]))
        return planes.permute(1, 2, 3, 0)

    def state(
        self, units: Tensor, bodies: Fractions, alive: Tensor, last: Tensor | None, t: Tensor
    ) -> Tensor:
        """[B, S]; all zero for the dead."""
        n, batch, (health, shield) = self.n, units.shape[1], bodies
        x, y = (units[:2] / MAP_SIZE).unbind(0)
        cooldown = units[COOLDOWN].clamp_min(0)
        if self.has_medics:
            cooldown[:, :n] = torch.where(self.medic, units[ENERGY, :, :n], cooldown[:, :n])
        cooldown = cooldown / self.constants.max_cooldown

        def side(columns: list[Tensor], part: slice, shielded: int, bits: Tensor) -> Tensor:
            columns = [column[:, part] for column in columns + [shield] * shielded]
            block = torch.cat((torch.stack(columns, 2), bits.expand(batch, -1, -1)), 2)
            return block.masked_fill_(~alive[:, part].unsqueeze(2), 0).flatten(1)

        parts = [
            side([health, cooldown, x, y], slice(0, n), self.ally_shield, self.ally_bits),
            side([health, x, y], slice(n, None), self.enemy_shield, self.enemy_bits),
        ]
        if self.settings.state_last_action:
            parts.append(last.flatten(1))
        if self.settings.state_timestep_number:
            parts.append((t / self.limit).unsqueeze(1))
        return torch.cat(parts, 1)

    def _fractions(self, units: Tensor) -> Fractions:
        """Health and shield of every unit as fractions of the full ones."""
        shield = units[SHIELD] / self.full_shield if self.ally_shield or self.enemy_shield else None
        return Fractions(units[HEALTH] / self.constants.health, shield)

    def _own(self, units: Tensor, health: Tensor, shield: Tensor, alive: Tensor) -> Tensor:
        """[B, N, own width]."""
        body = [health[:, : self.n].unsqueeze(2)] if self.own_health else []
        if self.own_health and self.ally_shield:
            body.append(shield[:, : self.n].unsqueeze(2))
        if self.settings.obs_own_pos:
            body.append((units[:2, :, : self.n] / MAP_SIZE + 0.5).permute(1, 2, 0))
        own = torch.cat([*body, self.ally_bits.expand(health.shape[0], -1, -1)], 2)
        return own.masked_fill_(~alive[:, : self.n].unsqueeze(2), 0)

    def _moves(self, units: Tensor, available: Tensor, agent: Tensor) -> Tensor:
        """[B, N, move width]: possible moves and, when asked, the ground around."""
        columns = [available[:, :, 2:FIRST_ATTACK]]
        if self.settings.obs_pathing_grid or self.settings.obs_terrain_height:
            # SMAC steps from the corner of the cell, so the points are cells whatever the position.
            points = units[:2, :, : self.n].unsqueeze(3).floor() + self.around
            if self.settings.obs_pathing_grid:
                columns.append(self.terrain.pathing(points[..., :-1]) & agent)
            if self.settings.obs_terrain_height:
                columns.append(self.terrain.height(points) * agent)
        return torch.cat(columns, 2).float()


def _as_smac_reads(units: Tensor) -> Tensor:
    """The units with positions rounded as SMAC gets them: float32 numbers counted from the map's corner."""
    return torch.cat(((units[:2] + CENTRE) - CENTRE, units[2:]))


def _without_self(allies: Tensor) -> Tensor:
    """Drop each agent's block about itself: [B, N, N, F] -> [B, N, (N - 1) * F], without an index."""
    batch, n, _, width = allies.shape
    rest = allies.view(batch, n * n, width)[:, 1:].view(batch, n - 1, n + 1, width)[:, :, :-1]
    return rest.reshape(batch, n, (n - 1) * width)
