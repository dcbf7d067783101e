"""Film grain."""

from __future__ import annotations

import cv2
import numpy as np

from .fields import normal
from .light import luma
from .quantities import Fraction, Image, Levels, Pixels


def grain(
    image: Image,
    *,
    rng: np.random.Generator,
    std: Levels = 8.0,
    size_px: Pixels = 0.8,
    colour: Fraction = 0.0,
) -> Image:
    """Add the grain of film: correlated noise, strongest in the mid-tones.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        std: standard deviation in the mid-tones, in 8-bit levels.
        size_px: deviation of the Gaussian that a grain is drawn with; 0 is white noise.
        colour: share of the noise that differs between the channels.

    The deviation follows ``4 L (1 - L)`` with a fifth left at black and white: a place that is
    wholly covered or wholly bare has no grain to see, and film is never quite either.
    """
    height, width = image.shape[:2]
    noise = _grains(rng, (height, width, 1), size_px)
    if colour > 0:
        own = _grains(rng, (height, width, 3), size_px)
        noise = np.float32(np.sqrt(1 - colour**2)) * noise + np.float32(colour) * own
    level = luma(image)
    amount = np.float32(std / 255) * (np.float32(0.2) + np.float32(3.2) * level * (1 - level))
    return np.clip(image + noise * amount[..., None], 0, 1)


def _grains(rng: np.random.Generator, shape: tuple[int, int, int], size_px: float) -> Image:
    """Return noise of unit deviation, correlated over ``size_px``."""
    noise = normal(rng, shape)
    if size_px < 0.2:
        return noise
    width = 2 * int(np.ceil(2.5 * size_px)) + 1
    kernel = cv2.getGaussianKernel(width, size_px, cv2.CV_32F)
    blurred = cv2.sepFilter2D(noise, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    return np.asarray(blurred / np.float32((kernel**2).sum()), np.float32).reshape(shape)
