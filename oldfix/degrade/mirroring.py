"""Silver mirroring: the bluish sheen of silver that came to the surface of a print."""

from __future__ import annotations

import numpy as np

from .fields import is_grey, lay, smooth_field
from .light import luma
from .quantities import Fraction, Image, Mask, Pixels

_FAINTEST = 0.01
#: Colour of the sheen as a scanner sees it.
_SILVER = np.array([0.58, 0.63, 0.7], np.float32)


def silver_mirroring(
    image: Image,
    *,
    rng: np.random.Generator,
    opacity: Fraction = 0.35,
    reach_px: Pixels = 60.0,
    patch_px: Pixels = 40.0,
) -> tuple[Image, Mask]:
    """Lay a metallic sheen over the shadows, strongest along some borders of the print.

    Image silver oxidises where air reaches it, moves to the surface and mirrors light there: most
    where there is most silver, in the shadows, and from the borders inwards.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: source of all randomness; a border takes part with an even chance, one surely.
        opacity: opacity of the sheen over black at the border.
        reach_px: distance from the border at which it has fallen to a third.
        patch_px: size of its patches.

    Returns:
        The damaged image and the opacity ``(H, W)`` of the damage.
    """
    height, width = image.shape[:2]
    away = _from_borders(rng, height, width)
    patches = smooth_field(rng, (height, width), patch_px, octaves=3)
    ragged = np.clip(0.75 + 0.35 * patches, 0, 1.25)
    shadows = np.clip(1 - luma(image) / np.float32(0.7), 0, 1)
    weight = np.exp(-away / np.float32(max(reach_px, 1e-3))) * ragged * shadows
    mask = np.asarray(np.clip(np.float32(opacity) * weight, 0, 1), np.float32)
    mask[mask < _FAINTEST] = 0
    sheen = float(_SILVER.mean()) if is_grey(image) else _SILVER
    return lay(image, mask, sheen), mask


def _from_borders(rng: np.random.Generator, height: int, width: int) -> Mask:
    """Distance ``(H, W)`` in pixels from the nearest border that takes part."""
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    borders = [x + 0 * y, width - 1 - x + 0 * y, y + 0 * x, height - 1 - y + 0 * x]
    sure = int(rng.integers(4))
    taken = [plane for n, plane in enumerate(borders) if (rng.random() < 0.5) | (n == sure)]
    return np.asarray(np.min(taken, axis=0), np.float32)
