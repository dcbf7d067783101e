"""Dust and hairs, on the negative (bright in the print) or on the glass and the print (dark)."""

from __future__ import annotations

import numpy as np

from .fields import join, lay, scatter
from .quantities import Fraction, Image, Mask, PerMegapixel, Pixels
from .strokes import Strokes, draw, wander

_GRAINS = 4


def dust(
    image: Image,
    *,
    rng: np.random.Generator,
    density: PerMegapixel = 300.0,
    radius_px: Pixels = 1.0,
    opacity: Fraction = 0.8,
) -> tuple[Image, Mask]:
    """Scatter specks of uneven shape, most of them small.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        density: mean number of specks in a megapixel.
        radius_px: typical radius; a few specks reach four times of it.
        opacity: opacity of the strongest specks.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    reach = 5 * radius_px
    centres = scatter(rng, (image.shape[0], image.shape[1]), density, reach)
    count = len(centres)
    size = radius_px * np.exp(np.minimum(rng.normal(-0.2, 0.55, (count, 1)), 1.4))
    # A speck is a clump of discs, so that no two have the same outline.
    away = rng.normal(0, 0.6, (2, count, _GRAINS)) * size
    part = size * rng.uniform(0.35, 0.9, (count, _GRAINS))
    alpha = np.broadcast_to(opacity * rng.uniform(0.3, 1, (count, 1)), part.shape)
    strokes = Strokes(centres[:, :1] + away[0], centres[:, 1:] + away[1], part, alpha)
    return _soil(image, strokes, rng)


def hairs(
    image: Image,
    *,
    rng: np.random.Generator,
    density: PerMegapixel = 6.0,
    width_px: Pixels = 1.3,
    opacity: Fraction = 0.8,
) -> tuple[Image, Mask]:
    """Drop hairs and fibres: curled lines of even width, 15 to 200 pixels long.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        density: mean number of hairs in a megapixel.
        width_px: typical width.
        opacity: opacity of the strongest hairs.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    centres = scatter(rng, (image.shape[0], image.shape[1]), density, 100)
    count = len(centres)
    if not count:
        return image.copy(), np.zeros(image.shape[:2], np.float32)
    lengths = np.exp(rng.uniform(np.log(15), np.log(200), count))
    angles, bend = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.5, 5, count)
    x, y, along = wander(rng, centres, lengths, angles, bend)
    half = width_px / 2 * rng.uniform(0.6, 1.4, (count, 1))
    alpha = np.where(along <= 1, opacity * rng.uniform(0.4, 1, (count, 1)), 0)
    return _soil(image, Strokes(x, y, half, alpha), rng)


def _soil(image: Image, strokes: Strokes, rng: np.random.Generator) -> tuple[Image, Mask]:
    """Lay strokes over the image, each either light or dark, most of a picture alike."""
    shape = (image.shape[0], image.shape[1])
    light = rng.random((len(strokes.x), 1)) < rng.choice([0.05, 0.5, 0.95])
    softness = rng.uniform(1.0, 1.8)
    total, damaged = np.zeros(shape, np.float32), image
    for chosen, level in ((light, rng.uniform(0.8, 1)), (~light, rng.uniform(0, 0.25))):
        alpha = np.where(chosen, strokes.opacity, 0)
        layer = draw(shape, Strokes(strokes.x, strokes.y, strokes.half_width, alpha), softness)
        damaged, total = lay(damaged, layer, level), join(total, layer)
    return damaged, total
