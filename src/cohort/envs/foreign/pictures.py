"""Pictures of bytes, as small as the settings want them."""

import numpy as np
from pydantic import Field

from cohort.settings import Settings


class PictureSettings(Settings):
    """Keys of environments that may show pictures."""

    picture_shrink: int = Field(
        1,
        ge=1,
        description="Pictures of bytes: each square of so many by so many pixels becomes one, its mean.",
    )
    picture_grey: bool = Field(
        False, description="Pictures of bytes: red, green and blue become one number, their mean."
    )


AS_THEY_COME = PictureSettings()


def is_picture(shape: tuple[int, ...], dtype: np.dtype) -> bool:
    """Whether an array is a picture: bytes by height, width and channels."""
    return dtype == np.uint8 and len(shape) == 3


def shrunk(picture: np.ndarray, settings: PictureSettings) -> np.ndarray:
    """[H, W, C] uint8 -> [H // k, W // k, C or 1] uint8; what is left over at the right and below is cut off."""
    edge = settings.picture_shrink
    if edge == 1 and not settings.picture_grey:
        return picture
    height, width = (max(1, length // edge) for length in picture.shape[:2])
    rows, columns = min(edge, picture.shape[0]), min(edge, picture.shape[1])
    cut = picture[: height * rows, : width * columns]
    # rows first: they lie one behind the other, and what is left to add is small
    sums = cut.reshape(height, rows, -1).sum(1, dtype=np.uint32).reshape(height, width, columns, -1).sum(2)
    pixels = rows * columns
    if settings.picture_grey:
        sums, pixels = sums.sum(2, keepdims=True), pixels * picture.shape[2]
    return (sums / pixels).round().astype(np.uint8)
