"""Drawing lines and specks with soft edges at sub-pixel positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .fields import smooth_lines
from .quantities import Mask

Numbers = NDArray[np.floating]
_SPACING = 0.6
_CHUNK = 40_000


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
    across = ((column - x[:, None]) ** 2)[:, None, :]
    distance = np.sqrt(((row - y[:, None]) ** 2)[:, :, None] + across)
    cover = np.clip((half[:, None, None] - distance) / softness + 0.5, 0, 1)
    value = (cover * opacity[:, None, None]).astype(np.float32)
    inside = ((row >= 0) & (row < layer.shape[0]))[:, :, None]
    inside = inside & ((column >= 0) & (column < layer.shape[1]))[:, None, :] & (value > 0)
    place = row[:, :, None] * layer.shape[1] + column[:, None, :]
    np.maximum.at(layer.reshape(-1), place[inside], value[inside])


def wander(
    rng: np.random.Generator,
    centres: NDArray[np.float64],
    lengths: NDArray[np.float64],
    angles: NDArray[np.float64],
    bend: float | NDArray[np.float64],
) -> tuple[Numbers, Numbers, Numbers]:
    """Return ``x, y, along`` of curves through their centres, ``(strokes, points)`` each.

    Args:
        rng: source of randomness.
        centres: ``(n, 2)`` middle of each curve, (x, y) in pixels.
        lengths: ``(n,)`` lengths in pixels.
        angles: ``(n,)`` headings at the start, in radians.
        bend: how far the heading turns over the length, in radians, one number or ``(n,)``.

    ``along`` runs from 0 to 1 and beyond it for the padding of shorter curves.
    """
    count, points = len(centres), int(np.ceil(lengths.max() / _SPACING)) + 2
    travelled = np.arange(points) * _SPACING
    along = travelled[None] / lengths[:, None]
    turn = np.asarray(bend).reshape(-1, 1) * (
        (along - 0.5) * rng.uniform(-1, 1, (count, 1))
        + 0.25 * smooth_lines(rng, count, points, points / 4)
    )
    heading = angles[:, None] + turn
    x = np.cumsum(np.cos(heading), axis=1) * _SPACING
    y = np.cumsum(np.sin(heading), axis=1) * _SPACING
    middle = np.minimum((lengths / 2 / _SPACING).astype(np.intp), points - 1)
    rows = np.arange(count)
    x += (centres[:, 0] - x[rows, middle])[:, None]
    y += (centres[:, 1] - y[rows, middle])[:, None]
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
    waves = waves + 0.5 * smooth_lines(rng, count, points, step / 4)
    level = np.clip(1.0 - amount * (0.45 + 0.6 * waves), 0, 1)
    ends = np.clip(np.minimum(along, 1 - along) * rng.uniform(4, 16, (count, 1)), 0, 1)
    return np.asarray(level * ends)
