"""JPEG compression."""

from __future__ import annotations

import cv2
import numpy as np

from .quantities import Image, Quality


def jpeg(image: Image, *, rng: np.random.Generator, quality: Quality = 75) -> Image:
    """Write the image as a JPEG file in memory and read it back.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1]; rounded to 8 bits on the way.
        rng: unused; the result has no randomness.
        quality: libjpeg quality, 1 to 100, rounded; colour is stored at half resolution.
    """
    pixels = (np.clip(image[..., ::-1], 0, 1) * 255 + 0.5).astype(np.uint8)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, round(quality)])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.ascontiguousarray(decoded[..., ::-1], np.float32) / np.float32(255)
