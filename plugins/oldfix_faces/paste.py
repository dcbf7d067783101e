"""Put a correction back into a photograph, inside the face only."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import from_lab, grey_to_luminance, luminance, luminance_to_grey, to_lab
from oldfix_faces.align import Alignment, Box, box_around, uncrop

Array = NDArray[np.float32]

#: Softness of the mask and width of the free frame around it, as parts of the crop.
_FEATHER, _FRAME = 0.035, 0.04
#: Smaller weights of a mask count as zero.
_LEAST = 1 / 1024


@dataclass(frozen=True, eq=False)
class Patch:
    """A correction and where it goes.

    Warping a face into its crop blurs its finest texture away. The network cannot take noise away
    that it does not see; so as much of that texture may be taken away as went of the finest that
    it saw.

    Attributes:
        correction: (size, size, 3) float32, what to add, in the aligned crop.
        mask: (size, size) float32, where, in the aligned crop.
        alignment: from photograph to crop.
        crop: (size, size, 3) float32, the face as it was cut out; needed for ``unseen``.
        unseen: how much to take away of the texture that the crop does not hold, in [0, 1].
    """

    correction: Array
    mask: Array
    alignment: Alignment
    crop: Array | None = None
    unseen: float = 0.0


def face_mask(points: NDArray[np.floating], size: int) -> Array:
    """Return where a face may change: 1 inside, softly falling to 0.

    The hull of the landmarks, carried up to the brow, down to the chin and out to the cheeks.

    Args:
        points: (5, 2) landmarks in the crop.
        size: width and height of the crop, in pixels.

    Returns:
        (size, size) float32 in [0, 1], zero at the crop's border.
    """
    mask = np.zeros((size, size), np.float32)
    hull = cv2.convexHull(np.round(outline(points)).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, 1.0)
    return softened(mask)


def softened(mask: Array) -> Array:
    """Return a square mask with soft edges that is zero at its border."""
    size = len(mask)
    frame = max(1, round(_FRAME * size))
    mask = mask.copy()
    mask[:frame], mask[-frame:], mask[:, :frame], mask[:, -frame:] = 0, 0, 0, 0
    soft = cv2.GaussianBlur(mask, (0, 0), _FEATHER * size)
    distance = np.minimum(np.arange(size), np.arange(size)[::-1]).astype(np.float32)
    ramp = np.clip(distance / frame, 0, 1)
    return np.asarray(soft * ramp[:, None] * ramp[None], np.float32)


def outline(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return points around a face: brow, temples, cheeks and chin, (8, 2)."""
    left, right, _, mouth_left, mouth_right = np.asarray(points, np.float64)
    eyes, mouth = (left + right) / 2, (mouth_left + mouth_right) / 2
    down = mouth - eyes
    # A head turned aside has near eyes but is as wide as before.
    across = np.array([down[1], -down[0]])
    across *= max(np.hypot(*(right - left)) / max(np.hypot(*down), 1e-6), 0.75)
    return np.array(
        [
            eyes - 0.9 * down - 0.45 * across,
            eyes - 0.9 * down + 0.45 * across,
            eyes - 0.3 * down - 0.95 * across,
            eyes - 0.3 * down + 0.95 * across,
            mouth - 0.1 * down - 0.85 * across,
            mouth - 0.1 * down + 0.85 * across,
            mouth + 0.75 * down - 0.35 * across,
            mouth + 0.75 * down + 0.35 * across,
        ]
    )


def paste(image: Array, patch: Patch, *, covered: Array, toned: bool) -> None:
    """Add a correction to a photograph, in place; nothing outside the mask changes.

    Only the box of the mask is read and written, so the cost does not grow with the photograph.

    Args:
        image: (H, W, 3) float32 in [0, 1]. Changed.
        patch: the correction and where it goes.
        covered: (H, W) float32, how far earlier faces have already changed each pixel. Changed.
        toned: change luminance only; the correction is then grey and its first channel is used.
    """
    alignment = patch.alignment
    box = box_around(alignment.to_photo(bounds(patch.mask)), image.shape[:2])
    if box.empty:
        return
    weight = np.clip(uncrop(patch.mask, alignment, box), 0, 1) * (1 - covered[box.slices])
    weight[weight < _LEAST] = 0
    covered[box.slices] += weight
    region = image[box.slices]
    change = uncrop(patch.correction[..., 0] if toned else patch.correction, alignment, box)
    if patch.crop is not None and patch.unseen > 0:
        change -= patch.unseen * _lost(region, patch.crop, alignment, box, toned=toned)
    if toned:
        region[...] = _with_luminance_added(region, change * weight, weight > 0)
    else:
        region[...] = np.clip(region + change * weight[..., None], 0, 1)


def _lost(region: Array, crop: Array, alignment: Alignment, box: Box, *, toned: bool) -> Array:
    """Return the texture of a region that its crop, warped back, has not got."""
    if toned:
        return grey_of(region)[..., 0] - uncrop(crop[..., 0], alignment, box)
    return region - uncrop(crop, alignment, box)


def _with_luminance_added(region: Array, change: Array, touched: NDArray[np.bool_]) -> Array:
    """Return a region with its luminance changed where touched; the rest is not computed."""
    flat, places = region.reshape(-1, 3), np.flatnonzero(touched)
    before, added = flat.take(places, axis=0), change.reshape(-1).take(places)
    flat[places] = with_changed_luminance(before[:, None], added[:, None])[:, 0]
    return flat.reshape(region.shape)


def bounds(mask: Array) -> NDArray[np.float64]:
    """Return the corners of the rectangle outside of which a mask counts as zero, (4, 2)."""
    x, y, width, height = cv2.boundingRect((mask >= _LEAST).astype(np.uint8))
    x0, y0, x1, y1 = x - 1.0, y - 1.0, x + width, y + height
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def with_changed_luminance(image: Array, change: Array) -> Array:
    """Add a change to a picture's grey version and give the picture its luminance.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].
        change: (H, W) float32, in sRGB-encoded grey.
    """
    if is_exactly_grey(image):
        return np.asarray(np.clip(image + change[..., None], 0, 1), np.float32)
    lab = to_lab(image)
    grey = luminance_to_grey(lab[..., 0]) + change
    lab[..., 0] = grey_to_luminance(np.clip(grey, 0, 1))
    return from_lab(lab)


def grey_of(image: Array) -> Array:
    """Return the grey picture (three equal channels) of the same L*."""
    if is_exactly_grey(image):
        return image
    return np.repeat(luminance_to_grey(luminance(image))[..., None], 3, axis=2)


def is_exactly_grey(image: Array) -> bool:
    """Whether the three channels are equal."""
    return bool(
        np.array_equal(image[..., 0], image[..., 1])
        and np.array_equal(image[..., 0], image[..., 2])
    )
