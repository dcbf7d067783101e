"""What is marked as damaged: hidden before the encoder, and told to the mapping."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float32]
_RADIUS_PX = 3.0
#: Opacity of a defect from which on a pixel counts as damaged.
_DAMAGED = 0.25


def hidden(image: _Array, mask: _Array, widest_px: int = 16, *, white: bool = False) -> _Array:
    """Take marked pixels away, so that the encoder does not carry a scratch into the latent.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].
        mask: (H, W) float32 in [0, 1].
        widest_px: marked parts up to this width are filled from their surroundings (Telea's fast
            marching). Wider ones, stains, stay: the picture shows through.
        white: paint them white instead, all of them, as the published networks were trained.

    Returns:
        (H, W, 3) float32, ``image`` itself if there is nothing to hide. Filled values have 8 bits.
    """
    marked = (mask >= _DAMAGED).astype(np.uint8)
    if white:
        return np.where(marked[..., None] > 0, np.float32(1), image) if marked.any() else image
    size = widest_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    narrow = marked & ~np.asarray(cv2.morphologyEx(marked, cv2.MORPH_OPEN, disc), np.uint8)
    if not narrow.any() or marked.all():
        return image
    guess = cv2.inpaint(
        np.rint(image * 255).astype(np.uint8), marked, _RADIUS_PX, cv2.INPAINT_TELEA
    )
    return np.where(narrow[..., None] > 0, guess.astype(np.float32) / np.float32(255), image)


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
