"""Where the faces are that a super-resolution network shall leave alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Half axes of the ellipse around a face, in distances between the eyes and from eyes to mouth.
_ACROSS, _DOWN = 0.95, 1.35
#: Its middle, as a part of the way from the eyes to the mouth.
_MIDDLE = 0.42
#: The mask falls from 1 to 0 between the ellipse and one so many times as large.
_OUTER = 1.3


def spare(enlarged: Array, plain: Array, points: Array) -> None:
    """Put a face of one picture into another of the same size, with a soft edge.

    Args:
        enlarged: (H, W, 3) float32. Changed.
        plain: (H, W, 3) float32, the picture that the face is taken from.
        points: (5, 2) landmarks of the face, in pixels of these pictures.
    """
    rows, columns = _around(points, enlarged.shape[:2])
    weight = mask(points, rows, columns)[..., None]
    region = enlarged[rows, columns]
    region += weight * (plain[rows, columns] - region)


def mask(points: Array, rows: slice, columns: slice) -> Array:
    """Return how much of each pixel of a rectangle belongs to a face, in [0, 1]."""
    middle, across, down = _axes(points)
    y, x = np.mgrid[rows, columns].astype(np.float32)
    offset = np.stack([x, y], axis=2) - middle
    radius = np.hypot(offset @ across / (across @ across), offset @ down / (down @ down))
    ramp = np.clip((_OUTER - radius) / (_OUTER - 1), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


def _axes(points: Array) -> tuple[Array, Array, Array]:
    """Middle and half axes of the ellipse, as (x, y)."""
    left, right, _, mouth_left, mouth_right = np.asarray(points, np.float32)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    down = mouth - eyes
    length = max(float(np.hypot(*down)), 1.0)
    # A head turned aside has near eyes but is as wide as before.
    width = max(float(np.hypot(*(right - left))), 0.75 * length)
    unit = down / length if float(np.hypot(*down)) > 0 else np.array([0, 1], np.float32)
    across = _ACROSS * width * np.array([unit[1], -unit[0]], np.float32)
    return eyes + _MIDDLE * down, across, _DOWN * length * unit


def _around(points: Array, size: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the rectangle around a face's mask, inside (height, width)."""
    middle, across, down = _axes(points)
    reach = _OUTER * np.hypot(across, down)
    low = np.floor(middle - reach).astype(int)
    high = np.ceil(middle + reach).astype(int) + 1
    columns, rows = (
        slice(max(0, int(low[axis])), max(0, min(size[1 - axis], int(high[axis]))))
        for axis in (0, 1)
    )
    return rows, columns
