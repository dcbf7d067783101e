"""Dust and hairs, on the negative (bright in the print) or on the glass and the print (dark)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fields import join, lay, scatter
from .quantities import Fraction, Image, Mask, PerMegapixel, Pixels
from .strokes import Lines, Strokes, draw, wander

_GRAINS = 7
_HAIR = 200.0


def dust(
    image: Image,
    *,
    rng: np.random.Generator,
    density: PerMegapixel = 300.0,
    radius_px: Pixels = 1.0,
    opacity: Fraction = 0.8,
) -> tuple[Image, Mask]:
    """Scatter specks of uneven shape, most of them small, some in swarms.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        density: mean number of specks in a megapixel.
        radius_px: typical radius; a few specks reach four times of it.
        opacity: opacity of the strongest specks.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    centres = _swarm(rng, scatter(rng, (image.shape[0], image.shape[1]), density, 5 * radius_px))
    count = len(centres)
    size = radius_px * np.exp(np.clip(rng.normal(-0.3, 0.55, (count, 1)), -2, 1.4))
    # A speck is a chain of small discs along a bent axis, so that no two have one outline.
    place = np.linspace(-1, 1, _GRAINS) * rng.uniform(0.1, 1.1, (count, 1))
    heading = rng.uniform(0, np.pi, (count, 1)) + rng.normal(0, 1.2, (count, 1)) * place
    jitter = rng.normal(0, 0.16, (2, count, _GRAINS)) * size
    x = centres[:, :1] + place * size * np.cos(heading) + jitter[0]
    y = centres[:, 1:] + place * size * np.sin(heading) + jitter[1]
    part = size * rng.uniform(0.25, 0.75, (count, _GRAINS))
    alpha = np.broadcast_to(opacity * rng.uniform(0.25, 1, (count, 1)), part.shape)
    return _soil(image, Strokes(x, y, part, alpha), rng)


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
    shape = (image.shape[0], image.shape[1])
    centres = scatter(rng, shape, density, _HAIR / 2)
    count = len(centres)
    lengths = np.exp(rng.uniform(np.log(15), np.log(_HAIR), count))
    angles, bend = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.5, 5, count)
    lines = Lines(centres, lengths, angles, bend).near(shape)
    if not len(lines):
        return image.copy(), np.zeros(shape, np.float32)
    x, y, along = wander(rng, lines)
    half = width_px / 2 * rng.uniform(0.6, 1.4, (len(lines), 1))
    alpha = np.where(along <= 1, opacity * rng.uniform(0.4, 1, (len(lines), 1)), 0)
    return _soil(image, Strokes(x, y, half, alpha), rng)


def _swarm(rng: np.random.Generator, centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the centres with a part of them moved close to one another."""
    count = len(centres)
    if count < 3:
        return centres
    leader = centres[rng.integers(0, max(count // 8, 1), count)]
    joins = rng.random((count, 1)) < rng.uniform(0, 0.6)
    spread = np.exp(rng.uniform(2, 4))
    return np.where(joins, leader + rng.normal(0, spread, (count, 2)), centres)


def _soil(image: Image, strokes: Strokes, rng: np.random.Generator) -> tuple[Image, Mask]:
    """Lay strokes over the image, each either light or dark, most of a picture alike."""
    shape = (image.shape[0], image.shape[1])
    x, y, half, alpha = np.broadcast_arrays(
        strokes.x, strokes.y, strokes.half_width, strokes.opacity
    )
    light = rng.random(len(x)) < rng.choice([0.05, 0.5, 0.95])
    softness, total, damaged = rng.uniform(1.0, 1.8), np.zeros(shape, np.float32), image
    for chosen, level in ((light, rng.uniform(0.8, 1)), (~light, rng.uniform(0, 0.25))):
        layer = draw(shape, Strokes(x[chosen], y[chosen], half[chosen], alpha[chosen]), softness)
        damaged, total = lay(damaged, layer, level), join(total, layer)
    return damaged, total
