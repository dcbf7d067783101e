"""Lost emulsion: cracks with ragged edges, and flakes, both showing the paper."""

from __future__ import annotations

import numpy as np

from .fields import join, lay, paper_colour, relief, scatter, smooth_field, smooth_lines
from .quantities import Fraction, Image, Mask, PerMegapixel, Pixels
from .strokes import Lines, Strokes, broken, draw, wander

_LONGEST = 400.0
_FAINTEST = 0.01


def cracks(
    image: Image,
    *,
    rng: np.random.Generator,
    density: PerMegapixel = 6.0,
    width_px: Pixels = 1.5,
    opacity: Fraction = 0.9,
) -> tuple[Image, Mask]:
    """Crack the emulsion: jagged lines of very uneven width, some with branches.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        density: mean number of cracks in a megapixel.
        width_px: typical width; where flakes broke off it is up to four times of it.
        opacity: opacity where the emulsion is gone.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    shape = (image.shape[0], image.shape[1])
    centres = scatter(rng, shape, density, _LONGEST / 2)
    owner = np.repeat(np.arange(len(centres)), rng.choice([1, 1, 1, 2], len(centres)))
    count = len(owner)
    lengths = np.exp(rng.uniform(np.log(12), np.log(_LONGEST), len(centres)))[owner]
    lengths = lengths * rng.uniform(0.5, 1, count)
    angles = rng.uniform(0, np.pi, len(centres))[owner] + rng.normal(0, 0.5, count)
    lines = Lines(centres[owner], lengths, angles, rng.uniform(0, 1, count)).near(shape)
    if not len(lines):
        return image.copy(), np.zeros(shape, np.float32)
    x, y, along = wander(rng, lines, jag=0.38)
    alpha = broken(rng, along, 25, rng.uniform(0.2, 0.8))
    flaked = np.clip(smooth_lines(rng, len(lines), along.shape[1], 5), 0, 2.5)
    half = width_px / 2 * (0.5 + flaked * rng.uniform(0.2, 1.2, (len(lines), 1)))
    sharp = np.clip(3 * alpha, 0, 1) * opacity
    mask = draw(shape, Strokes(x, y, half, sharp), rng.uniform(1.0, 1.5))
    return _bare(rng, image, mask)


def flakes(
    image: Image,
    *,
    rng: np.random.Generator,
    density: PerMegapixel = 8.0,
    radius_px: Pixels = 5.0,
    opacity: Fraction = 0.95,
) -> tuple[Image, Mask]:
    """Flake the emulsion off in patches of ragged outline.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness.
        density: mean number of patches in a megapixel.
        radius_px: typical radius; single patches have a third to three times of it.
        opacity: opacity where the emulsion is gone.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.float32)
    for x, y in scatter(rng, (height, width), density, 4 * radius_px):
        radius = radius_px * np.exp(np.clip(rng.normal(0, 0.5), -1.1, 1.1))
        _flake(rng, mask, (x, y), radius)
    mask *= np.float32(opacity)
    mask[mask < _FAINTEST] = 0
    return _bare(rng, image, mask)


def _bare(rng: np.random.Generator, image: Image, mask: Mask) -> tuple[Image, Mask]:
    """Show uneven paper where the mask says the emulsion is gone, its rim shaded."""
    if not mask.any():
        return image.copy(), mask
    damaged, shade = relief(rng, image, mask)
    fibres = smooth_field(rng, (mask.shape[0], mask.shape[1]), 3, octaves=2)
    unevenness = np.float32(rng.uniform(0, 0.07)) * fibres[..., None]
    paper = np.clip(paper_colour(rng, image) + unevenness, 0, 1)
    return lay(damaged, mask, paper), join(mask, shade)


def _flake(
    rng: np.random.Generator, mask: Mask, centre: tuple[float, float], radius: float
) -> None:
    """Draw one patch into the mask: a tilted ellipse whose edge is broken by noise."""
    reach = int(2.5 * radius) + 2
    left, top = int(centre[0]) - reach, int(centre[1]) - reach
    rows = slice(max(top, 0), max(top + 2 * reach + 1, 0))
    columns = slice(max(left, 0), max(left + 2 * reach + 1, 0))
    part = mask[rows, columns]
    if not part.size:
        return
    x = np.arange(part.shape[1], dtype=np.float32) + np.float32(columns.start - centre[0])
    y = np.arange(part.shape[0], dtype=np.float32)[:, None] + np.float32(rows.start - centre[1])
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(1, 2.5)
    across = (np.cos(angle) * x + np.sin(angle) * y) / stretch
    down = (np.cos(angle) * y - np.sin(angle) * x) * np.sqrt(stretch)
    shape = (part.shape[0], part.shape[1])
    ragged = 0.35 * radius * smooth_field(rng, shape, max(0.8 * radius, 2.0), octaves=3)
    cover = np.clip((radius - np.hypot(across, down) + ragged) / 1.3 + 0.5, 0, 1)
    np.maximum(part, cover, out=part, casting="same_kind")
