"""Scratches: single ones, faint hairlines, and bundles of parallel ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .fields import join, lay, paper_colour, scatter
from .quantities import Fraction, Image, Mask, PerMegapixel, Pixels
from .strokes import Lines, Strokes, broken, draw, wander

_LONGEST = 900.0
_HAIRLINE = 300.0


def scratches(
    image: Image,
    *,
    rng: np.random.Generator,
    density: PerMegapixel = 20.0,
    width_px: Pixels = 1.5,
    opacity: Fraction = 0.8,
) -> tuple[Image, Mask]:
    """Scratch the emulsion, straight or curved, down to the paper (bright) or dirt (dark).

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        density: mean number of scratches in a megapixel.
        width_px: typical width; single scratches have half to twice of it.
        opacity: opacity of the strongest part of a scratch.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    shape = (image.shape[0], image.shape[1])
    centres = scatter(rng, shape, density, _LONGEST / 2)
    count = len(centres)
    straight = rng.random(count) < 0.6
    bend = np.where(straight, rng.uniform(0, 0.15, count), rng.uniform(0.4, 2.5, count))
    lines = Lines(centres, _lengths(rng, count), _angles(rng, count), bend).near(shape)
    return _scrape(image, lines, rng, (width_px, opacity))


def hairlines(
    image: Image,
    *,
    rng: np.random.Generator,
    density: PerMegapixel = 100.0,
    opacity: Fraction = 0.35,
) -> tuple[Image, Mask]:
    """Rub the surface: many faint, thin, nearly straight lines with one main direction.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        density: mean number of lines in a megapixel.
        opacity: opacity of the strongest lines.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    shape = (image.shape[0], image.shape[1])
    centres = scatter(rng, shape, density, _HAIRLINE / 2)
    count = len(centres)
    lengths = np.exp(rng.uniform(np.log(15), np.log(_HAIRLINE), count))
    angles = rng.uniform(0, np.pi) + rng.normal(0, 0.25, count)
    lines = Lines(centres, lengths, angles, rng.uniform(0, 0.3, count)).near(shape)
    return _scrape(image, lines, rng, (0.8, opacity))


def bundles(
    image: Image,
    *,
    rng: np.random.Generator,
    density: PerMegapixel = 4.0,
    width_px: Pixels = 1.0,
    opacity: Fraction = 0.6,
) -> tuple[Image, Mask]:
    """Drag grit over the surface: bundles of 3 to 12 parallel scratches.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        density: mean number of bundles in a megapixel.
        width_px: typical width of one scratch.
        opacity: opacity of the strongest part of a scratch.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    shape = (image.shape[0], image.shape[1])
    middles = scatter(rng, shape, density, _LONGEST / 2)
    owner = np.repeat(np.arange(len(middles)), rng.integers(3, 13, len(middles)))
    count = len(owner)
    angles = _angles(rng, len(middles))[owner]
    apart = rng.normal(0, 1, count) * np.exp(rng.uniform(1, 3, len(middles)))[owner]
    slip = rng.normal(0, 15, count)
    away = np.stack([-np.sin(angles) * apart, np.cos(angles) * apart], 1)
    away += np.stack([np.cos(angles) * slip, np.sin(angles) * slip], 1)
    lengths = _lengths(rng, len(middles))[owner] * rng.uniform(0.4, 1, count)
    lines = Lines(middles[owner] + away, lengths, angles, np.full(count, 0.06)).near(shape)
    return _scrape(image, lines, rng, (width_px, opacity), rng.random() < 0.7)


def _lengths(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return lengths from 20 to 900 pixels, short ones far more frequent."""
    return 20 * (_LONGEST / 20) ** rng.beta(1.2, 2.2, count)


def _angles(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Return headings in radians, many near the vertical, where film and sleeves slide."""
    free = rng.uniform(0, np.pi, count)
    return np.where(rng.random(count) < 0.4, rng.normal(np.pi / 2, 0.08, count), free)


def _scrape(
    image: Image,
    lines: Lines,
    rng: np.random.Generator,
    size: tuple[float, float],
    alike: bool | None = None,
) -> tuple[Image, Mask]:
    """Lay bright lines in the colour of paper and dark ones in that of dirt.

    ``size`` is the typical width and the opacity; ``alike`` makes all lines bright or all dark.
    """
    shape = (image.shape[0], image.shape[1])
    count = len(lines)
    if not count:
        return image.copy(), np.zeros(shape, np.float32)
    x, y, along = wander(rng, lines)
    alpha = broken(rng, along, 60, rng.uniform(0.2, 0.9)) * _column(rng.uniform(0.3, 1, count))
    half = size[0] / 2 * _column(np.exp(rng.normal(0, 0.35, count))) * (0.6 + 0.4 * alpha)
    bright = rng.random(count) < 0.7 if alike is None else np.full(count, alike)
    softness, total, damaged = rng.uniform(1.0, 1.8), np.zeros(shape, np.float32), image
    for chosen, colour in ((bright, paper_colour(rng, image)), (~bright, rng.uniform(0.02, 0.2))):
        strokes = Strokes(x[chosen], y[chosen], half[chosen], size[1] * alpha[chosen])
        layer = draw(shape, strokes, softness)
        damaged, total = lay(damaged, layer, colour), join(total, layer)
    return damaged, total


def _column(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values[:, None].astype(np.float32)
