"""What of a mask is wider than a disc."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_Mask = NDArray[np.uint8]
#: Wider discs are measured by distances: their area is what they would cost at every pixel.
_LARGEST_PX = 64


def wide_parts(marks: _Mask, widest_px: int) -> _Mask:
    """The parts of a mask that hold a disc of more than ``widest_px`` pixels: its opening.

    Args:
        marks: (H, W), 0 or 1. What lies beyond the borders counts as marked.
        widest_px: at least 1.

    Returns:
        (H, W), 0 or 1.
    """
    depth = _distance(marks)
    if depth.max() < widest_px / 2:
        return np.zeros_like(marks)
    if widest_px <= _LARGEST_PX:
        return np.asarray(cv2.morphologyEx(marks, cv2.MORPH_OPEN, _disc(widest_px)), np.uint8)
    return with_rims((depth > widest_px / 2).astype(np.uint8), widest_px)


def with_rims(parts: _Mask, widest_px: int) -> _Mask:
    """Parts of a mask, and all within half of ``widest_px`` pixels of them; 0 or 1, (H, W)."""
    if widest_px <= _LARGEST_PX:
        return np.asarray(cv2.dilate(parts, _disc(widest_px)), np.uint8)
    return (_distance(1 - parts) <= widest_px / 2).astype(np.uint8)


def _distance(marks: _Mask) -> NDArray[np.float32]:
    """From each marked pixel to the nearest one that is not."""
    found = cv2.distanceTransform(marks, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(found, np.float32)


def _disc(widest_px: int) -> _Mask:
    size = widest_px + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
