"""Overlapping windows over a plane, and how their contents become one plane again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float32]
_Kind = TypeVar("_Kind", bound=np.generic)


@dataclass(frozen=True)
class Window:
    """A square piece of a plane, or a smaller one where the plane is smaller."""

    top: int
    left: int
    height: int
    width: int

    def of(self, plane: NDArray[_Kind], scale: int = 1) -> NDArray[_Kind]:
        """What lies beneath it, in a plane that is ``scale`` times larger (a view)."""
        rows = slice(self.top * scale, (self.top + self.height) * scale)
        return plane[rows, self.left * scale : (self.left + self.width) * scale]


def windows(wanted: NDArray[np.bool_], side: int) -> list[Window]:
    """Cover the wanted positions with windows that overlap by half.

    Args:
        wanted: (h, w); positions that matter.
        side: of a window.

    Returns:
        Windows in reading order. Each holds a wanted position in the half around its middle (at
        the plane's border: up to the border), so that it is seen with what surrounds it.
    """
    found = []
    for top, rows in _spans(wanted.shape[0], side):
        for left, columns in _spans(wanted.shape[1], side):
            if wanted[rows, columns].any():
                height, width = (min(side, length) for length in wanted.shape)
                found.append(Window(top, left, height, width))
    return found


def _spans(length: int, side: int) -> list[tuple[int, slice]]:
    """Starts of windows along an axis, each with the part around its middle."""
    if length <= side:
        return [(0, slice(0, length))]
    step = side // 2
    starts = [*range(0, length - side, step), length - side]
    margin = side // 4
    return [
        (start, slice(start + margin if start else 0, start + side - margin))
        if start + side < length
        else (start, slice(start + margin, length))
        for start in starts
    ]


def joined(
    pieces: Sequence[_Array], places: Sequence[Window], size: tuple[int, int], scale: int = 1
) -> _Array:
    """Cross-fade the windows' contents into one plane.

    Args:
        pieces: (height * scale, width * scale, C) each.
        places: their windows.
        size: (h, w) of the plane, before scaling.
        scale: of the pieces beside their windows.

    Returns:
        (h * scale, w * scale, C) float32; zero where no window lies.
    """
    channels = pieces[0].shape[2]
    total = np.zeros((size[0] * scale, size[1] * scale, channels), np.float32)
    weights = np.zeros((*total.shape[:2], 1), np.float32)
    for piece, place in zip(pieces, places, strict=True):
        weight = np.outer(_tent(piece.shape[0]), _tent(piece.shape[1]))[..., None]
        view, beneath = place.of(total, scale), place.of(weights, scale)
        view += piece * weight
        beneath += weight
    np.divide(total, weights, out=total, where=weights > 0)
    return total


def _tent(length: int) -> _Array:
    """Weights that fall from the middle towards both ends, never to zero."""
    position = np.arange(length, dtype=np.float32) + 0.5
    return np.asarray(np.minimum(position, length - position) / length, np.float32)
