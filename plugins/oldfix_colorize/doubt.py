"""How far to believe colours that no reference vouches for.

Where the network does not know a place it answers with the reddish mean of what it was shown, and
sky, fog and walls get patches of red and orange. Such a guess gives itself away: its distribution
over colours is broad, or there is nothing at the place to tell its colour by.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix_colorize.chroma import resized

Array = NDArray[np.float32]

#: Entropy in nats from which a warm colour is doubted: of a pure red, and of the orange of skin
#: or anything yellower. Skin in photographs of today is at 2.2, in old ones at 2.4 to 2.6.
_RED_ENTROPY, _SKIN_ENTROPY, _ENTROPY_WIDTH = 2.25, 2.62, 0.06
_RED_HUE, _SKIN_HUE = 46.0, 55.0
#: Gradient of L* for each pixel of the small chroma, over a range of 90, below which a place is
#: flat. A face with its features has 8 to 12, a wall or a sky 2 to 6.
_FLAT_GRADIENT, _FLAT_WIDTH = 5.5, 0.8
_SHADES = 90.0
_LEAST_RANGE = 10.0
#: Deviation of the blurs, in pixels of the small chroma: of entropy, and of the gradient's square,
#: wide enough for a cheek to have part in eyes and mouth.
_ENTROPY_BLUR, _GRADIENT_BLUR = 1.5, 4.0
#: Hue angles in degrees; at each how far a colour is warm, and how far yellow or green.
_HUES = (59.0, 75.0, 222.0, 238.0, 325.0, 341.0)
_WARM = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0)
_YELLOW_GREEN = (0.0, 1.0, 1.0, 0.0, 0.0, 0.0)
#: What is left of a warm colour that is wholly doubted.
_LEFT = 0.2
#: Pale yellow and green are paler than the truth, and seldom where they do not belong: the factor
#: that they get, up to the first chroma, and the chroma from which they get none.
_PALE_STRENGTH, _PALE_CHROMA, _FULL_CHROMA = 1.95, 8.0, 18.0


def strength(chroma: Array, entropy: Array, light: Array) -> Array:
    """Return what to multiply chroma by: warm colours are weakened the more they are doubted.

    Pale yellow and green are strengthened. Blue stays: the network gives it seldom, and to skies.

    Args:
        chroma: (h, w, 2) predicted a* and b*, at half the size the network works at.
        entropy: (h, w) of the distribution over colours, in nats.
        light: (H, W) L* of the photograph at any size.

    Returns:
        (h, w) float32, between 0.2 and 1.95.
    """
    hue = np.degrees(np.arctan2(chroma[..., 1], chroma[..., 0]))
    redness = np.clip((_SKIN_HUE - hue) / (_SKIN_HUE - _RED_HUE), 0, 1)
    limit = _SKIN_ENTROPY + (_RED_ENTROPY - _SKIN_ENTROPY) * redness
    unsure = _step((_blurred(entropy, _ENTROPY_BLUR) - limit) / _ENTROPY_WIDTH)
    flat = _step((_FLAT_GRADIENT - _detail(resized(light, entropy.shape))) / _FLAT_WIDTH)
    doubted = 1 - (1 - unsure) * (1 - flat)
    warm = np.interp(hue, _HUES, _WARM, period=360)
    saturated = np.hypot(chroma[..., 0], chroma[..., 1])
    pale = np.clip((_FULL_CHROMA - saturated) / (_FULL_CHROMA - _PALE_CHROMA), 0, 1)
    pale = pale * np.interp(hue, _HUES, _YELLOW_GREEN, period=360)
    weakened = 1 - (1 - _LEFT) * doubted * warm
    return np.asarray(weakened * (1 + (_PALE_STRENGTH - 1) * pale), np.float32)


def _detail(light: Array) -> Array:
    """Return the root mean square gradient of L* around every pixel, as if its range were 90."""
    darkest, lightest = np.percentile(light, [1, 99])
    right, down = (cv2.Sobel(light, -1, *axis, scale=1 / 8) for axis in ((1, 0), (0, 1)))
    squared = np.asarray(right * right + down * down, np.float32)
    scale = _SHADES / max(float(lightest - darkest), _LEAST_RANGE)
    return np.asarray(scale * np.sqrt(_blurred(squared, _GRADIENT_BLUR)), np.float32)


def _blurred(plane: NDArray[np.floating], deviation: float) -> Array:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), deviation), np.float32)


def _step(x: NDArray[np.floating]) -> Array:
    """Return the logistic function, from 0 far below zero to 1 far above."""
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), np.float32)
