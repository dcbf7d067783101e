"""Faces found beside the true ones: hits, misses, and how far the landmarks are off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oldfix.keys import Face

#: Scores from which a true face must be found, and from which it may be.
CERTAIN, POSSIBLE = 0.8, 0.5
#: Shorter side of a box, in pixels, from which a face counts.
SMALLEST_PX = 24.0
_OVERLAP = 0.5
#: A face that is no longer found counts as this far off, in eye distances.
LOST = 1.0


@dataclass(frozen=True)
class FaceCounts:
    """What came of one picture.

    Attributes:
        hits: true faces that were found.
        true: faces to be found.
        found: faces found that are either hits or false.
        landmark_error: mean distance of the hits' points from the true ones, in eye distances;
            nan without hits.
    """

    hits: int
    true: int
    found: int
    landmark_error: float

    @property
    def f1(self) -> float:
        """Twice the hits over faces found and true; nan where there are neither."""
        return _share(2 * self.hits, self.found + self.true)

    @property
    def recall(self) -> float:
        """Share of the true faces that were found; nan where there are none."""
        return _share(self.hits, self.true)

    @property
    def precision(self) -> float:
        """Share of the faces found that are true; nan where there are none."""
        return _share(self.hits, self.found)


def judge(found: Sequence[Face] | None, truth: Sequence[Face]) -> FaceCounts:
    """Match found faces with true ones, each once, and count.

    True faces that are small or not certain are neither missed nor, when found, false.
    """
    pairs = matches(found or (), truth)
    hits = [(mine, other) for mine, other in pairs if _counts(other)]
    matched = {id(mine) for mine, _ in pairs}
    false = sum(_side(face) >= SMALLEST_PX for face in found or () if id(face) not in matched)
    errors = [_landmark_error(mine, other) for mine, other in hits]
    return FaceCounts(
        hits=len(hits),
        true=sum(_counts(face) for face in truth),
        found=len(hits) + false,
        landmark_error=float(np.mean(errors)) if errors else math.nan,
    )


def matches(found: Sequence[Face], truth: Sequence[Face]) -> list[tuple[Face, Face]]:
    """Pairs of a found and a true face whose boxes overlap by half, best score first."""
    left = list(truth)
    pairs = []
    for face in sorted(found, key=lambda f: -f.score):
        best = max(left, key=lambda other: box_overlap(face, other), default=None)
        if best is not None and box_overlap(face, best) >= _OVERLAP:
            left.remove(best)
            pairs.append((face, best))
    return pairs


def landmark_shift(found: Sequence[Face], truth: Sequence[Face]) -> float:
    """How far the landmarks of the largest true face are off where it is found, in eye distances.

    `LOST` where it is not found; nan where the truth has no face.
    """
    if not truth:
        return math.nan
    largest = max(truth, key=_side)
    near = [face for face in found if box_overlap(face, largest) >= _OVERLAP]
    if not near:
        return LOST
    return _landmark_error(max(near, key=lambda face: box_overlap(face, largest)), largest)


def box_overlap(first: Face, second: Face) -> float:
    """Intersection over union of two faces' boxes."""
    a, b = np.array(first.box), np.array(second.box)
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    areas = sum(float(np.prod(box[2:] - box[:2])) for box in (a, b))
    return common / (areas - common) if areas > common else 0.0


def _counts(face: Face) -> bool:
    return face.score >= CERTAIN and _side(face) >= SMALLEST_PX


def _side(face: Face) -> float:
    x0, y0, x1, y1 = face.box
    return min(x1 - x0, y1 - y0)


def _landmark_error(mine: Face, other: Face) -> float:
    distances = np.linalg.norm(mine.points - other.points, axis=1)
    return float(distances.mean()) / max(other.eye_distance, 1e-6)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else math.nan
