"""JPEG compression."""

from __future__ import annotations

import cv2
import numpy as np

from .quantities import Image, Quality, Ratio

_ENLARGEMENTS = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


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


def small_copy(
    image: Image, *, rng: np.random.Generator, factor: Ratio = 2.0, quality: Quality = 75
) -> Image:
    """Keep only a small copy in a JPEG file, and enlarge that, as pictures sent about are.

    The blocks and rings of the file are enlarged with the picture, so that what undoes a blur
    makes them stand out.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: draws bilinear, bicubic or Lanczos enlargement.
        factor: reduction of each side.
        quality: libjpeg quality of the small copy, 1 to 100, rounded.
    """
    height, width = image.shape[:2]
    small = (max(round(width / factor), 1), max(round(height / factor), 1))
    kept = jpeg(cv2.resize(image, small, interpolation=cv2.INTER_AREA), rng=rng, quality=quality)
    enlarged = cv2.resize(kept, (width, height), interpolation=int(rng.choice(_ENLARGEMENTS)))
    return np.asarray(np.clip(enlarged, 0, 1), np.float32)
