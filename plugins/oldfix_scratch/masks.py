"""From a map of probabilities to a mask: hysteresis, small and wide areas, growth, joining."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import wide_parts, with_rims

Plane = NDArray[np.float32]
Marks = NDArray[np.bool_]


def hysteresis(probability: Plane, *, low: float, high: float) -> Marks:
    """Mark the connected areas above ``low`` that reach ``high`` somewhere.

    Args:
        probability: (H, W) float32.
        low: bound of an area; taken as ``high`` where it is larger.
        high: what an area must reach.

    Returns:
        (H, W) bool, 8-connected areas (Canny 1986, section on thresholding).
    """
    count, labels = _areas(probability >= min(low, high))
    kept = np.zeros(count, bool)
    kept[np.unique(labels[probability >= high])] = True
    kept[0] = False
    return np.asarray(kept[labels])


def drop_small(marks: Marks, min_area_px: int) -> Marks:
    """Remove 8-connected areas of fewer than ``min_area_px`` pixels."""
    if min_area_px <= 1 or not marks.any():
        return marks
    count, labels = _areas(marks)
    kept = np.bincount(labels.ravel(), minlength=count) >= min_area_px
    kept[0] = False
    return np.asarray(kept[labels])


def drop_wide(marks: Marks, widest_px: int) -> Marks:
    """Remove the parts that hold a disc of more than ``widest_px`` pixels, with their rims."""
    wide = wide_parts(marks.astype(np.uint8), widest_px)
    return np.asarray(marks & (with_rims(wide, widest_px) == 0)) if wide.any() else marks


def grow(marks: Marks, radius_px: int) -> Marks:
    """Dilate by a disc of ``radius_px`` pixels."""
    if radius_px == 0 or not marks.any():
        return marks
    size = 2 * radius_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(marks.astype(np.uint8), disc) > 0)


def join(marks: Marks, given: Plane | None) -> Plane:
    """Return the marks as a mask, united with one already given (the larger value wins)."""
    mask = marks.astype(np.float32)
    return mask if given is None else np.maximum(mask, given)


def _areas(marks: Marks) -> tuple[int, NDArray[np.int32]]:
    count, labels = cv2.connectedComponents(marks.astype(np.uint8), connectivity=8)
    return count, labels
