"""Tears and missing corners: the print is gone there and the backing shows."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .fields import join, lay, paper_colour, smooth_field, smooth_lines
from .quantities import Fraction, Image, Mask, PerKilopixel, Pixels


def tears(
    image: Image,
    *,
    rng: np.random.Generator,
    count_per_kpx: PerKilopixel = 1.0,
    depth_px: Pixels = 60.0,
) -> tuple[Image, Mask]:
    """Tear bites out of the edges of the print.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1]; its edges are the print's edges.
        rng: source of all randomness.
        count_per_kpx: mean number of tears around a print of 1000 pixels a side.
        depth_px: typical depth of a tear.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    height, width = image.shape[:2]
    gone = np.zeros((height, width), np.float32)
    for _ in range(rng.poisson(count_per_kpx * (height + width) / 2000)):
        side = int(rng.integers(4))
        span = width if side % 2 == 0 else height
        depth = depth_px * rng.uniform(0.4, 1.3)
        away = np.abs(np.arange(span) - rng.uniform(0, span)) / (depth * rng.uniform(0.25, 1.2))
        bite = depth * np.clip(1 - away**1.4, 0, 1)
        profile = np.where(bite > 0, bite + _ragged(rng, span), 0)
        gone = np.maximum(gone, _from_side(profile, side, (height, width)))
    return _reveal(image, gone, rng)


def missing_corner(
    image: Image, *, rng: np.random.Generator, size: Fraction = 0.15
) -> tuple[Image, Mask]:
    """Break one corner off the print.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1]; its corners are the print's corners.
        rng: source of all randomness.
        size: length of the missing part along the shorter side, as a share of it.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    height, width = image.shape[:2]
    reach = size * min(height, width)
    along = reach * rng.uniform(0.6, 1.5)
    profile = reach * (1 - np.arange(width) / max(along, 1.0))
    profile = np.where(profile > 0, profile + _ragged(rng, width), 0)
    gone = _from_side(profile, 0, (height, width))
    turns = rng.random(2) < 0.5
    gone = gone[:: -1 if turns[0] else 1, :: -1 if turns[1] else 1]
    return _reveal(image, np.ascontiguousarray(gone), rng)


def _ragged(rng: np.random.Generator, span: int) -> NDArray[np.float32]:
    """Return the ragged part of an edge, in pixels."""
    coarse = 3 * smooth_lines(rng, 1, span, 18)[0]
    return np.asarray(coarse + 0.8 * smooth_lines(rng, 1, span, 3)[0], np.float32)


def _from_side(
    profile: NDArray[np.floating], side: int, shape: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the cover ``(H, W)`` of what lies within ``profile`` pixels of a side."""
    turned = shape if side % 2 == 0 else shape[::-1]
    depth = np.arange(turned[0], dtype=np.float32)[:, None]
    cover = np.clip(profile[None].astype(np.float32) - depth, 0, 1)
    return np.asarray(np.rot90(cover, side), np.float32)


def _reveal(
    image: Image, gone: NDArray[np.float32], rng: np.random.Generator
) -> tuple[Image, Mask]:
    """Show the backing where the print is gone, with a rim of torn paper around it."""
    shape = (image.shape[0], image.shape[1])
    mask = gone.astype(np.float32)
    if not mask.any():
        return image.copy(), mask
    reach = 2 * int(rng.integers(1, 4)) + 1
    around = cv2.dilate(mask, np.ones((reach, reach), np.uint8)).reshape(shape)
    frayed = np.clip(0.5 + smooth_field(rng, shape, 8, octaves=3), 0, 1)
    rim = np.asarray(around * frayed, np.float32)
    paper = paper_colour(rng, image)
    backing = paper if rng.random() < 0.75 else np.full(3, rng.uniform(0, 0.3), np.float32)
    fibres = np.float32(0.012) * smooth_field(rng, shape, 5, octaves=2)
    torn = np.clip(backing + fibres[..., None], 0, 1)
    return lay(lay(image, rim, paper), mask, torn), join(rim, mask)
