"""Uneven light: vignettes, and brightness that drifts over a print."""

from __future__ import annotations

import numpy as np

from .fields import smooth_field
from .quantities import Fraction, Image, Pixels


def vignette(image: Image, *, rng: np.random.Generator, strength: Fraction = 0.3) -> Image:
    """Darken the corners: ``1 - strength r^2``, with r = 1 in the farthest corner.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: draws the centre, near the middle.
        strength: what a corner loses.
    """
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32) + np.float32(rng.normal(0, 0.1))
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] + np.float32(rng.normal(0, 0.1))
    away = np.minimum((x * x + y * y) / 2, 1)
    return image * (1 - np.float32(strength) * away)[..., None]


def uneven(
    image: Image,
    *,
    rng: np.random.Generator,
    strength: Fraction = 0.2,
    scale_px: Pixels = 300.0,
) -> Image:
    """Let fading drift over the print: some places are lighter or darker than others.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        strength: typical relative change of brightness.
        scale_px: distance between light and dark places.
    """
    drift = smooth_field(rng, (image.shape[0], image.shape[1]), scale_px)
    return np.clip(image * (1 + np.float32(strength) * drift)[..., None], 0, 1)
