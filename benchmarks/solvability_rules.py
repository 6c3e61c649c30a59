"""Rules of play for the solvability probes: one row of numbers makes one reactive rule for one agent.

Rules see the units themselves, not the observation, and act with SMAC's available actions only. A row says whom
to attack (a weighted cost), when to walk instead (a conjunction of conditions) and where to (a weighted direction).
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from benchmarks.solvability_model import bodies
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.maps import all_maps
from cohort.envs.sc2_sim.planes import COOLDOWN, FIRST_ATTACK, NO_OP, NORTH, STOP, WEST
from cohort.envs.sc2_sim.units import UNITS, unit_names

RANGES: dict[str, tuple[float, float]] = {
    # whom to attack: the available target of least cost
    "health": (0.0, 3.0),  # cost of a target in full health
    "distance": (0.0, 1.0),  # cost of each metre to it
    "crowd": (0.0, 3.0),  # gain if all allies can attack it, too
    "sticky": (0.0, 1.0),  # gain if it is the last target
    "focus": (0.0, 3.0),  # gain if it is the team's common target
    "first": (0.0, 2.0),  # cost of enemies of the first, second and third type
    "second": (0.0, 2.0),
    "third": (0.0, 2.0),
    # when to walk although there is a target: all of these
    "free": (-4.0, 28.0),  # the weapon needs more than these ticks; below 0: even if loaded
    "near": (0.0, 10.0),  # an armed enemy is nearer than these metres
    "frail": (0.0, 1.2),  # health and shield are below this fraction
    "hunted": (0.0, 1.0),  # above 1/2: an enemy's target is this agent
    # where to: weights of unit vectors
    "away": (-1.0, 1.0),  # from armed enemies, the near ones most
    "turn": (-1.0, 1.0),  # that, a quarter turn to the left
    "together": (-0.5, 1.0),  # to the mean of the allies
    "home": (-0.5, 1.0),  # to one's place in the formation
    "wall": (0.0, 2.0),  # aversion to directions that end at a wall
    "east": (-1.0, 1.0),
    "north": (-1.0, 1.0),
    # with nobody to attack: approach the nearest enemy, or take one's place in the formation
    "engage": (0.0, 16.0),  # approach if nearer than these metres
    "patience": (0.0, 60.0),  # or after these steps
    "hold": (0.0, 1.0),  # above 1/2: otherwise stay where one is, instead of going to one's place
    # the formation: a line across the way to the enemy's start
    "forward": (-8.0, 8.0),  # metres from the own start towards the enemy's
    "side": (-5.0, 5.0),
    "spacing": (0.0, 2.0),  # metres between neighbours
    "curve": (-0.3, 0.3),  # metres forward per square of the place's number
}  # fmt: skip
NAMES = tuple(RANGES)

_WALL_AHEAD = 3.0  # metres
_THERE = 0.7  # metres from one's place that are near enough
_FAR = 64.0  # metres, more than any map has
_DIRECTIONS = ((0.0, 0.0, 1.0, -1.0), (1.0, -1.0, 0.0, 0.0))  # [2, 4] of the actions north to west


class View(NamedTuple):
    """What rules look at. The dead are infinitely far from everybody."""

    position: Tensor  # [2, B, N]
    gap: Tensor  # [2, B, N, E] from agents to their possible targets
    distance: Tensor  # [B, N, E] its length
    threat: Tensor  # [2, B, N, E] from agents to armed enemies
    threat_distance: Tensor  # [B, N, E]
    vigour: Tensor  # [B, N, E] fraction of health and shield of the possible targets
    body: Tensor  # [B, U] fraction of health and shield
    cooldown: Tensor  # [B, N] ticks
    hunted: Tensor  # [B, N] bool
    available: Tensor  # [B, N, A] bool
    last: Tensor  # [B, N] int64 last actions
    t: Tensor  # [B] int64


class Rules:
    """Turns rows of numbers into actions on one map."""

    def __init__(self, env: SC2Sim) -> None:
        facts = all_maps()[env.settings.map_name]
        self.n, self.n_enemies, self.terrain = facts.n_agents, facts.n_enemies, env.observer.terrain
        names = unit_names(facts)
        units = [UNITS[name] for name in names]
        own, foes = names[: self.n], names[self.n :]
        self.kinds = sorted(set(own))
        self.kind = torch.tensor([self.kinds.index(name) for name in own])  # [N]
        self.enemy_kind = torch.tensor([sorted(set(foes)).index(name) for name in foes])  # [E]
        self.full = torch.tensor([unit.health + unit.shield for unit in units])
        self.unarmed = torch.tensor([0.0 if unit.damage else torch.inf for unit in units[self.n :]])
        self.heals = torch.tensor([unit.heal_rate > 0 for unit in units[: self.n]])
        self.has_healers = bool(self.heals.any())
        self.directions = torch.tensor(_DIRECTIONS)
        self._lay_out(env.spawner.start[:2, 0])

    def _lay_out(self, start: Tensor) -> None:
        """Where the formation is, and everybody's number in it, from the first positions [2, U]."""
        self.start = start[:, : self.n].mean(1)
        self.forward = unit(start[:, self.n :].mean(1) - self.start)
        self.left = torch.stack((-self.forward[1], self.forward[0]))
        across = self.left @ start[:, : self.n]
        self.place = across.argsort(stable=True).argsort() - (self.n - 1) / 2  # [N], 0 in the middle

    def view(self, env: SC2Sim) -> View:
        """Look at the games of `env`."""
        games, n = env.games, self.n
        units = games.units
        body = bodies(units) / self.full
        threat = units[:2, :, n:].unsqueeze(2) - units[:2, :, :n].unsqueeze(3)
        distance = threat.norm(dim=0)
        targets = (threat, distance, body[:, n:].unsqueeze(1).expand_as(distance))
        gap, distance_to_target, vigour = (
            self._patients(units, body, *targets) if self.has_healers else targets
        )
        agents = torch.arange(n)
        return View(
            position=units[:2, :, :n],
            gap=gap,
            distance=distance_to_target,
            threat=threat,
            threat_distance=distance + self.unarmed,
            vigour=vigour,
            body=body,
            cooldown=units[COOLDOWN, :, :n],
            hunted=(games.target[:, self.n :].unsqueeze(2) == agents).any(1),
            available=env.observation.available_actions,
            last=games.actions,
            t=games.t,
        )

    def _patients(
        self, units: Tensor, body: Tensor, gap: Tensor, distance: Tensor, vigour: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """For healers the possible targets are allies, but for healers; there are never fewer enemies than allies."""
        n, healer = self.n, self.heals.unsqueeze(1)
        spare = (0, gap.shape[3] - n)
        way = units[:2, :, :n].unsqueeze(2) - units[:2, :, :n].unsqueeze(3)
        length = way.norm(dim=0) + torch.where(self.heals, torch.inf, 0.0)
        health = body[:, :n].unsqueeze(1).expand(-1, n, -1)
        return (
            torch.where(healer, pad(way, spare), gap),
            torch.where(healer, pad(length, spare, value=torch.inf), distance),
            torch.where(healer, pad(health, spare), vigour),
        )

    def team_target(self, view: View) -> Tensor:
        """[B] the enemy whom the team can gather on: near to all, and weak."""
        merit = view.threat_distance.clamp_max(_FAR).mean(1) + 4 * view.body[:, self.n :]
        return torch.where(view.body[:, self.n :] > 0, merit, torch.inf).argmin(1)

    def act(self, view: View, rows: Tensor, focus: Tensor) -> Tensor:
        """Available actions [B, N] by rules `rows` [B, N, D] and common targets `focus` [B]."""
        rule = dict(zip(NAMES, rows.unbind(2), strict=True))
        attacks = view.available[:, :, FIRST_ATTACK:]
        target = torch.where(attacks, self._cost(view, rule, focus), torch.inf).argmin(2)
        can_attack = attacks.any(2)
        closest = view.threat_distance.amin(2)
        walks = (
            (view.cooldown > rule["free"])
            & (closest < rule["near"])
            & (view.body[:, : self.n] < rule["frail"])
            & (view.hunted | (rule["hunted"] <= 0.5))
        )
        way = self._way(view, rule)
        move = self._walk(view, way, rule["wall"])
        idle = self._advance(view, rule)
        action = torch.where(walks, move, torch.where(can_attack, FIRST_ATTACK + target, idle))
        return torch.where(view.available[:, :, NO_OP], NO_OP, action)

    def _cost(self, view: View, rule: dict[str, Tensor], focus: Tensor) -> Tensor:
        """[B, N, E] of attacking each enemy (for healers: of healing each ally)."""
        attacks = view.available[:, :, FIRST_ATTACK:]
        enemies = torch.arange(self.n_enemies)
        crowd = (attacks & ~self.heals.unsqueeze(1)).float().mean(1, keepdim=True)
        kind = torch.stack([rule["first"], rule["second"], rule["third"]], 2)[:, :, self.enemy_kind]
        gathering = rule["crowd"].unsqueeze(2) * crowd
        gathering = gathering + rule["focus"].unsqueeze(2) * (focus.view(-1, 1, 1) == enemies)
        return (
            rule["health"].unsqueeze(2) * view.vigour
            + rule["distance"].unsqueeze(2) * view.distance.clamp_max(_FAR)
            - rule["sticky"].unsqueeze(2) * (view.last.unsqueeze(2) == FIRST_ATTACK + enemies)
            + (kind - gathering).masked_fill(self.heals.unsqueeze(1), 0)  # the columns of healers are allies
        )

    def _way(self, view: View, rule: dict[str, Tensor]) -> Tensor:
        """[2, B, N] where to walk to, when walking."""
        nearness = view.threat_distance.pow(-3)  # [B, N, E]
        away = unit(-(view.threat.clamp(-_FAR, _FAR) * nearness).sum(3))
        turned = torch.stack((-away[1], away[0]))
        alive = (view.body[:, : self.n] > 0).unsqueeze(0)
        middle = (view.position * alive).nan_to_num(0, 0, 0).sum(2) / alive.sum(2).clamp_min(1)
        together = bounded(middle.unsqueeze(2) - view.position)
        home = bounded(self._place(rule) - view.position)
        way = rule["away"] * away + rule["turn"] * turned + rule["together"] * together + rule["home"] * home
        return way + torch.stack((rule["east"], rule["north"]))

    def _place(self, rule: dict[str, Tensor]) -> Tensor:
        """[2, B, N] everybody's place in the formation."""
        ahead = rule["forward"] + rule["curve"] * self.place**2
        aside = rule["side"] + rule["spacing"] * self.place
        axis = (2, 1, 1)
        return self.start.view(axis) + ahead * self.forward.view(axis) + aside * self.left.view(axis)

    def _advance(self, view: View, rule: dict[str, Tensor]) -> Tensor:
        """Actions [B, N] of agents with nobody to attack."""
        closest, which = view.distance.min(2)
        prey = view.gap.gather(3, which.expand(2, -1, -1).unsqueeze(3)).squeeze(3)
        approach = (closest < rule["engage"]) | (view.t.unsqueeze(1) > rule["patience"])
        to_place = self._place(rule) - view.position
        there = (rule["hold"] > 0.5) | (to_place.norm(dim=0) < _THERE)
        way = torch.where(approach, unit(prey.clamp(-_FAR, _FAR)), bounded(to_place))
        walk = self._walk(view, way, torch.zeros_like(closest))
        return torch.where(there & ~approach, STOP, walk)

    def _walk(self, view: View, way: Tensor, wall: Tensor) -> Tensor:
        """The available move [B, N] nearest to `way` [2, B, N]."""
        merit = torch.einsum("cbn,ca->bna", way, self.directions)
        ahead = view.position.unsqueeze(3) + _WALL_AHEAD * self.directions.view(2, 1, 1, 4)
        merit = merit - wall.unsqueeze(2) * ~self.terrain.walkable(ahead)
        moves = view.available[:, :, NORTH : WEST + 1]
        best = torch.where(moves, merit, -torch.inf).argmax(2)
        return torch.where(moves.any(2), NORTH + best, STOP)


def unit(vectors: Tensor) -> Tensor:
    """Vectors [2, ...] at length 1; 0 stays 0."""
    return vectors / vectors.norm(dim=0).clamp_min(1e-6)


def bounded(vectors: Tensor) -> Tensor:
    """Vectors [2, ...] at length 1 at most."""
    return vectors / vectors.norm(dim=0).clamp_min(1.0)


def row(**numbers: float) -> list[float]:
    """One rule: what is not named is 0, but for conditions and aims that would then never hold."""
    neutral = {"near": 99.0, "frail": 9.0, "free": 99.0, "engage": 99.0}
    unknown = set(numbers) - set(NAMES)
    if unknown:
        raise ValueError(
            f"unknown numbers of a rule: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}"
        )
    return [numbers.get(name, neutral.get(name, 0.0)) for name in NAMES]
