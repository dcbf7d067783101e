"""Stains and foxing: where water stood and where fungus or iron browned the paper."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fields import is_grey, join, scatter, smooth_field
from .quantities import Fraction, Image, Mask, PerMegapixel, Pixels

_FAINTEST = 0.01


def stains(
    image: Image,
    *,
    rng: np.random.Generator,
    density: PerMegapixel = 4.0,
    radius_px: Pixels = 60.0,
    opacity: Fraction = 0.3,
) -> tuple[Image, Mask]:
    """Stain the print with liquid: uneven patches with a darker tide line.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        density: mean number of stains in a megapixel.
        radius_px: typical radius; single stains have half to twice of it.
        opacity: opacity of the strongest tide line.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    return _blots(image, rng, (density, radius_px, opacity), rim=rng.uniform(0.3, 1))


def foxing(
    image: Image,
    *,
    rng: np.random.Generator,
    density: PerMegapixel = 60.0,
    radius_px: Pixels = 4.0,
    opacity: Fraction = 0.4,
) -> tuple[Image, Mask]:
    """Brown the paper in soft round spots.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        density: mean number of spots in a megapixel.
        radius_px: typical radius; single spots have half to twice of it.
        opacity: opacity of the strongest spots.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    return _blots(image, rng, (density, radius_px, opacity), rim=0.0)


def _blots(
    image: Image, rng: np.random.Generator, amounts: tuple[float, float, float], rim: float
) -> tuple[Image, Mask]:
    """Multiply blots of one tint into the image; ``rim`` moves their weight to the edge."""
    density, radius_px, opacity = amounts
    height, width = image.shape[:2]
    total = np.zeros((height, width), np.float32)
    tint = _tint(rng, image)
    damaged = image.copy()
    for x, y in scatter(rng, (height, width), density, 2.5 * radius_px):
        radius = radius_px * np.exp(np.clip(rng.normal(0, 0.4), -1, 1))
        reach = int(2 * radius) + 2
        rows = slice(max(int(y) - reach, 0), min(int(y) + reach + 1, height))
        columns = slice(max(int(x) - reach, 0), min(int(x) + reach + 1, width))
        if rows.stop <= rows.start or columns.stop <= columns.start:
            continue
        across = np.arange(columns.start, columns.stop, dtype=np.float32) - np.float32(x)
        down = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - np.float32(y)
        strength = opacity * rng.uniform(0.3, 1)
        away = np.asarray(np.hypot(across, down) / radius, np.float32)
        blot = _blot(rng, away, radius, rim)
        blot = np.where(blot * strength < _FAINTEST, 0, blot * np.float32(strength))
        here = damaged[rows, columns]
        damaged[rows, columns] = here + blot[..., None] * (here * tint - here)
        total[rows, columns] = join(total[rows, columns], blot)
    return damaged, total


def _blot(
    rng: np.random.Generator, distance: NDArray[np.float32], radius: float, rim: float
) -> NDArray[np.float32]:
    """Return the strength in [0, 1] of one blot from distances in units of its radius."""
    shape = (distance.shape[0], distance.shape[1])
    ragged = distance + np.float32(0.16) * smooth_field(rng, shape, max(radius * 0.7, 2), octaves=3)
    edge = max(0.06 if rim else 0.5, 1.2 / radius)
    inside = np.clip((1 - ragged) / np.float32(edge) + 0.5, 0, 1)
    tide = np.exp(-(((1 - ragged) / np.float32(max(0.08, 1.2 / radius))) ** 2)) * (inside > 0)
    return np.asarray(np.maximum(inside * np.float32(1 - 0.75 * rim), tide * np.float32(rim)))


def _tint(rng: np.random.Generator, image: Image) -> NDArray[np.float32]:
    """Return a brown that multiplies, or a grey for a grey image: ``(3,)`` float32."""
    depth = rng.uniform(0.3, 0.8)
    absorbed = np.full(3, 0.6) if is_grey(image) else np.array([0.35, 0.62, 1.0])
    return (1 - depth * absorbed).astype(np.float32)
