"""A second look at each face, at the size the detector sees best, for steadier landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oldfix import Context, Model
from oldfix_faces.align import Alignment, crop_face
from oldfix_faces.anchors import Found, decode, overlaps

Array = NDArray[np.float32]

#: Side of the crop, and of the face's box in it, in pixels.
CROP_PX, FACE_PX = 160, 80.0
_CONFIDENCE, _OVERLAP = 0.2, 0.4
#: Landmarks of a mirrored face, in the order of the plain one.
_MIRRORED = [1, 0, 2, 4, 3]


def polished(model: Model, image: Array, found: Found, ctx: Context) -> Found:
    """Replace each face's landmarks by the mean of two closer looks, plain and mirrored.

    A face that a closer look does not show keeps the landmarks it has.

    Args:
        model: a face detector.
        image: (H, W, 3) float32.
        found: faces, in pixels of the image.
        ctx: the stage's context.
    """
    if not len(found):
        return found
    closeups = [closeup(box) for box in found.boxes]
    plain = [crop_face(image, alignment) for alignment in closeups]
    mirrored = [np.ascontiguousarray(crop[:, ::-1]) for crop in plain]
    maps = ctx.apply_many(model, [*plain, *mirrored])
    points = found.points.copy()
    for index, alignment in enumerate(closeups):
        looks = [central(maps[index]), central(maps[len(closeups) + index])]
        if looks[1] is not None:
            looks[1] = looks[1][_MIRRORED] * (-1, 1) + (CROP_PX - 1, 0)
        seen = [look for look in looks if look is not None]
        if seen:
            points[index] = alignment.to_photo(np.mean(seen, axis=0))
    return Found(found.boxes, found.scores, points)


def closeup(box: Array) -> Alignment:
    """Return the crop in which a box is centred and `FACE_PX` large."""
    scale = FACE_PX / max(float((box[2:] - box[:2]).max()), 1.0)
    offset = (CROP_PX - 1) / 2 - scale * (box[:2] + box[2:]) / 2
    return Alignment(np.array([[scale, 0, offset[0]], [0, scale, offset[1]]]), CROP_PX)


def central(folded: Array) -> Array | None:
    """Return the landmarks (5, 2) of the face in the middle of a closeup, or None."""
    found = decode(folded, _CONFIDENCE)
    if not len(found):
        return None
    middle, half = (CROP_PX - 1) / 2, FACE_PX / 2
    expected = np.array([[middle - half, middle - half, middle + half, middle + half]], np.float32)
    fits = np.flatnonzero(overlaps(found.boxes, expected)[:, 0] >= _OVERLAP)
    if not len(fits):
        return None
    best: Array = found.points[fits[int(found.scores[fits].argmax())]]
    return best
