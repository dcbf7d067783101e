"""What is marked as damaged: hidden before the encoder, and told to the mapping."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oldfix import fill_marks

_Array = NDArray[np.float32]
#: Opacity of a defect from which on a pixel counts as damaged.
_DAMAGED = 0.25


def hidden(image: _Array, mask: _Array, widest_px: int = 16, *, white: bool = False) -> _Array:
    """Take marked pixels away, so that the encoder does not carry a scratch into the latent.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].
        mask: (H, W) float32 in [0, 1].
        widest_px: marked parts up to this width are filled from their surroundings (Telea's fast
            marching). Of wider ones only those that hide the picture; see `fill_marks`.
        white: paint them white instead, all of them, as the published networks were trained.

    Returns:
        (H, W, 3) float32, ``image`` itself if there is nothing to hide. Filled values have 8 bits.
    """
    marked = mask >= _DAMAGED
    if white:
        return np.where(marked[..., None], np.float32(1), image) if marked.any() else image
    return fill_marks(image, marked, widest_px)


def marked_squares(mask: _Array, size: tuple[int, int], factor: int = 4) -> _Array:
    """Say which squares of pixels hold a damaged one.

    Args:
        mask: (H, W) float32 in [0, 1].
        size: (h, w), rows and columns of squares: H / factor and W / factor, rounded up.
        factor: side of a square.

    Returns:
        (h, w) float32, 0 or 1.
    """
    rows, columns = size
    padded = np.zeros((rows * factor, columns * factor), np.float32)
    padded[: mask.shape[0], : mask.shape[1]] = mask >= _DAMAGED
    squares = padded.reshape(rows, factor, columns, factor)
    return np.asarray(squares.max(axis=(1, 3)), np.float32)
