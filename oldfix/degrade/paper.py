"""The texture of photographic papers: silk, linen and honeycomb surfaces, or rough fibres."""

from __future__ import annotations

import numpy as np

from .fields import smooth_field
from .quantities import Fraction, Image, Levels, Pixels

_FLOOR_PX = 2.0


def paper_texture(
    image: Image,
    *,
    rng: np.random.Generator,
    period_px: Pixels = 4.0,
    amplitude: Levels = 5.0,
    regularity: Fraction = 0.7,
) -> Image:
    """Light the surface of a textured paper from one side, as a scanner's lamp does.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: draws the direction, the phase and the irregular part.
        period_px: distance between ridges, at least 2.
        amplitude: typical change of a mid-tone, in 8-bit levels.
        regularity: 1 is a pressed grid, 0 rough paper.
    """
    height, width = image.shape[:2]
    period, angle = max(period_px, _FLOOR_PX), rng.uniform(0, np.pi / 2)
    x = np.arange(width, dtype=np.float32)[None] * np.float32(2 * np.pi / period)
    y = np.arange(height, dtype=np.float32)[:, None] * np.float32(2 * np.pi / period)
    turn, phase = np.array([np.cos(angle), np.sin(angle)], np.float32), rng.uniform(0, 7, 2)
    ridges = np.cos(turn[0] * x + turn[1] * y + np.float32(phase[0]))
    ridges = ridges + np.cos(turn[0] * y - turn[1] * x + np.float32(phase[1]))
    rough = smooth_field(rng, (height, width), period, octaves=2)
    relief = np.float32(regularity) * ridges + np.float32(1 - regularity) * rough
    gain = 1 + np.float32(amplitude / 128) * relief
    return np.asarray(np.clip(image * gain[..., None], 0, 1), np.float32)
