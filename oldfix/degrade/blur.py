"""Blur and low resolution, all in linear light."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .light import to_linear, to_srgb
from .quantities import Angle, Gain, Image, Pixels, Ratio

_SHARP = 0.05


def lens_blur(
    image: Image,
    *,
    rng: np.random.Generator,
    sigma_px: Pixels = 1.0,
    stretch: Ratio = 1.0,
) -> Image:
    """Blur with a Gaussian, as a soft lens or an enlarger does.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: draws the direction of the longer axis.
        sigma_px: deviation along the longer axis.
        stretch: ratio of the axes; 1 is round.
    """
    if sigma_px < _SHARP:
        return image.copy()
    if stretch < 1.01:
        kernel = cv2.getGaussianKernel(_odd(3 * sigma_px), sigma_px, cv2.CV_32F)
        light = to_linear(image)
        return to_srgb(cv2.sepFilter2D(light, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT))
    angle = rng.uniform(0, np.pi)
    x, y = _grid(_odd(3 * sigma_px), angle)
    return _convolve(image, np.exp(-0.5 * ((x / sigma_px) ** 2 + (y * stretch / sigma_px) ** 2)))


def defocus(image: Image, *, rng: np.random.Generator, radius_px: Pixels = 2.0) -> Image:
    """Blur with a disc, as a lens out of focus does.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: unused; the result has no randomness.
        radius_px: radius of the disc.
    """
    x, y = _grid(_odd(radius_px + 1), 0.0)
    return _convolve(image, np.clip(radius_px + 0.5 - np.hypot(x, y), 0, 1))


def motion_blur(
    image: Image,
    *,
    rng: np.random.Generator,
    length_px: Pixels = 5.0,
    angle_deg: Angle = 0.0,
) -> Image:
    """Blur along a line, as a moving camera or sitter does.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: unused; the result has no randomness.
        length_px: length of the movement.
        angle_deg: its direction; 0 is horizontal.
    """
    x, y = _grid(_odd(length_px / 2 + 1), np.deg2rad(angle_deg))
    along = np.clip(length_px / 2 + 0.5 - np.abs(x), 0, 1)
    return _convolve(image, along * np.clip(1 - np.abs(y), 0, 1))


def low_resolution(image: Image, *, rng: np.random.Generator, factor: Ratio = 2.0) -> Image:
    """Reduce by a factor and enlarge again, as a small scan or a coarse print does.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: draws bilinear or bicubic enlargement.
        factor: reduction of each side.
    """
    height, width = image.shape[:2]
    small = (max(round(width / factor), 1), max(round(height / factor), 1))
    enlarge = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    if small == (width, height):
        return image.copy()
    reduced = cv2.resize(to_linear(image), small, interpolation=cv2.INTER_AREA)
    return to_srgb(cv2.resize(reduced, (width, height), interpolation=enlarge))


def sharpen(
    image: Image,
    *,
    rng: np.random.Generator,
    radius_px: Pixels = 1.2,
    amount: Gain = 0.8,
) -> Image:
    """Sharpen with an unsharp mask, as scanners do unasked: halos along edges, rougher grain.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1]; scanners work on encoded values.
        rng: unused; the result has no randomness.
        radius_px: deviation of the Gaussian whose result is taken away.
        amount: how much of the difference is added.
    """
    kernel = cv2.getGaussianKernel(_odd(3 * radius_px), max(radius_px, _SHARP), cv2.CV_32F)
    soft = cv2.sepFilter2D(image, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    sharp = image + np.float32(amount) * (image - soft.reshape(image.shape))
    return np.asarray(np.clip(sharp, 0, 1), np.float32)


def _odd(radius: float) -> int:
    """Return the odd width of a kernel that reaches at least ``radius`` pixels."""
    return 2 * max(int(np.ceil(radius)), 1) + 1


def _grid(size: int, angle: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return coordinates of a kernel, turned by ``angle`` (radians)."""
    axis = np.arange(size) - size // 2
    x, y = axis[None, :], axis[:, None]
    return np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x


def _convolve(image: Image, kernel: NDArray[np.float64]) -> Image:
    """Filter in linear light with a kernel of any sum; the border is mirrored."""
    weights = (kernel / kernel.sum()).astype(np.float32)
    light = cv2.filter2D(to_linear(image), -1, weights, borderType=cv2.BORDER_REFLECT)
    return to_srgb(light)
