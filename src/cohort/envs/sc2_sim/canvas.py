"""Drawing battles in metres: the ground of a map, shapes of units, bars."""

import numpy as np

from cohort.envs.canvas import DETAIL, PAPER, Canvas, Colour
from cohort.envs.sc2_sim.maps import MAP_SIZE, MapFacts

# Okabe and Ito's blue and orange, lightened for a dark ground: told apart with every kind of colour vision.
ALLY, ENEMY = (92, 180, 240), (245, 150, 40)
HEALTH_BAR, SHIELD_BAR, ENERGY_BAR, EMPTY_BAR = (238, 240, 240), (70, 220, 225), (205, 130, 235), (8, 10, 12)
_GROUND = {".": (24, 28, 34), "-": (49, 57, 67), "/": (62, 71, 83), "#": (76, 86, 99)}
_CLIFF, _STRIPE, _GRID = (106, 116, 128), (80, 90, 104), (56, 64, 75)

_MARGIN = 1.5  # metres of unwalkable ground shown around


def polygon(sides: int, turn: float = 0.0, inner: float = 1.0) -> np.ndarray:
    """[V, 2] corners of a regular polygon of radius 1; with `inner` below 1 a star of that inner radius."""
    n = sides if inner == 1.0 else 2 * sides
    angle = 2 * np.pi * (np.arange(n) / n + turn)
    radius = np.where(np.arange(n) % 2 == 0, 1.0, inner)
    return np.stack((radius * np.cos(angle), radius * np.sin(angle)), 1)


# Outlines of radius about 1, heading east.
SHAPES: dict[str, np.ndarray] = {
    "Marine": polygon(28),
    "Marauder": polygon(6),
    "Medivac": np.array([(a, b) for a, b in zip(
        (1, .38, .38, -.38, -.38, -1, -1, -.38, -.38, .38, .38, 1),
        (.38, .38, 1, 1, .38, .38, -.38, -.38, -1, -1, -.38, -.38), strict=True)]),
    "Stalker": np.array([(1.15, 0), (0, .85), (-1.15, 0), (0, -.85)]),
    "Zealot": np.array([(1.45, 0), (-.9, .95), (-.9, -.95)]),
    "Colossus": 1.45 * polygon(4, 1 / 8, inner=0.6),
    "Zergling": np.array([(1.35, 0), (-1, 1), (-.45, 0), (-1, -1)]),
    "Baneling": 1.15 * polygon(9, inner=0.72),
    "Hydralisk": np.array([(1.25, 0), (.1, .9), (-.9, .55), (-.9, -.55), (.1, -.9)]),
    "SpineCrawler": polygon(6, inner=0.55),
}  # fmt: skip


class MapCanvas(Canvas):
    """One image of the map of `facts`, in metres, below a strip for text."""

    def __init__(self, facts: MapFacts, width: int, header: int) -> None:
        rows, columns = np.nonzero(np.array([list(row) for row in reversed(facts.terrain)]) != ".")
        low = np.maximum([columns.min() - _MARGIN, rows.min() - _MARGIN], 0)
        high = np.minimum([columns.max() + 1 + _MARGIN, rows.max() + 1 + _MARGIN], MAP_SIZE)
        spare = max(0.0, (high - low) @ (-1, 1)) / 2  # a frame is never higher than wide, but for the strip
        low[0], high[0] = low[0] - spare, high[0] + spare
        scale = width / (high[0] - low[0])
        super().__init__((width, header + round((high[1] - low[1]) * scale)), header, _GROUND["."])
        self.aim(low[0], high[1], scale)
        self._ground(facts.terrain)
        self.keep()

    def bar(
        self, place: np.ndarray, width: float, level: float, colour: Colour, row: int, opacity: float
    ) -> None:
        """A bar `width` metres wide that is filled to `level` (0..1), `row` bars above `place`."""
        left, bottom = self._pixels(place - (width / 2, 0))
        left, bottom, height = round(left), round(bottom) - 4 * DETAIL * row, 3 * DETAIL
        right = left + round(width * self.scale * DETAIL)
        alpha = round(255 * opacity)
        self._draw.rectangle([left - 1, bottom - height - 1, right + 1, bottom], fill=(*EMPTY_BAR, alpha))
        if level > 0:
            filled = left + max(1, round((right - left) * min(level, 1.0)))
            self._draw.rectangle([left, bottom - height, filled, bottom - 1], fill=(*colour, alpha))

    def icon(self, x: float, y: float, name: str, radius: float, colour: Colour, *, east: bool) -> None:
        """The shape of a type at pixels of the frame, `radius` pixels wide to each side."""
        outline = SHAPES[name] * (1 if east else -1, 1) / np.abs(SHAPES[name]).max()
        self.shape(
            self._corner + np.array([x, -y]) / self.scale, outline * radius / self.scale, colour, PAPER
        )

    def _ground(self, terrain: tuple[str, ...]) -> None:
        cells = np.array([list(row) for row in reversed(terrain)]).T
        for (x, y), symbol in np.ndenumerate(cells):
            corner = np.array([x, y])
            self._draw.rectangle(self._square(corner), fill=_GROUND[symbol])
            if symbol == "/":
                for step in (0.25, 0.75):
                    self._draw.line(
                        self._pixels(np.stack((corner + (0, step), corner + (1, step)))), _STRIPE, DETAIL
                    )
        for (x, y), symbol in np.ndenumerate(cells):
            for dx, dy, a, b in ((1, 0, (1, 0), (1, 1)), (0, 1, (0, 1), (1, 1))):
                if x + dx < MAP_SIZE and y + dy < MAP_SIZE:
                    self._border(symbol, cells[x + dx, y + dy], np.array([x, y]) + np.array((a, b)))
        self.strip()

    def _border(self, symbol: str, other: str, ends: np.ndarray) -> None:
        """The line between two neighbouring cells."""
        if symbol == other:
            if symbol == "-":
                self._draw.line(self._pixels(ends), _GRID, 1)
        elif "." in (symbol, other):
            self._draw.line(self._pixels(ends), _CLIFF, 2 * DETAIL)

    def _square(self, corner: np.ndarray) -> list[float]:
        left, bottom, right, top = self._pixels(np.stack((corner, corner + 1)))
        return [left, top, right, bottom]
