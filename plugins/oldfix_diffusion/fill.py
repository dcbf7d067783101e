"""A first guess for marked pixels, from the sound ones around them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float32]
_RADIUS_PX = 3.0


def filled(image: _Array, mask: _Array, widest_px: int = 16) -> _Array:
    """Replace narrow marked parts by what surrounds them: Telea's fast marching (OpenCV).

    The denoiser starts from this instead of from a scratch, whose energy it would first have to
    take out of the latent. Wide parts are left: a stain still shows the picture beneath it, and
    far from its rim a fill would be invented.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].
        mask: (H, W) float32; more than 0.5 counts as marked.
        widest_px: parts wider than this are left as they are; 0 leaves everything.

    Returns:
        (H, W, 3) float32, ``image`` itself if there is nothing to fill. Filled values have 8 bits.
    """
    marked = (mask > 0.5).astype(np.uint8)
    narrow = marked & ~_wide(marked, widest_px)
    if not narrow.any() or marked.all():
        return image
    pixels = np.rint(image * 255).astype(np.uint8)
    guess = cv2.inpaint(pixels, marked, _RADIUS_PX, cv2.INPAINT_TELEA)
    return np.where(narrow[..., None] > 0, guess.astype(np.float32) / np.float32(255), image)


def _wide(marked: NDArray[np.uint8], widest_px: int) -> NDArray[np.uint8]:
    """The parts into which a disc of a larger diameter than ``widest_px`` fits."""
    size = widest_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.morphologyEx(marked, cv2.MORPH_OPEN, disc), np.uint8)
