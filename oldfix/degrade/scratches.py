"""Scratches: single ones, faint hairlines, and bundles of parallel ones."""

from __future__ import annotations

import numpy as np

from .fields import join, lay, paper_colour, scatter
from .quantities import Fraction, Image, Mask, PerMegapixel, Pixels
from .strokes import Strokes, broken, draw, wander

_LONGEST = 900.0


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
    lengths = _lengths(rng, _count := _centres(rng, image, density))
    if not len(_count):
        return image.copy(), np.zeros(image.shape[:2], np.float32)
    count = len(_count)
    straight = rng.random(count) < 0.6
    bend = np.where(straight, rng.uniform(0, 0.15, count), rng.uniform(0.4, 2.5, count))
    x, y, along = wander(rng, _count, lengths, _angles(rng, count), bend)
    alpha = broken(rng, along, 60, rng.uniform(0.2, 0.9)) * rng.uniform(0.35, 1, (count, 1))
    half = width_px / 2 * np.exp(rng.normal(0, 0.35, (count, 1)))
    half = half * (0.6 + 0.4 * alpha)
    strokes = Strokes(x, y, half, alpha * opacity)
    return _scrape(image, strokes, rng.random(count) < 0.7, rng)


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
    centres = _centres(rng, image, density, reach=150)
    count = len(centres)
    if not count:
        return image.copy(), np.zeros(image.shape[:2], np.float32)
    lengths = np.exp(rng.uniform(np.log(15), np.log(300), count))
    angles = rng.uniform(0, np.pi) + rng.normal(0, 0.25, count)
    x, y, along = wander(rng, centres, lengths, angles, rng.uniform(0, 0.3, count))
    alpha = broken(rng, along, 40, 0.6) * rng.uniform(0.2, 1, (count, 1))
    half = rng.uniform(0.25, 0.6, (count, 1))
    return _scrape(image, Strokes(x, y, half, alpha * opacity), rng.random(count) < 0.7, rng)


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
    middles = _centres(rng, image, density)
    if not len(middles):
        return image.copy(), np.zeros(image.shape[:2], np.float32)
    members = rng.integers(3, 13, len(middles))
    owner = np.repeat(np.arange(len(middles)), members)
    count = len(owner)
    angles = _angles(rng, len(middles))[owner]
    apart = rng.normal(0, 1, count) * np.exp(rng.uniform(1, 3, len(middles)))[owner]
    slip = rng.normal(0, 15, count)
    away = np.stack([-np.sin(angles) * apart, np.cos(angles) * apart], 1)
    away += np.stack([np.cos(angles) * slip, np.sin(angles) * slip], 1)
    lengths = _lengths(rng, middles)[owner] * rng.uniform(0.4, 1, count)
    x, y, along = wander(rng, middles[owner] + away, lengths, angles, 0.06)
    alpha = broken(rng, along, 50, 0.7) * rng.uniform(0.25, 1, (count, 1))
    half = width_px / 2 * np.exp(rng.normal(0, 0.3, (count, 1)))
    bright = (rng.random(len(middles)) < 0.7)[owner]
    return _scrape(image, Strokes(x, y, half, alpha * opacity), bright, rng)


def _centres(
    rng: np.random.Generator, image: Image, density: float, reach: float = _LONGEST / 2
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return scatter(rng, (image.shape[0], image.shape[1]), density, reach)


def _lengths(
    rng: np.random.Generator, centres: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return lengths from 20 to 900 pixels, short ones far more frequent."""
    return 20 * (_LONGEST / 20) ** rng.beta(1.2, 2.2, len(centres))


def _angles(
    rng: np.random.Generator, count: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return headings in radians: half near the vertical, where film and sleeves slide."""
    free = rng.uniform(0, np.pi, count)
    return np.where(rng.random(count) < 0.4, rng.normal(np.pi / 2, 0.08, count), free)


def _scrape(
    image: Image,
    strokes: Strokes,
    bright: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    rng: np.random.Generator,
) -> tuple[Image, Mask]:
    """Lay the bright strokes in paper colour and the others in the colour of dirt."""
    shape = (image.shape[0], image.shape[1])
    softness = rng.uniform(1.0, 1.8)
    lit = np.where(bright[:, None], strokes.opacity, 0)
    light = draw(shape, Strokes(strokes.x, strokes.y, strokes.half_width, lit), softness)
    unlit = np.where(bright[:, None], 0, strokes.opacity)
    dark = draw(shape, Strokes(strokes.x, strokes.y, strokes.half_width, unlit), softness)
    damaged = lay(image, light, paper_colour(rng))
    return lay(damaged, dark, rng.uniform(0.02, 0.2)), join(light, dark)
