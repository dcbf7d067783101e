"""Noise of sensors and scanners."""

from __future__ import annotations

import numpy as np

from .fields import normal, smooth_lines
from .quantities import Fraction, Image, Levels


def gaussian_noise(
    image: Image, *, rng: np.random.Generator, std: Levels = 10.0, colour: Fraction = 1.0
) -> Image:
    """Add white Gaussian noise to the encoded values.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        std: standard deviation in 8-bit levels, before values are clipped to [0, 1].
        colour: 1 gives every channel its own noise, 0 all the same.
    """
    noise = normal(rng, (*image.shape[:2], 3 if colour > 0 else 1))
    if 0 < colour < 1:
        shared = normal(rng, (*image.shape[:2], 1))
        noise = np.float32(np.sqrt(1 - colour**2)) * shared + np.float32(colour) * noise
    return np.clip(image + np.float32(std / 255) * noise, 0, 1)


def sensor_noise(
    image: Image, *, rng: np.random.Generator, shot: Levels = 6.0, read: Levels = 2.0
) -> Image:
    """Add the noise of a sensor: shot noise that grows with the signal, and read noise.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        shot: deviation of the shot noise at white, in 8-bit levels.
        read: deviation of the read noise, in 8-bit levels.
    """
    noise = normal(rng, image.shape)
    variance = np.float32((shot / 255) ** 2) * image + np.float32((read / 255) ** 2)
    return np.asarray(np.clip(image + np.sqrt(variance) * noise, 0, 1), np.float32)


def speckle(image: Image, *, rng: np.random.Generator, std: Levels = 15.0) -> Image:
    """Multiply by noise: ``image * (1 + n)``, n of deviation ``std / 255``, per channel."""
    noise = normal(rng, image.shape)
    return np.clip(image * (1 + np.float32(std / 255) * noise), 0, 1)


def banding(image: Image, *, rng: np.random.Generator, std: Levels = 2.0) -> Image:
    """Stripe the picture as a scanner with uneven sensor cells does.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: draws the stripes and whether they run down or across.
        std: standard deviation of the stripes, in 8-bit levels.
    """
    upright = rng.random() < 0.5
    count = image.shape[1] if upright else image.shape[0]
    stripes = smooth_lines(rng, 1, count, 12)[0] + np.float32(0.5) * normal(rng, (count,))
    stripes = stripes * np.float32(std / 255)
    offset = stripes[None, :, None] if upright else stripes[:, None, None]
    return np.asarray(np.clip(image + offset, 0, 1), np.float32)
