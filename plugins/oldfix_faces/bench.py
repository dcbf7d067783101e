"""What one more face costs in a large scan; ``oldfix bench`` calls `measure`."""

from __future__ import annotations

import statistics
import time
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix_faces.align import align, template
from oldfix_faces.paste import Patch, face_mask, paste

Array = NDArray[np.float32]

#: Sides of the aligned crop in the scan, in pixels, and in the larger of the networks.
CROPS, NETWORK_PX = (100, 256, 512), 512
_SEPIA = np.array([0.95, 0.8, 0.6], np.float32)


def measure(megapixels: float, repeats: int) -> list[dict[str, Any]]:
    """Time `oldfix_faces.paste.paste`, and nothing else, on a scan in memory.

    Args:
        megapixels: size of the scan.
        repeats: faces pasted for each row, at random places and turns.

    Returns:
        Rows with "crop" (pixels), "toned", and "ms": the median time of the processor.
    """
    rows = []
    for toned in (False, True):
        image = scan(megapixels, toned=toned)
        covered = np.zeros(image.shape[:2], np.float32)
        for crop in CROPS:
            rng = np.random.default_rng(0)
            times = [_timed(image, covered, crop, rng, toned=toned) for _ in range(repeats)]
            rows.append({"crop": crop, "toned": toned, "ms": 1000 * statistics.median(times)})
    return rows


def scan(megapixels: float, *, toned: bool) -> Array:
    """Return many portraits side by side, in colour or sepia: (side, side, 3)."""
    from skimage import data

    tile = np.asarray(data.astronaut(), np.float32) / 255
    if toned:
        tile = tile.mean(axis=2, keepdims=True) * _SEPIA
    side = max(2 * max(CROPS), round((megapixels * 1e6) ** 0.5))
    times = -(-side // tile.shape[0])
    return np.ascontiguousarray(np.tile(tile, (times, times, 1))[:side, :side])


def _timed(
    image: Array, covered: Array, crop: int, rng: np.random.Generator, *, toned: bool
) -> float:
    """Paste one face, and return the seconds of processor time."""
    scale, turn = crop / NETWORK_PX, rng.uniform(-0.3, 0.3)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    middle = rng.uniform(0.75 * crop, image.shape[0] - 0.75 * crop, 2)
    points = (template(NETWORK_PX) - NETWORK_PX / 2) @ [[cos, sin], [-sin, cos]] + middle
    alignment = align(points, NETWORK_PX)
    mask = face_mask(alignment.to_crop(points), NETWORK_PX)
    texture = rng.normal(0, 0.1, (NETWORK_PX, NETWORK_PX, 1 if toned else 3)).astype(np.float32)
    correction = cv2.GaussianBlur(texture, (0, 0), 2).reshape(texture.shape)
    covered.fill(0)
    start = time.process_time()
    paste(image, Patch(correction, mask, alignment), covered=covered, toned=toned)
    return time.process_time() - start
