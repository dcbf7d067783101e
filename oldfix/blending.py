"""Keep part of the picture as it was: blend, masks, greyness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from oldfix.keys import Image, Mask


def limit_change(before: Image, after: Image, blend: float, mask: Mask | None) -> Image:
    """Take ``after`` only as far as ``blend`` and ``mask`` allow.

    Args:
        before, after: (H, W, 3) float32.
        blend: 0 gives ``before`` exactly, 1 gives ``after``.
        mask: (H, W), 1 where the change is wanted; None means everywhere.

    Returns:
        ``after`` itself if nothing limits it, else a new array.
    """
    if blend == 1.0 and mask is None:
        return after
    if blend == 0.0:
        return before
    weight = np.float32(blend) if mask is None else mask[..., None] * np.float32(blend)
    # Not a + w (b - a): that would not give b exactly where w is 1.
    mixed: Image = np.clip(before * (1 - weight) + after * weight, 0, 1)
    return mixed


def restore_grey(image: Image) -> Image:
    """Make a picture of a one-channel photograph grey again: the mean of its channels."""
    if np.array_equal(image[..., 0], image[..., 1]) and np.array_equal(
        image[..., 0], image[..., 2]
    ):
        return image
    mean = image.mean(axis=2, dtype=np.float32)
    return np.repeat(np.clip(mean, 0, 1)[..., None], 3, axis=2)
