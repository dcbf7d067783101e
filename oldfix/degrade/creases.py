"""Creases and folds: a cracked line across the print, lit from one side."""

from __future__ import annotations

import numpy as np

from .fields import join, lay, paper_colour, smooth_field, smooth_lines
from .quantities import Fraction, Image, Mask, PerKilopixel, Pixels

_FAINTEST = 0.01


def creases(
    image: Image,
    *,
    rng: np.random.Generator,
    count_per_kpx: PerKilopixel = 1.0,
    width_px: Pixels = 2.0,
    opacity: Fraction = 0.8,
) -> tuple[Image, Mask]:
    """Fold the print: each crease is a line right across, its emulsion cracked, its sides lit.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        count_per_kpx: mean number of creases across a square of 1000 pixels a side.
        width_px: typical width of the cracked core.
        opacity: opacity of the core where it is whole.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage; the lit sides count with the
        strength of their shading.
    """
    damaged = image.copy()
    total = np.zeros(image.shape[:2], np.float32)
    side = (image.shape[0] + image.shape[1]) / 2
    for _ in range(rng.poisson(count_per_kpx * side / 1000)):
        core, shade = _one_crease(rng, image.shape[:2], width_px)
        strength = np.abs(shade)
        damaged = lay(damaged, strength, np.where(shade > 0, 1.0, 0.0)[..., None])
        core *= np.float32(opacity)
        damaged = lay(damaged, core, paper_colour(rng, image))
        total = join(join(total, strength), core)
    return damaged, total


def _one_crease(
    rng: np.random.Generator, shape: tuple[int, ...], width_px: float
) -> tuple[Mask, Mask]:
    """Return the opacity of one crease's core, and the shading beside it in [-1, 1]."""
    away = _distance(rng, (shape[0], shape[1]))
    cracks = smooth_field(rng, (shape[0], shape[1]), 24, octaves=3)
    whole = np.clip(2 * (rng.uniform(-0.2, 1.0) + 0.6 * cracks), 0, 1)
    chipped = np.clip(smooth_field(rng, (shape[0], shape[1]), 9, octaves=2), 0, 2.5)
    half = width_px / 2 * rng.uniform(0.5, 1.3) * (0.6 + rng.uniform(0, 1) * chipped)
    core = np.clip((half - np.abs(away)) / 1.3 + 0.5, 0, 1) * whole
    reach = rng.uniform(3, 12)
    slope = np.exp(-np.abs(away) / reach) * np.tanh(away / 1.5)
    shade = np.float32(rng.uniform(0.03, 0.16) * rng.choice([-1, 1])) * slope
    shade = np.where(np.abs(shade) < _FAINTEST, 0, shade)
    return core.astype(np.float32), shade.astype(np.float32)


def _distance(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    """Return the signed distance ``(H, W)`` in pixels from a slightly wandering line."""
    height, width = shape
    angle = float(rng.choice([0, np.pi / 2])) + rng.normal(0, 0.12)
    if rng.random() < 0.3:
        angle = rng.uniform(0, np.pi)
    across = np.array([np.cos(angle), np.sin(angle)], np.float32)
    along = np.array([-np.sin(angle), np.cos(angle)], np.float32)
    x = np.arange(width, dtype=np.float32)[None] - np.float32(rng.uniform(0, width))
    y = np.arange(height, dtype=np.float32)[:, None] - np.float32(rng.uniform(0, height))
    reach = height + width
    wobble = smooth_lines(rng, 1, 2 * reach + 2, 160)[0] * np.float32(rng.uniform(0, 3))
    wobble += smooth_lines(rng, 1, 2 * reach + 2, 14)[0] * np.float32(rng.uniform(0.2, 1.0))
    place = (along[0] * x + along[1] * y + reach).astype(np.intp)
    return np.asarray(across[0] * x + across[1] * y + wobble[place], np.float32)
