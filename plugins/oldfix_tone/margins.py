"""Where the picture is: margins of paper or scanner bed are left out of every estimate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Box = tuple[slice, slice]

#: A row belongs to a margin if so much of it is within `_TOLERANCE` of the margin's tone.
_SHARE = 0.9
_TOLERANCE = 0.06
#: No margin takes more of a side than this.
_WIDEST = 0.3
#: Pixels beside a margin are mixtures of the two.
_EDGE_PX = 2


def picture_box(image: Image) -> Box:
    """Return the rows and columns inside the margins of a print.

    A margin is a band of one tone along at least three sides: a sky or a dark ground touches
    fewer, so it is picture.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].

    Returns:
        Two slices; the whole picture without such a margin.
    """
    height, width = image.shape[:2]
    grey = np.asarray(image.mean(axis=2), np.float32)
    sides = [grey, grey[::-1], grey.T, grey.T[::-1]]
    tones = [float(np.median(side[: max(1, len(side) // 100)])) for side in sides]
    tone = float(np.median(tones))
    depths = [
        _depth(side, tone) if abs(own - tone) <= _TOLERANCE else 0
        for side, own in zip(sides, tones, strict=True)
    ]
    if sum(depth > 0 for depth in depths) < 3:
        return slice(0, height), slice(0, width)
    top, bottom, left, right = (depth + _EDGE_PX if depth else 0 for depth in depths)
    if top + bottom >= height or left + right >= width:
        return slice(0, height), slice(0, width)
    return slice(top, height - bottom), slice(left, width - right)


def _depth(rows: Image, tone: float) -> int:
    """Rows from the first on that are of one tone, or 0 if that takes too much of the side."""
    near: list[float] = [float((np.abs(row - tone) <= _TOLERANCE).mean()) for row in rows]
    flat = [share >= _SHARE for share in near]
    depth = flat.index(False) if False in flat else len(flat)
    return depth if depth <= _WIDEST * len(flat) else 0
