"""Halftone screens of printed photographs."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .light import luma
from .quantities import Angle, Fraction, Image, Pixels

_FLOOR_PX = 2.0
_INK = 0.08
_WHITE = 0.95
#: Customary angles of the cyan, magenta and yellow screens, in degrees.
_ROSETTE = (15.0, 75.0, 0.0)


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
    printed = _print(level, rng, period_px, angle_deg)
    change = np.asarray(cv2.merge([printed - level] * 3)).reshape(image.shape)
    return np.asarray(np.clip(image + np.float32(mix) * change, 0, 1), np.float32)


def rosette(
    image: Image,
    *,
    rng: np.random.Generator,
    period_px: Pixels = 4.0,
    mix: Fraction = 0.6,
) -> Image:
    """Print in colour: one screen for each ink, turned against each other into rosettes.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: draws the phases of the screens and the tilt of the whole.
        period_px: distance between dots, at least 2.
        mix: share of the screened picture; the rest stays as it was, as under a soft scan.
    """
    tilt = rng.uniform(-3, 3)
    planes = [
        _print(image[..., channel], rng, period_px, angle + tilt)
        for channel, angle in enumerate(_ROSETTE)
    ]
    printed = np.asarray(cv2.merge(planes)).reshape(image.shape)
    return np.asarray(np.clip(image + np.float32(mix) * (printed - image), 0, 1), np.float32)


def _print(
    level: NDArray[np.float32], rng: np.random.Generator, period_px: float, angle_deg: float
) -> NDArray[np.float32]:
    """Return one ink's print ``(H, W)`` of a plane: ink where the screen exceeds the level."""
    angle, period = np.deg2rad(angle_deg), max(period_px, _FLOOR_PX)
    phase = rng.uniform(0, 2 * np.pi, 2).astype(np.float32)
    x = np.arange(level.shape[1], dtype=np.float32)[None] * np.float32(2 * np.pi / period)
    y = np.arange(level.shape[0], dtype=np.float32)[:, None] * np.float32(2 * np.pi / period)
    turn = np.array([np.cos(angle), np.sin(angle)], np.float32)
    screen = np.cos(turn[0] * x + turn[1] * y + phase[0])
    screen = screen + np.cos(turn[0] * y - turn[1] * x + phase[1])
    screen = screen / 4 + np.float32(0.5)
    # The slope lets a dot's edge span about a pixel, whatever the period.
    paper = np.clip((level - screen) * np.float32(period / 2) + np.float32(0.5), 0, 1)
    return np.asarray(np.float32(_INK) + np.float32(_WHITE - _INK) * paper, np.float32)
