"""The battle inside the stand-in: `SC2Sim` with one game, seen as units with tags that take commands."""

from typing import NamedTuple

import torch

from cohort.envs.sc2_sim.battles import Battles
from cohort.envs.sc2_sim.env import SC2Sim
from cohort.envs.sc2_sim.maps import CENTRE, MAP_SIZE
from cohort.envs.sc2_sim.planes import COOLDOWN, ENERGY, FIRST_ATTACK, HEALTH, NO_OP, SHIELD, STOP, X, Y
from cohort.envs.sc2_sim.settings import SC2SimSettings
from cohort.envs.sc2_sim.terrain import walkable_cells
from cohort.envs.sc2_sim.units import UNITS, Unit, unit_names
from cohort.envs.smacv2_sim.env import SMACv2Sim
from cohort.envs.smacv2_sim.settings import SMACv2SimSettings
from cohort.envs.smacv2_sim.tasks import race_of
from tests.envs.sc2.stand_in_installation import Knobs
from tests.envs.sc2.told import tell

ABILITIES = {4: "stop", 16: "move", 23: "attack", 386: "heal"}
FIRST_AGENT_TYPE = 2005  # the maps' own types; only that they are consecutive matters
ENEMY_TYPES = {
    "Colossus": 4, "Baneling": 9, "Marine": 48, "Marauder": 51, "Medivac": 54, "Zealot": 73, "Stalker": 74,
    "SpineCrawler": 98, "Zergling": 105, "Hydralisk": 107,
}  # fmt: skip

# The types of SMACv2's map, in the order of their numbers.
DRAWN_KINDS = [
    "Baneling", "Colossus", "Hydralisk", "Marauder", "Marine", "Medivac", "Stalker", "Zealot", "Zergling",
]  # fmt: skip

# Moves as actions: north, south, east, west.
_DIRECTIONS = {(0, 1): 2, (0, -1): 3, (1, 0): 4, (-1, 0): 5}


class Refusal(ValueError):
    """The game cannot do what is asked of it; the text is the answer's error."""


class Body(NamedTuple):
    """A living unit as the game shows it; metres from the map's corner, cooldowns in game loops."""

    tag: int
    owner: int  # 1: the team, 2: the enemy
    unit_type: int
    x: float
    y: float
    health: float
    shield: float
    energy: float
    cooldown: float
    unit: Unit


class World:
    """One map on which battles follow each other, as the maps' own triggers make them do."""

    def __init__(self, map_name: str, knobs: Knobs, seed: int, first_tag: int) -> None:
        """Begin the first battle.

        Args:
            map_name: one of the 23.
            knobs: of them `battle`, `enemy_health` and `late_units` count here.
            seed: of the battles.
            first_tag: the tag of the first unit.

        Raises:
            ValueError: the simulator cannot play the map.
        """
        torch.set_num_threads(1)
        self.knobs, self.game_loop, self.first_tag, self.wishes = knobs, 0, first_tag, []
        if knobs.task:
            settings = SMACv2SimSettings(map_name=knobs.task, **knobs.battle)
            self.sim: Battles = SMACv2Sim(settings, batch_size=1, seed=seed)
        else:
            self.sim = SC2Sim(SC2SimSettings(map_name=map_name, **knobs.battle), batch_size=1, seed=seed)
        self.facts = self.sim.facts
        self.n = self.facts.n_agents
        if knobs.task:
            self._take(["Marine"] * (self.n + self.facts.n_enemies), DRAWN_KINDS)
            self.orders: dict[int, int] = {}
            self.killed = set(range(len(self.names)))  # nobody is there until somebody is created
            self.tags, self.late, self.listening = first_tag, 0, False
        else:
            self._take(unit_names(self.facts))
            self._respawn()

    def _take(self, names: list[str], kinds: list[str] | None = None) -> None:
        """Let these units fight; the team's own types are numbered as `kinds` are, by default those it has."""
        self.names, kinds = names, kinds or sorted(set(names[: self.n]))
        self.types = [FIRST_AGENT_TYPE + kinds.index(name) for name in names[: self.n]]
        self.types += [ENEMY_TYPES[name] for name in names[self.n :]]

    def unit_types(self) -> range:
        """All types of the game where the client creates units: the maps' own are the last of them."""
        return range(FIRST_AGENT_TYPE + len(DRAWN_KINDS) if self.knobs.task else 0)

    def create(self, unit_type: int, owner: int, point: tuple[float, float]) -> None:
        """Wish for a unit; it is there when time has passed and all units of the battle were wished for."""
        if not self.knobs.task:
            raise Refusal("on SMAC's maps the units come by themselves")
        if owner == 1:
            name = DRAWN_KINDS[unit_type - FIRST_AGENT_TYPE]
        else:
            name = next(name for name, number in ENEMY_TYPES.items() if number == unit_type)
        self.wishes.append((owner, name, point))

    def bodies(self) -> list[Body]:
        """The living: the team in no useful order, then the enemies in order of creation."""
        alive = self._alive()
        planes = self.sim.games.units[:, 0].double().tolist()
        team = [u for u in reversed(range(self.n)) if alive[u]]
        enemy = [u for u in range(self.n, len(alive)) if alive[u]]
        if self.late:
            team, enemy = team[:-1], enemy[:-1]
        return [self._body(u, planes) for u in team + enemy]

    def command(self, tag: int, ability: int, goal: tuple[float, float] | None, target: int) -> bool:
        """Give one unit an order; False if there is no such unit of the team.

        Args:
            tag: of the unit.
            ability: 4 stop, 16 move, 23 attack, 386 heal.
            goal: where a move goes.
            target: tag of the unit to attack or heal.

        Raises:
            Refusal: no action of SMAC means that.
        """
        unit = tag - self.tags
        if not (0 <= unit < self.n and self._alive()[unit]):
            return False
        name = ABILITIES.get(ability)
        if name == "stop":
            self.orders[unit] = STOP
        elif name == "move" and goal is not None:
            self.orders[unit] = self._move(unit, goal)
        elif name == "attack" and self.n <= target - self.tags < len(self.names):
            self.orders[unit] = FIRST_ATTACK + target - self.tags - self.n
        elif name == "heal" and self.names[unit] == "Medivac" and 0 <= target - self.tags < self.n:
            self.orders[unit] = FIRST_ATTACK + target - self.tags
        else:
            raise Refusal(f"unit {unit} cannot do ability {ability} with goal {goal} and target {target}")
        return True

    def listen(self) -> None:
        """Await a step of the battle: the next `advance` plays the orders given until then."""
        self.listening = True

    def advance(self, loops: int) -> None:
        """Let time pass: a step of the battle if orders are awaited, else a respawn or a wait.

        Raises:
            Refusal: the battle advances by another number of loops, or some of the living were killed.
        """
        self.game_loop += loops
        battles, self.listening = self.listening, False
        if not any(self._alive()):
            self._come_back()
        elif not battles:
            self.late = max(self.late - 1, 0)
        elif loops != self.sim.settings.step_mul:
            raise Refusal(f"the battle advances by {self.sim.settings.step_mul} loops, not {loops}")
        elif self.killed:
            raise Refusal("a battle in which some units were killed by hand is not modelled")
        else:
            self._fight()

    def kill(self, tags: list[int]) -> None:
        """Remove units; those unknown are passed over."""
        self.killed |= {tag - self.tags for tag in tags if 0 <= tag - self.tags < len(self.names)}

    def pathing(self) -> list[list[bool]]:
        """Which cells can be walked on, by [x][y]."""
        return walkable_cells(self.facts).tolist()

    def heights(self) -> list[list[float]]:
        """The ground's height in 0..1, by [x][y]."""
        middles = torch.arange(MAP_SIZE) + 0.5 - CENTRE
        points = torch.stack(torch.meshgrid(middles, middles, indexing="ij"))
        return self.sim.terrain.height(points).tolist()

    def _come_back(self) -> None:
        """The next battle, once the client has created its units where that is its task."""
        if self.knobs.task and not self.wishes:
            return
        if self.knobs.task:
            self.wishes.sort(key=lambda wish: wish[0])  # stable
            wishes, self.wishes = self.wishes, []
            team, enemies = ([name.lower() for owner, name, _ in wishes if owner == side] for side in (1, 2))
            tell(self.sim, team, enemies, [point for *_, point in wishes])
        self._respawn()
        if self.knobs.task:
            kinds = self.sim.spawner.kinds(self.sim.games.keys)[0].tolist()
            names = [kind.name for kind in race_of(self.knobs.task).kinds]
            self._take([names[kind % len(names)] for kind in kinds], DRAWN_KINDS)

    def _respawn(self) -> None:
        self.sim.reset()
        weaken_enemies(self.sim, self.knobs.enemy_health)
        self.tags, self.first_tag = self.first_tag, self.first_tag + len(self.names)
        self.orders, self.killed = {}, set()
        self.late = self.knobs.late_units
        self.listening = False

    def _alive(self) -> list[bool]:
        health = self.sim.games.units[HEALTH, 0].tolist()
        return [points > 0 and unit not in self.killed for unit, points in enumerate(health)]

    def _fight(self) -> None:
        """One step of the simulator; whoever has no order stops."""
        alive = self._alive()
        actions = [self.orders.get(u, STOP) if alive[u] else NO_OP for u in range(self.n)]
        self.orders = {}
        self.sim.step(torch.tensor([actions]))

    def _move(self, unit: int, goal: tuple[float, float]) -> int:
        """The action whose goal this is."""
        amount = self.sim.settings.move_amount
        x, y = (self.sim.games.units[:2, 0, unit].double() + CENTRE).tolist()
        way = ((goal[0] - x) / amount, (goal[1] - y) / amount)
        direction = (round(way[0]), round(way[1]))
        if direction not in _DIRECTIONS or max(abs(way[0] - direction[0]), abs(way[1] - direction[1])) > 1e-4:
            raise Refusal(
                f"a move of {way} x {amount} m is none of the simulator's; its move_amount is {amount}"
            )
        return _DIRECTIONS[direction]

    def _body(self, u: int, planes: list[list[float]]) -> Body:
        shielded = len(planes) > SHIELD and UNITS[self.names[u]].shield > 0
        healer = UNITS[self.names[u]].max_energy > 0
        return Body(
            tag=self.tags + u,
            owner=1 if u < self.n else 2,
            unit_type=self.types[u],
            x=planes[X][u] + CENTRE,
            y=planes[Y][u] + CENTRE,
            health=planes[HEALTH][u],
            shield=planes[SHIELD][u] if shielded else 0.0,
            energy=planes[ENERGY][u] if healer else 0.0,
            cooldown=max(planes[COOLDOWN][u], 0.0),
            unit=UNITS[self.names[u]],
        )


def weaken_enemies(sim: Battles, fraction: float) -> None:
    """Leave the enemies this fraction of their health and shield."""
    if fraction == 1:
        return
    state = sim.state_dict()
    for plane in state["units"][HEALTH], *state["units"][SHIELD : SHIELD + 1]:
        plane[:, sim.spec.n_agents :] *= fraction
    sim.load_state_dict(state)
