"""Drawing in units of a world: shapes, lines and text, on an image that is reduced at the end."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, int, int]

TEXT, DIM, PAPER = (232, 234, 237), (150, 158, 170), (16, 19, 24)
# Eight agents that can be told apart on a dark ground (Okabe and Ito's colours, lightened); more get hues of their own.
COLOURS: tuple[Colour, ...] = (
    (92, 180, 240), (245, 150, 40), (64, 200, 140), (235, 120, 185),
    (240, 225, 85), (165, 140, 255), (240, 95, 80), (140, 225, 225),
)  # fmt: skip
DETAIL = 2  # pixels drawn for each pixel of the frame: lines come out smooth


def agent_colour(agent: int, agents: int) -> Colour:
    """What an agent is drawn in where there are so many."""
    if agents <= len(COLOURS):
        return COLOURS[agent]
    return tuple(round(255 * value) for value in colorsys.hsv_to_rgb(agent / agents, 0.55, 0.95))


def refuse_view(game: int, games: int, agent: int | None, agents: int, frames_per_step: int) -> None:
    """Raises `ValueError` where a picture is asked of a game or an agent that is not there, or less than one frame."""
    for name, value, count in (("game", game, games), ("agent", agent or 0, agents)):
        if not 0 <= value < count:
            raise ValueError(f"no {name} {value}: choose 0 to {count - 1}")
    if frames_per_step < 1:
        raise ValueError(f"frames_per_step is {frames_per_step}, but must be at least 1")


class Canvas:
    """One image of a part of the plane, y upwards, below a strip for text.

    Attributes:
        size: [2] width and height of the frame in pixels, strip included.
        header: height of the strip.
        scale: pixels of the frame per unit.
    """

    def __init__(self, size: tuple[int, int], header: int, ground: Colour) -> None:
        """Begin with an empty `ground`; `aim` says where it lies."""
        self.size, self.header = size, header
        self._image = Image.new("RGB", (size[0] * DETAIL, size[1] * DETAIL), ground)
        self._draw = ImageDraw.Draw(self._image, "RGBA")
        self._fonts: dict[tuple[float, bool], ImageFont.FreeTypeFont] = {}
        self.strip()
        self.keep()

    def aim(self, left: float, top: float, scale: float) -> None:
        """Let what is drawn next lie so that (left, top) is the upper left corner below the strip."""
        self.scale = scale
        self._corner = np.array([left, top + self.header / scale])

    def strip(self) -> None:
        """Wipe the strip for text."""
        self._draw.rectangle([0, 0, self._image.width, self.header * DETAIL - 1], fill=PAPER)

    def keep(self) -> None:
        """Let `clear` come back to what is drawn now."""
        self._blank = self._image.copy()

    def clear(self) -> None:
        """Leave only the ground."""
        self._image.paste(self._blank)

    def frame(self) -> np.ndarray:
        """[H, W, 3] uint8."""
        return np.array(self._image.reduce(DETAIL))

    def shape(
        self, place: np.ndarray, outline: np.ndarray, fill: Colour, edge: Colour, opacity: float = 1.0
    ) -> None:
        """Fill the polygon `outline` [V, 2], units from `place` [2]."""
        corners = self._pixels(place + outline)
        colour, line = (*fill, round(255 * opacity)), (*edge, round(255 * opacity))
        self._draw.polygon(corners, fill=colour)
        self._draw.line([*corners, *corners[:2]], fill=line, width=DETAIL, joint="curve")

    def circle(
        self, place: np.ndarray, radius: float, colour: Colour, *, opacity: float, width: float
    ) -> None:
        """A ring of `radius` units and `width` pixels."""
        box = [*self._pixels(place + (-radius, radius)), *self._pixels(place + (radius, -radius))]
        self._draw.ellipse(box, outline=(*colour, round(255 * opacity)), width=round(width * DETAIL))

    def disc(self, place: np.ndarray, radius: float, colour: Colour, opacity: float) -> None:
        """A filled circle of `radius` units."""
        box = [*self._pixels(place + (-radius, radius)), *self._pixels(place + (radius, -radius))]
        self._draw.ellipse(box, fill=(*colour, round(255 * opacity)))

    def line(
        self, start: np.ndarray, end: np.ndarray, colour: Colour, *, opacity: float, width: float
    ) -> None:
        """A line of `width` pixels between two places."""
        points = self._pixels(np.stack((start, end)))
        self._draw.line(points, fill=(*colour, round(255 * opacity)), width=max(1, round(width * DETAIL)))

    def label(self, place: np.ndarray, text: str, size: float, colour: Colour, opacity: float = 1.0) -> None:
        """Text centred on a place on the map."""
        x, y = self._pixels(place)
        self._text(x, y, text, size, (*colour, round(255 * opacity)), "mm", bold=True)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: Colour = TEXT,
        anchor: str = "lm",
        *,
        bold: bool = False,
    ) -> float:
        """Text at pixels of the frame; its width in pixels."""
        return self._text(x * DETAIL, y * DETAIL, text, size, colour, anchor, bold=bold)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, opacity: float = 1.0) -> None:
        """A filled rectangle at pixels of the frame."""
        corners = [round(value * DETAIL) for value in (x0, y0, x1, y1)]
        if corners[2] > corners[0]:
            self._draw.rectangle(corners, fill=(*colour, round(255 * opacity)))

    def _text(self, x, y, text, size, colour, anchor, *, bold) -> float:
        font = self._fonts.setdefault((size, bold), ImageFont.load_default(round(size * DETAIL)))
        stroke = 0.022 * DETAIL * bold * size  # the built-in font has one weight
        self._draw.text(
            (x, y), text, font=font, fill=colour, anchor=anchor, stroke_width=stroke, stroke_fill=colour
        )
        return self._draw.textlength(text, font) / DETAIL

    def _pixels(self, places: np.ndarray) -> list[float]:
        """Flat list of the drawing's pixels of places [..., 2]."""
        return ((places - self._corner) * (self.scale * DETAIL, -self.scale * DETAIL)).flatten().tolist()
