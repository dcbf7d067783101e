"""Marks of hands and of damp: fingerprints and mould."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from .fields import is_grey, lay, scatter, smooth_field
from .quantities import Fraction, Image, Mask, PerMegapixel, Pixels

_FAINTEST = 0.01


def fingerprints(
    image: Image,
    *,
    rng: np.random.Generator,
    density: PerMegapixel = 2.0,
    radius_px: Pixels = 60.0,
    opacity: Fraction = 0.25,
) -> tuple[Image, Mask]:
    """Touch the print: patches of warped concentric ridges, paler or darker than the picture.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        density: mean number of fingerprints in a megapixel.
        radius_px: half of the length of a print; its ridges are a fourteenth of that apart.
        opacity: opacity of the strongest ridges.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.float32)
    reach = int(radius_px) + 2
    for x, y in scatter(rng, (height, width), density, reach):
        rows = slice(max(int(y) - reach, 0), max(int(y) + reach + 1, 0))
        columns = slice(max(int(x) - reach, 0), max(int(x) + reach + 1, 0))
        part = mask[rows, columns]
        if part.size:
            across = np.arange(part.shape[1], dtype=np.float32) + np.float32(columns.start - x)
            down = np.arange(part.shape[0], dtype=np.float32)[:, None]
            ridges = _ridges(rng, across, down + np.float32(rows.start - y), radius_px)
            np.maximum(part, ridges * np.float32(opacity * rng.uniform(0.4, 1)), out=part)
    mask[mask < _FAINTEST] = 0
    return lay(image, mask, float(rng.choice([0.1, 0.9]))), mask


def _ridges(
    rng: np.random.Generator, x: NDArray[np.float32], y: NDArray[np.float32], radius: float
) -> NDArray[np.float32]:
    """Return the strength in [0, 1] of one print's ridges at offsets from its centre."""
    angle = rng.uniform(0, np.pi)
    along = np.cos(angle) * x + np.sin(angle) * y
    across = (np.cos(angle) * y - np.sin(angle) * x) * 1.45
    away = np.hypot(along, across) / max(radius, 1.0)
    shape = (away.shape[0], away.shape[1])
    warp = smooth_field(rng, shape, max(radius * 0.5, 2))
    waves = 0.5 + 0.5 * np.cos(2 * np.pi * (14 * np.hypot(away, 0.2) + 0.9 * warp))
    pressed = np.clip(0.7 + 0.5 * smooth_field(rng, shape, max(radius * 0.3, 2), octaves=2), 0, 1)
    return np.asarray(waves * pressed * np.clip((1 - away) * 4, 0, 1), np.float32)


def mould(
    image: Image,
    *,
    rng: np.random.Generator,
    cover: Fraction = 0.05,
    spot_px: Pixels = 4.0,
    opacity: Fraction = 0.6,
) -> tuple[Image, Mask]:
    """Let mould grow: colonies of fine dark or whitish specks.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        cover: mean share of the picture within colonies, at most about a half.
        spot_px: size of a speck; colonies are some thirty times as large.
        opacity: opacity of the strongest specks.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    shape = (image.shape[0], image.shape[1])
    if cover <= 0:
        return image.copy(), np.zeros(shape, np.float32)
    colonies = smooth_field(rng, shape, max(30 * spot_px, 4), octaves=2)
    # Where a normal field exceeds its quantile of the wanted share.
    edge = float(ndtri(1 - min(cover, 0.5)))
    specks = smooth_field(rng, shape, max(spot_px, 1.5), octaves=2)
    grown = np.clip((colonies - edge) * 3, 0, 1) * np.clip((specks - 0.2) * 0.9, 0, 1)
    mask = np.asarray(grown * np.float32(opacity), np.float32)
    mask[mask < _FAINTEST] = 0
    level = rng.choice([rng.uniform(0.05, 0.25), rng.uniform(0.7, 0.9)])
    tint = np.ones(3) if is_grey(image) else np.array([1.0, 1.0, 0.85])
    return lay(image, mask, (level * tint).astype(np.float32)), mask
