"""Chroma at full size: guided by luminance, or matched to references by statistics.

Luminance is L* in [0, 100] as (H, W), chroma a*, b* as (H, W, 2), both float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix.colour import to_lab

Array = NDArray[np.float32]

#: Reach of the guided filter, in pixels of the small chroma.
_RADIUS = 2
#: Standard deviation of L* below which the filter takes luminance to be flat.
_FLAT = 3.0
_LEVELS = 64
_LEAST_DEVIATION = 1e-3
_LEAST_COUNT = 1e-6


def upsample(chroma: Array, luminance: Array) -> Array:
    """Enlarge chroma so that its edges follow those of luminance (fast guided filter).

    Chroma is a linear function of luminance within every small window (He, Sun and Tang, "Guided
    Image Filtering", 2013; He and Sun, "Fast Guided Filter", 2015). It never leaves the range
    that it has in the small picture.

    Args:
        chroma: (h, w, 2) at any size.
        luminance: (H, W) of the photograph.

    Returns:
        (H, W, 2).
    """
    guide = resized(luminance, chroma.shape[:2])
    slope, offset = _linear_fit(guide, chroma)
    full = resized(slope, luminance.shape)
    full *= luminance[..., None]
    full += resized(offset, luminance.shape)
    return np.clip(full, chroma.min(axis=(0, 1)), chroma.max(axis=(0, 1)), out=full)


def match_statistics(lab: Array, references: Sequence[Array], *, toned: bool) -> Array:
    """Return chroma whose statistics match those of the references.

    Args:
        lab: (H, W, 3) of the photograph.
        references: RGB images.
        toned: the photograph has no colours of its own. Then each luminance gets the mean chroma
            that it has in the references, after matching mean and deviation of luminance (the
            global step of Welsh et al., 2002); otherwise mean and deviation of a* and b* are
            matched (Reinhard et al., 2001).
    """
    samples = np.concatenate([to_lab(reference).reshape(-1, 3) for reference in references])
    if toned:
        return _mean_chroma(_matched(lab[..., :1], samples[:, :1])[..., 0], samples)
    return _matched(lab[..., 1:], samples[:, 1:])


def resized(plane: Array, shape: tuple[int, ...]) -> Array:
    """Scale (h, w) or (h, w, C) to (H, W): by area when it shrinks, else bilinear."""
    height, width = shape[:2]
    shrinks = height * width < plane.shape[0] * plane.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    scaled = cv2.resize(plane, (width, height), interpolation=method)
    return np.asarray(scaled, np.float32).reshape(height, width, *plane.shape[2:])


def _linear_fit(guide: Array, chroma: Array) -> tuple[Array, Array]:
    """Return slope and offset, both (h, w, 2), of chroma over luminance around every pixel."""
    guide = guide[..., None]
    mean, mean_chroma = _boxed(guide), _boxed(chroma)
    variance = _boxed(guide * guide) - mean * mean
    covariance = _boxed(guide * chroma) - mean * mean_chroma
    slope = np.asarray(covariance / (np.maximum(variance, 0) + _FLAT**2), np.float32)
    return _boxed(slope), _boxed(mean_chroma - slope * mean)


def _boxed(planes: Array) -> Array:
    """Return the mean over the square window around every pixel."""
    side = 2 * _RADIUS + 1
    mean = cv2.blur(planes, (side, side), borderType=cv2.BORDER_REFLECT)
    return np.asarray(mean, np.float32).reshape(planes.shape)


def _matched(values: Array, samples: Array) -> Array:
    """Shift and scale (H, W, C) values to the mean and deviation of (N, C) samples."""
    own = values.reshape(-1, values.shape[-1]).astype(np.float64)
    gain = samples.std(axis=0) / np.maximum(own.std(axis=0), _LEAST_DEVIATION)
    matched = (values - own.mean(axis=0)) * np.minimum(gain, 10) + samples.mean(axis=0)
    return np.asarray(matched, np.float32)


def _mean_chroma(luminance: Array, samples: Array) -> Array:
    """Return the mean chroma that (N, 3) samples have at each luminance, smoothed over levels."""
    level = np.clip(samples[:, 0] / 100 * _LEVELS, 0, _LEVELS - 1).astype(int)
    columns = [np.bincount(level, weights, _LEVELS) for weights in (None, *samples[:, 1:].T)]
    count, *sums = (cv2.GaussianBlur(c[None].astype(np.float64), (0, 0), 2)[0] for c in columns)
    centres = (np.arange(_LEVELS) + 0.5) * 100 / _LEVELS
    means = [total / np.maximum(count, _LEAST_COUNT) for total in sums]
    return np.stack([np.interp(luminance, centres, m).astype(np.float32) for m in means], axis=-1)
