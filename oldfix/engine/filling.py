"""A first guess for marked pixels, from the sound ones around them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_Image = NDArray[np.float32]
_RADIUS_PX = 3.0


def fill_narrow(image: _Image, marked: NDArray[np.bool_], widest_px: int | None = None) -> _Image:
    """Replace narrow marked parts by what surrounds them: Telea's fast marching (OpenCV).

    Networks that work in a latent start from this instead of from a scratch, whose energy they
    would first have to take out of the latent. A stain may show the picture beneath it, and far
    from its rim a fill would be invented: so wide parts can be left.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].
        marked: (H, W).
        widest_px: parts wider than this are left as they are; 0 leaves everything, None nothing.

    Returns:
        (H, W, 3) float32, ``image`` itself if there is nothing to fill or nothing to fill from.
        Filled values have 8 bits.
    """
    found = marked.astype(np.uint8)
    narrow = found if widest_px is None else found & ~_wide(found, widest_px)
    if not narrow.any() or found.all():
        return image
    pixels = np.rint(image * 255).astype(np.uint8)
    guess = cv2.inpaint(pixels, found, _RADIUS_PX, cv2.INPAINT_TELEA)
    return np.where(narrow[..., None] > 0, guess.astype(np.float32) / np.float32(255), image)


def _wide(marked: NDArray[np.uint8], widest_px: int) -> NDArray[np.uint8]:
    """The parts into which a disc of a larger diameter than ``widest_px`` fits."""
    size = widest_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.morphologyEx(marked, cv2.MORPH_OPEN, disc), np.uint8)
