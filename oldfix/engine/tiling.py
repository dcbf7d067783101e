"""Where to cut a picture, and how to put the pieces together. Pure arithmetic, no torch.

Along each axis a tile has a core (the cores partition the axis), around it half a cross-fade,
and around that the halo, whose results are thrown away. A tile at the edge of the picture ends
there, so a network pads it exactly as it would pad the whole picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray

#: Half of the cross-fade between neighbouring tiles, in input pixels (rounded up to the grid).
HALF_FADE = 8


@dataclass(frozen=True)
class Span:
    """One tile along one axis, in input pixels: ``start <= core_start < core_stop <= stop``."""

    start: int
    core_start: int
    core_stop: int
    stop: int


@dataclass(frozen=True)
class Tile:
    """One tile: its span along both axes."""

    rows: Span
    columns: Span

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the window that the network sees."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


def round_up(value: int, multiple: int) -> int:
    """The smallest multiple that is at least ``value``."""
    return -(-value // multiple) * multiple


def spans(length: int, tile: int, halo: int, multiple_of: int) -> list[Span]:
    """Cut an axis into spans with about equal cores.

    Args:
        length: of the axis; a multiple of ``multiple_of``.
        tile: wanted core length.
        halo: receptive-field radius.
        multiple_of: every boundary lies on this grid.
    """
    margin = round_up(halo, multiple_of) + round_up(HALF_FADE, multiple_of)
    least = 2 * round_up(HALF_FADE, multiple_of)  # so that two cross-fades never overlap
    count = max(1, ceil(length / max(tile, least)))
    core = max(round_up(ceil(length / count), multiple_of), least)
    edges = [*range(0, length, core), length]
    if len(edges) > 2 and edges[-1] - edges[-2] < least:
        del edges[-2]
    return [Span(max(0, a - margin), a, b, min(length, b + margin)) for a, b in pairwise(edges)]


def tiles(height: int, width: int, tile: int, halo: int, multiple_of: int) -> list[Tile]:
    """Cut a picture into tiles; a single tile means the whole picture."""
    columns = spans(width, tile, halo, multiple_of)
    return [Tile(row, col) for row in spans(height, tile, halo, multiple_of) for col in columns]


def fade(span: Span, length: int, multiple_of: int, scale: float) -> NDArray[np.float32]:
    """Weights of a span's output: 0 in the halo, a ramp across each inner boundary, then 1.

    The weights of neighbouring spans sum to 1 at every output pixel.

    Returns:
        1-D float32 of length ``(span.stop - span.start) * scale``.
    """
    half = round_up(HALF_FADE, multiple_of) * scale
    count = round((span.stop - span.start) * scale)
    position = np.arange(count) + 0.5 + span.start * scale
    weights = np.ones(count)
    if span.core_start > 0:
        weights *= np.clip((position - span.core_start * scale + half) / (2 * half), 0, 1)
    if span.core_stop < length:
        weights *= np.clip((span.core_stop * scale - position + half) / (2 * half), 0, 1)
    return weights.astype(np.float32)
