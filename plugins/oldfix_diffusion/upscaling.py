"""What upscaling starts from, and the small copies that its network learns on."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from oldfix.degrade.jpeg import jpeg
from oldfix.degrade.noise import gaussian_noise
from oldfix.training import PhotoPool

#: Side of an example in pixels, after upscaling.
CROP = 128
#: How many times larger pictures can become.
FACTORS = (2, 4)
#: Share of examples whose small copy has faint noise and JPEG blocks, as files have.
_WORN = 0.3
_Array = NDArray[np.float32]


def make_example(
    pool: PhotoPool, rng: np.random.Generator
) -> tuple[_Array, _Array, NDArray[np.float32]]:
    """Cut a crop, make it smaller by some method, and enlarge it again bicubically.

    Returns:
        (start, target, factor): (128, 128, 3) twice, and (1, 1, 1) as `factor_plane` has it.
    """
    target = pool.crop(rng, CROP)
    factor = int(rng.choice(FACTORS))
    small = shrunk(target, factor, rng)
    if rng.random() < _WORN:
        small = gaussian_noise(small, rng=rng, std=float(rng.uniform(0.5, 5)))
        small = jpeg(small, rng=rng, quality=float(rng.uniform(60, 95)))
    return enlarged(small, factor), target, factor_plane((1, 1), factor)


def shrunk(image: _Array, factor: int, rng: np.random.Generator) -> _Array:
    """Make a picture smaller by one of the usual methods, rounded to 8 bits.

    Half of the time by the antialiased bicubic kernel of Keys (a = -0.5), on which published
    figures are measured; else by the mean of squares, or by a Gaussian and picking pixels.
    """
    kind = rng.random()
    height, width = (side // factor for side in image.shape[:2])
    if kind < 0.5:
        x = torch.from_numpy(image).permute(2, 0, 1)[None]
        small = functional.interpolate(x, (height, width), mode="bicubic", antialias=True)
        array = small[0].permute(1, 2, 0).numpy()
    elif kind < 0.75:
        array = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    else:
        soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.3, 0.55)) * factor)
        array = cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR)
    rounded = np.rint(np.clip(array, 0, 1) * 255) / 255
    return np.ascontiguousarray(rounded, np.float32)


def enlarged(image: _Array, factor: int) -> _Array:
    """Enlarge a picture bicubically, (H, W, 3) to (factor H, factor W, 3); may leave [0, 1]."""
    height, width = image.shape[:2]
    size = (width * factor, height * factor)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.float32)


def factor_plane(size: tuple[int, int], factor: int) -> _Array:
    """The factor as a plane (h, w, 1) of one value: 0 for two, 1 for four."""
    return np.full((*size, 1), np.log2(factor) - 1, np.float32)
