"""A first guess for marked pixels, from the sound ones around them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix.engine.discs import wide_parts

_Image = NDArray[np.float32]
_Mask = NDArray[np.uint8]
_RADIUS_PX = 3.0
#: Where the surroundings of a wide part are looked for, counted from its rim and from any mark.
_AROUND_PX, _CLEAR_PX = 30, 4
#: A wide part that differs from its surroundings by this part of the range, in red, green or
#: blue, hides what is beneath; see docs/explanation/decisions/0016.
_HIDES = 0.25


def fill_marks(image: _Image, marked: NDArray[np.bool_], widest_px: int | None = None) -> _Image:
    """Replace marked parts by what surrounds them: Telea's fast marching (OpenCV).

    Networks that work in a latent start from this instead of from a scratch, whose energy they
    would first have to take out of the latent. A stain may show the picture beneath it, and far
    from its rim a fill would be invented: so wide parts are filled only where they hide the
    picture.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].
        marked: (H, W).
        widest_px: parts wider than this are filled only if their colour is far from that of
            their surroundings; 0 leaves everything, None nothing.

    Returns:
        (H, W, 3) float32, ``image`` itself if there is nothing to fill or nothing to fill from.
        Filled values have 8 bits.
    """
    found = marked.astype(np.uint8)
    chosen = found if widest_px is None else _fillable(image, found, widest_px)
    if not chosen.any() or found.all():
        return image
    pixels = np.rint(image * 255).astype(np.uint8)
    guess = cv2.inpaint(pixels, found, _RADIUS_PX, cv2.INPAINT_TELEA)
    return np.where(chosen[..., None] > 0, guess.astype(np.float32) / np.float32(255), image)


def _fillable(image: _Image, marked: _Mask, widest_px: int) -> _Mask:
    """The narrow parts, and those of the wide ones that hide the picture."""
    if widest_px == 0:
        return np.zeros_like(marked)
    wide = wide_parts(marked, widest_px)
    if not wide.any():
        return marked
    return np.asarray(marked & ~(wide & ~_hiding(image, marked, wide)), np.uint8)


def _hiding(image: _Image, marked: _Mask, wide: _Mask) -> _Mask:
    """Those connected parts of ``wide`` whose colour is far from that around them."""
    clear = cv2.distanceTransform(1 - marked, cv2.DIST_L2, 3) > _CLEAR_PX
    hiding = np.zeros_like(wide)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(wide)
    for number in range(1, count):
        left, top, width, height, _ = boxes[number] + (-_AROUND_PX, -_AROUND_PX, 0, 0, 0)
        right, bottom = left + width + 2 * _AROUND_PX, top + height + 2 * _AROUND_PX
        view = np.s_[max(top, 0) : bottom, max(left, 0) : right]
        part = labels[view] == number
        outside = cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, 3)
        around = (outside <= _AROUND_PX) & clear[view]
        if around.any() and _apart(image[view], part, around) >= _HIDES:
            hiding[view][part] = 1
    return hiding


def _apart(image: _Image, part: NDArray[np.bool_], around: NDArray[np.bool_]) -> float:
    """Largest difference between the median colours of two parts of a picture."""
    return float(np.abs(np.median(image[part], axis=0) - np.median(image[around], axis=0)).max())
