"""Texture that must not be made louder: the dots of a halftone print, the speckle of a small file.

A correction of a faded picture widens every difference, that between two dots of a printing screen
too. Where the finest texture is loud already, it belongs to the print and not to the scene.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

#: Loudness at which texture may be amplified as all else, and from which on not at all.
_QUIET, _LOUD = 0.02, 0.03
#: Deviation of the Gaussian that leaves texture out, in pixels.
_SMOOTHING_PX = 2.0


def loudness(luma: Plane) -> float:
    """Estimate the standard deviation of the finest texture, in units of luma.

    The median absolute diagonal detail of the Haar transform over 0.6745 (Donoho and Johnstone,
    "Ideal spatial adaptation by wavelet shrinkage", 1994), which edges hardly move.

    Args:
        luma: (H, W) float32 in [0, 1]; 0 is returned for one of a single row or column.
    """
    height, width = (side // 2 * 2 for side in luma.shape)
    if not height or not width:
        return 0.0
    even = luma[:height, :width]
    diagonal = (even[::2, ::2] - even[::2, 1::2] - even[1::2, ::2] + even[1::2, 1::2]) / 2
    return float(np.median(np.abs(diagonal))) / 0.6745


def share_held(loud: float) -> float:
    """Share, in [0, 1], of the amplification of texture that a loudness rules out."""
    return float(np.clip((loud - _QUIET) / (_LOUD - _QUIET), 0, 1))


def held(luma: Plane, wanted: Plane, smooth: Plane) -> Plane:
    """Return the wanted luma with texture no louder than it was found.

    Args:
        luma: (H, W) as found.
        wanted: (H, W) after a curve.
        smooth: (H, W), `smoothed` luma after the same curve.

    Returns:
        (H, W) in [0, 1].
    """
    limit = np.abs(luma - smoothed(luma))
    texture = np.clip(wanted - smooth, -limit, limit)
    return np.asarray(np.clip(smooth + texture, 0, 1), np.float32)


def smoothed(luma: Plane) -> Plane:
    """Return (H, W) luma without its texture."""
    return np.asarray(cv2.GaussianBlur(luma, (0, 0), _SMOOTHING_PX), np.float32)
