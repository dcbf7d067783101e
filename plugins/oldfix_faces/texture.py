"""Fit a network's correction to the photograph it goes into: its tone and its grain."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Coarser than this part of the crop is tone and light, which are not the refiner's to change.
_TONE = 1 / 12
#: Finer than this, in pixels of the crop, is grain and texture.
_GRAIN_PX = 1.2
#: Fine texture weaker than this (root mean square) is none.
_NO_TEXTURE = 5e-4


def fitted(face: Array, correction: Array, mask: Array, grain: float) -> Array:
    """Take the change of tone out of a correction, and give back part of the grain it removed.

    Args:
        face: (size, size, 3) float32, the aligned face as it is.
        correction: (size, size, 3) float32, what the network would add.
        mask: (size, size) float32, where it will be added.
        grain: the least part of the face's fine texture that must remain, in [0, 1].
    """
    correction = correction - blurred(correction, _TONE * face.shape[0])
    fine = correction - blurred(correction, _GRAIN_PX)
    own = face - blurred(face, _GRAIN_PX)
    return correction - give_back(own, fine, mask, grain) * fine


def give_back(own: Array, fine: Array, mask: Array, grain: float) -> float:
    """Return the part of the fine correction to leave out so that enough texture remains.

    With texture t and fine correction f, the result's fine texture is t + (1 - a) f; the smallest
    a in [0, 1] is sought for which its variance under the mask is at least (grain)^2 times t's.
    The variance is quadratic in a, and grain <= 1 makes a = 1 always enough.
    """
    weight = mask[..., None] / max(float(mask.sum()) * own.shape[2], 1e-9)
    tt, tf, ff = (float((weight * p).sum()) for p in (own * own, own * fine, fine * fine))
    wanted = grain * grain * tt
    if tt + 2 * tf + ff >= wanted or ff < 1e-12:
        return 0.0
    # Seek k = 1 - a, the share of f that stays: ff k^2 + 2 tf k + tt - wanted = 0, smaller root.
    root = tf * tf - ff * (tt - wanted)
    share = (-tf - np.sqrt(max(root, 0.0))) / ff
    return float(np.clip(1 - share, 0, 1))


def blurred(image: Array, sigma: float) -> Array:
    """Gaussian blur with a mirrored border."""
    return np.asarray(
        cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.float32
    )


def removed(face: Array, correction: Array, mask: Array) -> float:
    """Return the part of a face's fine texture that a correction takes away, in [0, 1].

    The coefficient of the texture in the correction's own fine part, by least squares under the
    mask: 1 where it takes all texture away, 0 where it only adds.
    """
    own, fine = face - blurred(face, _GRAIN_PX), correction - blurred(correction, _GRAIN_PX)
    weight = mask[..., None]
    shared, all_of_it = float((weight * own * fine).sum()), float((weight * own * own).sum())
    if all_of_it <= _NO_TEXTURE**2 * own.shape[2] * float(mask.sum()):
        return 0.0
    return float(np.clip(-shared / all_of_it, 0, 1))
