"""Do no harm: tell whether a refined face is still the same person's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oldfix import Context, Model
from oldfix_faces.align import template
from oldfix_faces.anchors import Found
from oldfix_faces.detect import find_in_crops
from oldfix_faces.texture import blurred

Array = NDArray[np.float32]

#: Largest accepted move of the landmarks (mean of the five), as a part of the eye distance.
MOVED = 0.04
#: Largest accepted mean difference of blurred values, and the blur as a part of the crop.
CHANGED, BLUR = 0.04, 1 / 32
#: The detector's threshold on crops, which are known to show a face.
_CONFIDENCE = 0.3


@dataclass(frozen=True)
class Verdict:
    """What a comparison of a face before and after found.

    Attributes:
        moved: how far the landmarks moved, in eye distances; None if a face was not found.
        changed: mean difference of blurred values.
    """

    moved: float | None
    changed: float

    @property
    def accepted(self) -> bool:
        """Whether the face may be changed so."""
        return self.moved is not None and self.moved <= MOVED and self.changed <= CHANGED

    @property
    def reason(self) -> str:
        """Why not, in words."""
        if self.moved is None:
            return "the detector does not find the face in its crop"
        if self.moved > MOVED:
            return f"landmarks moved by {self.moved:.1%} of the eye distance"
        return f"blurred values changed by {self.changed:.3f}"


def compare(
    detector: Model,
    before: Sequence[Array],
    after: Sequence[Array],
    masks: Sequence[Array],
    ctx: Context,
) -> list[Verdict]:
    """Compare aligned faces before and after.

    Args:
        detector: finds the landmarks, in both alike.
        before, after: (size, size, 3) float32, all of one size.
        masks: (size, size) float32, where each face was changed.
        ctx: the stage's context.
    """
    found = find_in_crops(detector, [*before, *after], ctx, _CONFIDENCE)
    verdicts = []
    for index, (old, new, mask) in enumerate(zip(before, after, masks, strict=True)):
        size = old.shape[0]
        first = landmarks(found[index], size)
        second = landmarks(found[len(before) + index], size)
        verdicts.append(Verdict(moved(first, second), changed(old, new, mask)))
    return verdicts


def landmarks(found: Found, size: int) -> Array | None:
    """Return the landmarks of the face nearest to the template, (5, 2); None without one."""
    if not len(found):
        return None
    away = np.abs(found.points - template(size)[None]).mean(axis=(1, 2))
    nearest: Array = found.points[int(away.argmin())]
    return nearest


def moved(first: Array | None, second: Array | None) -> float | None:
    """Return the mean move of the landmarks in eye distances; None if either is missing."""
    if first is None or second is None:
        return None
    eyes = float(np.hypot(*(first[1] - first[0])))
    return float(np.hypot(*(second - first).T).mean()) / max(eyes, 1e-6)


def changed(first: Array, second: Array, mask: Array) -> float:
    """Return the mean absolute difference under a mask, blurred by `BLUR` of the faces' size."""
    difference = np.abs(blurred(second - first, BLUR * first.shape[0])).mean(axis=2)
    return float((mask * difference).sum() / max(float(mask.sum()), 1e-6))
