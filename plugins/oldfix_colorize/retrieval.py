"""Finding references: what photographs show, as vectors whose angle says how alike they are.

Luminance alone is compared, for the photograph that asks has nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Side of the squares that the classical description counts gradients in, and their number.
_SIDE, _GRID, _DIRECTIONS, _LEVELS = 128, 4, 8, 16
_LEAST = 1e-6


def classical(light: Array) -> Array:
    """Describe (H, W) luminance by gradients, coarse shape and distribution of light.

    Histograms of gradient directions in 4 x 4 squares (after Dalal and Triggs, CVPR 2005), the
    mean light of each square, and the histogram of light, each of unit length.
    """
    side = (_SIDE, _SIDE)
    plane = cv2.resize(light, side, interpolation=cv2.INTER_AREA).astype(np.float32)
    normed = (plane - plane.mean()) / (plane.std() + 1.0)
    dx, dy = (cv2.Sobel(normed, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    strength = np.hypot(dx, dy)
    turn = np.arctan2(dy, dx) % np.pi / np.pi
    direction = np.minimum((turn * _DIRECTIONS).astype(int), _DIRECTIONS - 1)
    cell = _SIDE // _GRID
    rows, columns = np.indices((_SIDE, _SIDE)) // cell
    bins = (rows * _GRID + columns) * _DIRECTIONS + direction
    count = _GRID * _GRID * _DIRECTIONS
    gradients = np.sqrt(np.bincount(bins.ravel(), strength.ravel(), count))
    shape = cv2.resize(normed, (_GRID, _GRID), interpolation=cv2.INTER_AREA).ravel()
    levels = np.clip(plane / 100 * _LEVELS, 0, _LEVELS - 1).astype(int)
    spread = np.sqrt(np.bincount(levels.ravel(), minlength=_LEVELS))
    return np.concatenate([unit(part) for part in (gradients, shape, spread)])


def summary(features: Array) -> Array:
    """Describe a picture by (h, w, C) features: their means in its quarters, their deviation."""
    quarters = [half for rows in np.array_split(features, 2) for half in np.array_split(rows, 2, 1)]
    means = [part.mean(axis=(0, 1)) for part in quarters if part.size]
    means += means[:1] * (4 - len(means))  # a picture of one row or column of places
    return np.concatenate([*means, features.std(axis=(0, 1))])


def likeness(asked: Sequence[Array], offered: Sequence[Sequence[Array]]) -> Array:
    """How alike each of some descriptions is to one, in [-1, 1].

    With three or more on offer, every number is first brought to mean 0 and deviation 1 over
    them: what all of them have in common tells none from the others.

    Args:
        asked: the vectors of one description, one for each kind of features.
        offered: such descriptions; the kinds count equally.
    """
    kinds = zip(*offered, strict=True)
    scores = [_likeness(own, kind) for own, kind in zip(asked, kinds, strict=True)]
    return np.asarray(np.mean(scores, axis=0), np.float32)


def _likeness(asked: Array, offered: Sequence[Array]) -> Array:
    table = np.stack(offered)
    if len(offered) >= 3:
        mean, deviation = table.mean(axis=0), table.std(axis=0) + _LEAST
        asked, table = (asked - mean) / deviation, (table - mean) / deviation
    return np.asarray([unit(asked) @ unit(row) for row in table], np.float32)


def unit(vector: Array) -> Array:
    """Bring a vector to length 1; one of zeros stays."""
    return np.asarray(vector / max(float(np.linalg.norm(vector)), _LEAST), np.float32)
