"""What is written on a picture of a battle."""

import numpy as np

from cohort.envs.canvas import DIM, PAPER, TEXT
from cohort.envs.sc2_sim.canvas import ALLY, EMPTY_BAR, ENEMY, MapCanvas
from cohort.envs.sc2_sim.maps import MapFacts
from cohort.envs.sc2_sim.planes import EAST, FIRST_ATTACK, NORTH, SOUTH, STOP, WEST
from cohort.envs.sc2_sim.substep_replay import Moment
from cohort.envs.sc2_sim.units import Unit, unit_names

HEADER = 54  # pixels above the map
_WORDS = {STOP: "stop", NORTH: "move north", SOUTH: "move south", EAST: "move east", WEST: "move west"}


class Caption:
    """Writes on the canvas of one map: what is left of both armies, the step, an agent's order, the result."""

    def __init__(self, canvas: MapCanvas, facts: MapFacts, units: tuple[Unit, ...]) -> None:
        self.canvas, self.facts, self.n, self.units = canvas, facts, facts.n_agents, units
        self.names = unit_names(facts)
        self.full = np.array([unit.health + unit.shield for unit in units])
        self.fights = np.array([unit.damage > 0 for unit in units])

    def header(self, moment: Moment) -> None:
        """The strip above the map: the team on the left, its enemies on the right."""
        middle = self.canvas.size[0] / 2
        self.canvas.text(middle, 17, self.facts.name, 17, anchor="mm", bold=True)
        step = int(np.ceil(moment.time - 1e-6))
        self.canvas.text(middle, 38, f"step {step} / {self.facts.episode_limit}", 13, DIM, "mm")
        self._army(moment, slice(0, self.n), -1)
        self._army(moment, slice(self.n, len(self.units)), 1)

    def order(self, moment: Moment, agent: int, action: int) -> None:
        """What an agent was told to do, at the bottom."""
        text = f"agent {agent} ({self.names[agent].lower()}): {self._words(moment, agent, action)}"
        self.canvas.text(12, self.canvas.size[1] - 14, text, 13, TEXT)

    def result(self, moment: Moment) -> None:
        """How the battle ended, across the top of the map."""
        fighting = self.fights & moment.alive
        text, colour = {
            (True, False): ("Victory", ALLY),
            (False, True): ("Defeat", ENEMY),
            (False, False): ("Nobody is left", TEXT),
            (True, True): ("Time is up", TEXT),
        }[bool(fighting[: self.n].any()), bool(fighting[self.n :].any())]
        width, y = self.canvas.size[0], HEADER + 36
        self.canvas.box(0, y - 36, width, y + 36, PAPER, 0.7)
        self.canvas.text(width / 2, y, text, 36, colour, "mm", bold=True)

    def _army(self, moment: Moment, part: slice, side: int) -> None:
        """Health and shields of one army, and how many of each type are left; `side` is -1 for the left."""
        canvas, width, colour = self.canvas, self.canvas.size[0], ALLY if side < 0 else ENEMY
        outer, inner = width / 2 + side * (width / 2 - 12), width / 2 + side * 84
        left = (moment.health + moment.shield)[part].sum() / self.full[part].sum()
        for tip, fill in ((outer, EMPTY_BAR), (inner + (outer - inner) * left, colour)):
            canvas.box(min(inner, tip), 34, max(inner, tip), 41, fill)
        names, x = self.names[part], outer - side * 8
        for name in sorted(set(names), key=names.index):
            alive = moment.alive[part][[other == name for other in names]]
            canvas.icon(x, 17, name, 9, colour, east=side < 0)
            x -= side * 15
            text = f"{alive.sum()}/{len(alive)}"
            x -= side * (canvas.text(x, 17, text, 14, TEXT, "lm" if side < 0 else "rm") + 20)

    def _words(self, moment: Moment, agent: int, action: int) -> str:
        if not moment.alive[agent]:
            return "dead"
        if action < STOP:
            return "no order yet"
        if action < FIRST_ATTACK:
            return _WORDS[action]
        return f"{'heal agent' if self.units[agent].heal_rate else 'attack enemy'} {action - FIRST_ATTACK}"
