"""Pictures to train on in tests."""

from __future__ import annotations

import numpy as np

from oldfix.training import PhotoPool


def coarse_noise() -> PhotoPool:
    """Twenty pictures of 160 pixels, squares of 8 pixels in colours of their own."""
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 256, (20, 20, 3), dtype=np.uint8) for _ in range(20)]
    return PhotoPool(
        (tuple((str(i), np.kron(c, np.ones((8, 8, 1), np.uint8))) for i, c in enumerate(coarse)),)
    )
