"""Between sRGB-encoded values and linear light (IEC 61966-2-1)."""

from __future__ import annotations

import cv2
import numpy as np

from .quantities import Image


def to_linear(image: Image) -> Image:
    """Decode sRGB to linear light; both are float32 in [0, 1], any shape."""
    curve = cv2.pow((image + np.float32(0.055)) / np.float32(1.055), 2.4).reshape(image.shape)
    return np.where(image <= 0.04045, image / np.float32(12.92), curve)


def to_srgb(light: Image) -> Image:
    """Encode linear light as sRGB, clipped to [0, 1]; float32, any shape."""
    light = np.clip(light, 0, 1)
    curve = np.float32(1.055) * cv2.pow(light, 1 / 2.4).reshape(light.shape) - np.float32(0.055)
    return np.where(light <= 0.0031308, light * np.float32(12.92), curve)


def luma(image: Image) -> Image:
    """Rec. 601 luma of the encoded values, ``(H, W)``: cheap, and zero for black only."""
    return image @ np.array([0.299, 0.587, 0.114], np.float32)
