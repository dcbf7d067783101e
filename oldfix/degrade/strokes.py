"""Drawing lines and specks with soft edges at sub-pixel positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .fields import normal, smooth_lines
from .quantities import Mask

Numbers = NDArray[np.floating]
_SPACING = 0.7
_MARGIN = 16.0
_CHUNK = 40_000


@dataclass(frozen=True, eq=False)
class Lines:
    """Where strokes lie before they are drawn.

    Attributes:
        centres: ``(n, 2)`` middle of each line, (x, y) in pixels.
        lengths: ``(n,)`` lengths in pixels.
        angles: ``(n,)`` headings, in radians.
        bend: ``(n,)`` how far the heading turns over the length, in radians.
    """

    centres: NDArray[np.float64]
    lengths: NDArray[np.float64]
    angles: NDArray[np.float64]
    bend: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.centres)

    def near(self, shape: tuple[int, int]) -> Lines:
        """Return the lines that may reach into a window ``(height, width)``."""
        beyond = np.maximum(-self.centres, self.centres - (shape[1], shape[0]))
        reach = self.lengths / 2 + _MARGIN
        chosen = np.hypot(*np.maximum(beyond, 0).T) <= reach
        return Lines(
            self.centres[chosen], self.lengths[chosen], self.angles[chosen], self.bend[chosen]
        )


@dataclass(frozen=True, eq=False)
class Strokes:
    """Points of many strokes, all arrays ``(strokes, points)`` or broadcastable to it.

    Attributes:
        x, y: positions in pixels, centres at integers.
        half_width: half of the stroke's width there, in pixels.
        opacity: opacity there, in [0, 1]; 0 ends or breaks the stroke.
    """

    x: Numbers
    y: Numbers
    half_width: Numbers
    opacity: Numbers


def draw(shape: tuple[int, int], strokes: Strokes, softness_px: float = 1.2) -> Mask:
    """Return the opacity ``(H, W)`` of strokes; where they cross, the stronger one counts.

    Each point is a disc whose edge falls linearly to zero over ``softness_px``; one pixel equals
    the box filter of a scanner, more is an optical blur.
    """
    layer = np.zeros(shape, np.float32)
    x, y, half, opacity = (
        np.asarray(part, np.float32).ravel()
        for part in np.broadcast_arrays(strokes.x, strokes.y, strokes.half_width, strokes.opacity)
    )
    reach = half + softness_px / 2
    seen = (opacity > 0.01) & (x > -reach) & (y > -reach)
    seen &= (x < shape[1] - 1 + reach) & (y < shape[0] - 1 + reach)
    x, y, half, opacity = x[seen], y[seen], half[seen], opacity[seen]
    for start in range(0, len(x), _CHUNK):
        part = slice(start, start + _CHUNK)
        _stamp(layer, (x[part], y[part], half[part], opacity[part]), softness_px)
    return layer


def _stamp(layer: Mask, points: tuple[Numbers, ...], softness: float) -> None:
    """Write the maximum of the points' discs into the layer."""
    x, y, half, opacity = points
    if not len(x):
        return
    radius = int(np.ceil(half.max() + softness / 2))
    offsets = np.arange(-radius, radius + 1)
    column = np.rint(x).astype(np.intp)[:, None] + offsets
    row = np.rint(y).astype(np.intp)[:, None] + offsets
    across = ((column - x[:, None]).astype(np.float32) ** 2)[:, None, :]
    down = ((row - y[:, None]).astype(np.float32) ** 2)[:, :, None]
    distance = np.sqrt(down + across)
    cover = (half[:, None, None] - distance) / np.float32(softness) + np.float32(0.5)
    value = np.clip(cover, 0, 1) * opacity[:, None, None]
    inside = ((row >= 0) & (row < layer.shape[0]))[:, :, None]
    inside = inside & ((column >= 0) & (column < layer.shape[1]))[:, None, :] & (value > 0)
    place = row[:, :, None] * layer.shape[1] + column[:, None, :]
    np.maximum.at(layer.reshape(-1), place[inside], value[inside])


def wander(
    rng: np.random.Generator, lines: Lines, jag: float = 0.0
) -> tuple[Numbers, Numbers, Numbers]:
    """Return ``x, y, along`` of curves through the lines' centres, ``(lines, points)`` each.

    ``along`` runs from 0 to 1 and beyond it for the padding of shorter lines.

    Args:
        rng: source of randomness.
        lines: at least one line.
        jag: deviation of sudden turns every few pixels, in radians, as in cracked emulsion.
    """
    count, points = len(lines), int(np.ceil(lines.lengths.max() / _SPACING)) + 2
    travelled = np.arange(points, dtype=np.float32) * np.float32(_SPACING)
    along = np.asarray(travelled / lines.lengths[:, None], np.float32)
    sweep = (along - 0.5) * rng.uniform(-1, 1, (count, 1)).astype(np.float32)
    sweep = sweep + np.float32(0.25) * smooth_lines(rng, count, points, points / 4)
    heading = (lines.angles[:, None] + lines.bend[:, None] * sweep).astype(np.float32)
    if jag:
        hold = np.arange(points) // int(4 / _SPACING)
        turns = normal(rng, (count, int(hold[-1]) + 1)) * np.float32(jag)
        heading += turns[:, hold]
    x = np.cumsum(np.cos(heading), axis=1) * np.float32(_SPACING)
    y = np.cumsum(np.sin(heading), axis=1) * np.float32(_SPACING)
    middle = np.minimum((lines.lengths / 2 / _SPACING).astype(np.intp), points - 1)
    rows = np.arange(count)
    x += (lines.centres[:, 0] - x[rows, middle])[:, None].astype(np.float32)
    y += (lines.centres[:, 1] - y[rows, middle])[:, None].astype(np.float32)
    return x, y, along


def broken(rng: np.random.Generator, along: Numbers, rest_px: float, amount: float) -> Numbers:
    """Return opacities in [0, 1] that fade in and out along strokes and taper at their ends.

    Args:
        rng: source of randomness.
        along: positions as from `wander`.
        rest_px: typical distance between changes, in pixels.
        amount: 0 keeps the stroke whole, 1 breaks it often.
    """
    count, points = along.shape
    step = rest_px / _SPACING
    waves = smooth_lines(rng, count, points, step)
    waves = waves + np.float32(0.5) * smooth_lines(rng, count, points, step / 4)
    level = np.clip(1 - np.float32(amount) * (np.float32(0.45) + np.float32(0.6) * waves), 0, 1)
    slope = rng.uniform(4, 16, (count, 1)).astype(np.float32)
    ends = np.clip(np.minimum(along, 1 - along) * slope, 0, 1)
    return np.asarray(level * ends, np.float32)
