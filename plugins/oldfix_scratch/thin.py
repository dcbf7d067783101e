"""What is thinner than a few pixels: the part of a picture in which scratches stand out."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]

#: Sides of the squares, in pixels; odd.
_SIZES_PX = (3, 7)
#: Planes that `thin_parts` gives.
THIN_PARTS = 2 * len(_SIZES_PX)


def thin_parts(image: Image) -> Image:
    """White and black top-hat of the mean of the channels, at two sizes.

    What an opening or closing by a square removes (Soille, "Morphological Image Analysis");
    given to the network so that it need not learn morphology first.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].

    Returns:
        (H, W, 4) float32, never negative: for each size, what rises above its surroundings and
        what lies below.
    """
    grey = image.mean(axis=2)
    planes = []
    for size in _SIZES_PX:
        square = np.ones((size, size), np.uint8)
        planes.append(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, square))
        planes.append(cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, square))
    return np.asarray(np.stack(planes, axis=2), np.float32)
