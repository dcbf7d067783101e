"""Look at each candidate again, alone: is it a face, and where exactly are its landmarks?

A detector that sees a whole photograph is fooled by what is anywhere in it. Shown one candidate,
at the size that suits it best and in a mirror too, it is fooled less (viewing several times, as in
test-time augmentation, and in stages, as in cascades: Viola and Jones, CVPR 2001).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import Context, Model
from oldfix_faces.align import MIRRORED, Alignment, crop_face
from oldfix_faces.anchors import Found, distinct, joined, overlaps
from oldfix_faces.detect import find_in_crops
from oldfix_faces.landmark_net import close_up, expected, eye_distance

Array = NDArray[np.float32]

#: Views of a candidate: width in sides of its box, and side of the crop in pixels.
VIEWS = ((2.0, 128), (2.4, 192))
#: Scores from which a view counts as seeing a face, and overlap with the candidate.
_SEEN, _SAME = 0.2, 0.35
#: How often the landmarks are placed, each time from a close-up cut by what was found before.
_TIMES = 2


def confirm(model: Model, image: Array, found: Found, ctx: Context) -> Found:
    """Score candidates anew: the mean over the first look and four more, a miss counting zero.

    Args:
        model: a face detector.
        image: (H, W, 3) float32, the photograph.
        found: candidates in its pixels.
        ctx: the stage's context.

    Returns:
        The candidates with new scores, and boxes that are the medians of what was seen; each face
        once, best first.
    """
    if not len(found):
        return found
    looks = [each for view in VIEWS for each in _looks(model, image, found, ctx, *view)]
    merged = [
        _merged(found[np.array([index])], [look[index] for look in looks])
        for index in range(len(found))
    ]
    return distinct(joined(merged))


def _looks(
    model: Model, image: Array, found: Found, ctx: Context, wide: float, side: int
) -> tuple[list[Found], list[Found]]:
    """What one view and its mirror image show of each candidate, in the photograph's pixels."""
    cuts = [_cut(image, box, wide, side) for box in found.boxes]
    crops = [crop for crop, *_ in cuts]
    mirrors = [np.ascontiguousarray(crop[:, ::-1]) for crop in crops]
    seen = find_in_crops(model, [*crops, *mirrors], ctx, _SEEN)
    back = [*seen[: len(crops)], *(_mirrored(each, side) for each in seen[len(crops) :])]
    moved = [each.moved(*place) for each, (_, *place) in zip(back, 2 * cuts, strict=True)]
    return moved[: len(crops)], moved[len(crops) :]


def _cut(image: Array, box: Array, wide: float, side: int) -> tuple[Array, float, float, float]:
    """Cut a square around a box: its pixels, their scale, and its corner in scaled pixels."""
    length = max(8, round(wide * float((box[2:] - box[:2]).max())))
    left, top = np.round((box[:2] + box[2:]) / 2 - length / 2).astype(int)
    height, width = image.shape[:2]
    rows = np.clip(np.arange(top, top + length), 0, height - 1)
    columns = np.clip(np.arange(left, left + length), 0, width - 1)
    how = cv2.INTER_AREA if length > side else cv2.INTER_LINEAR
    crop = cv2.resize(image[rows[:, None], columns], (side, side), interpolation=how)
    scale = side / length
    return np.asarray(crop, np.float32), scale, left * scale, top * scale


def _mirrored(found: Found, side: int) -> Found:
    """Carry what was seen in a mirror back."""
    boxes, points = found.boxes.copy(), found.points[:, MIRRORED].copy()
    boxes[:, [0, 2]] = side - 1 - found.boxes[:, [2, 0]]
    points[..., 0] = side - 1 - points[..., 0]
    return Found(boxes, found.scores, points)


def _merged(first: Found, looks: Sequence[Found]) -> Found:
    """Join one candidate with what further looks saw in its place."""
    same = [first, *(_same(first, look) for look in looks)]
    all_seen = joined(same)
    score = np.float32(all_seen.scores.sum() / len(same))
    box = np.median(all_seen.boxes, axis=0)[None].astype(np.float32)
    return Found(box, np.array([score], np.float32), first.points)


def _same(first: Found, look: Found) -> Found:
    """The best that a look saw in the place of a candidate, or nothing."""
    near = np.flatnonzero(overlaps(first.boxes, look.boxes)[0] > _SAME)
    return look[near[np.argsort(-look.scores[near])][:1]]


def place_landmarks(model: Model, image: Array, found: Found, ctx: Context) -> Found:
    """Place the landmarks of faces by a network that sees each in a close-up, and in a mirror.

    Args:
        model: a `landmark_net.LandmarkNet`.
        image: (H, W, 3) float32, the photograph.
        found: faces in its pixels, with landmarks that are roughly right.
        ctx: the stage's context.
    """
    points = found.points.astype(np.float64)
    for _ in range(_TIMES):
        places, alignments, crops = _close_ups(image, points)
        if not places:
            break
        mirrors = [np.ascontiguousarray(crop[:, ::-1]) for crop in crops]
        maps = ctx.apply_many(model, [*crops, *mirrors])
        straight, mirrored = np.split(np.stack([each.reshape(5, 2) for each in maps]), 2)
        mean = (straight + mirrored[:, MIRRORED] * [-1, 1]) / 2
        seen = expected() + mean * eye_distance()
        for index, alignment, each in zip(places, alignments, seen, strict=True):
            points[index] = alignment.to_photo(each)
    return Found(found.boxes, found.scores, points.astype(np.float32))


def _close_ups(
    image: Array, points: NDArray[np.float64]
) -> tuple[list[int], list[Alignment], list[Array]]:
    """Cut the close-ups that can be cut: which, how, and their pixels.

    Landmarks that coincide or lie outside the photograph stay as they are.
    """
    places, alignments, crops = [], [], []
    for index, each in enumerate(points):
        try:
            alignment = close_up(each)
            crop = crop_face(image, alignment)
        except ValueError:
            continue
        places.append(index)
        alignments.append(alignment)
        crops.append(np.clip(crop, 0, 1))
    return places, alignments, crops
