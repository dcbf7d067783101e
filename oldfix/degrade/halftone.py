"""Halftone screens of printed photographs."""

from __future__ import annotations

import cv2
import numpy as np

from .light import luma
from .quantities import Angle, Fraction, Image, Pixels

_FLOOR_PX = 2.0


def halftone(
    image: Image,
    *,
    rng: np.random.Generator,
    period_px: Pixels = 4.0,
    angle_deg: Angle = 45.0,
    mix: Fraction = 0.6,
) -> Image:
    """Print through a screen of dots, as newspapers and books do, in black ink.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: draws the phase of the screen.
        period_px: distance between dots, at least 2.
        angle_deg: direction of the screen.
        mix: share of the screened picture; the rest stays as it was, as under a soft scan.
    """
    level = luma(image)
    angle, period = np.deg2rad(angle_deg), max(period_px, _FLOOR_PX)
    phase = rng.uniform(0, 2 * np.pi, 2).astype(np.float32)
    x = np.arange(image.shape[1], dtype=np.float32)[None] * np.float32(2 * np.pi / period)
    y = np.arange(image.shape[0], dtype=np.float32)[:, None] * np.float32(2 * np.pi / period)
    first = np.cos(np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y + phase[0])
    second = np.cos(np.float32(np.cos(angle)) * y - np.float32(np.sin(angle)) * x + phase[1])
    screen = (first + second) / 4 + 0.5
    # The slope lets a dot's edge span about a pixel, whatever the period.
    printed = np.clip((level - screen) * np.float32(period / 2) + 0.5, 0, 1).astype(np.float32)
    printed = np.asarray(cv2.merge([printed] * 3)).reshape(image.shape)
    ink = 0.08 + 0.87 * printed
    return np.clip(image + np.float32(mix) * (ink - level[..., None]), 0, 1)
