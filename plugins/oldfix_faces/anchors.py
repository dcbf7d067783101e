"""What RetinaFace's numbers mean: anchors, decoding, and suppression of repeats.

Boxes are (x0, y0, x1, y1) and points (x, y), in pixels, pixel centres at integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

STRIDES = (8, 16, 32)
#: Sides of the two anchors in each cell of each level, in pixels.
SIZES = ((16, 32), (64, 128), (256, 512))
VALUES = 15
#: Scales of the encoding ("variances" of SSD, Liu et al. 2016): of centres and of log sizes.
_CENTRE, _LOG_SIZE = 0.1, 0.2


@dataclass(frozen=True, eq=False)
class Found:
    """Candidate faces.

    Attributes:
        boxes: (N, 4) float32.
        scores: (N,) float32 in [0, 1].
        points: (N, 5, 2) float32.
    """

    boxes: Array
    scores: Array
    points: Array

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, which: NDArray[np.integer] | NDArray[np.bool_]) -> Found:
        return Found(self.boxes[which], self.scores[which], self.points[which])

    def moved(self, scale: float, left: float, top: float) -> Found:
        """Carry from a view back to the photograph.

        Args:
            scale: view pixels per photograph pixel.
            left, top: the view's corner in pixels of the scaled photograph.
        """
        offset = np.array([left, top], np.float32)
        points = (self.points + offset + 0.5) / scale - 0.5
        boxes = (self.boxes.reshape(-1, 2, 2) + offset + 0.5) / scale - 0.5
        return Found(
            boxes.reshape(-1, 4).astype(np.float32), self.scores, points.astype(np.float32)
        )


def joined(parts: list[Found]) -> Found:
    """Put candidates together."""
    if not parts:
        return Found(*(np.zeros(shape, np.float32) for shape in ((0, 4), (0,), (0, 5, 2))))
    return Found(
        np.concatenate([p.boxes for p in parts]),
        np.concatenate([p.scores for p in parts]),
        np.concatenate([p.points for p in parts]),
    )


def decode(folded: Array, threshold: float) -> Found:
    """Decode a detector's map.

    Args:
        folded: (h, w, C) float32, what `detector_net.FaceDetector` gives for one image.
        threshold: smallest score to keep.
    """
    values = unfolded(folded)
    logits = values[:, 4]
    kept = np.flatnonzero(logits >= np.log(threshold / (1 - threshold)))
    values, anchors = values[kept], anchors_of(*folded.shape[:2])[kept]
    centre, side = anchors[:, :2], anchors[:, 2:]
    middle = centre + values[:, :2] * _CENTRE * side
    half = np.exp(values[:, 2:4] * _LOG_SIZE) * side / 2
    points = centre[:, None] + values[:, 5:].reshape(-1, 5, 2) * _CENTRE * side[:, None]
    scores = 1 / (1 + np.exp(-values[:, 4]))
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    return Found(boxes.astype(np.float32), scores.astype(np.float32), points.astype(np.float32))


def unfolded(folded: Array) -> Array:
    """Return the (N, VALUES) numbers of all anchors, in the order of `anchors_of`."""
    rows, columns, _ = folded.shape
    parts, start = [], 0
    for fold, count in _levels():
        channels = count * VALUES * fold * fold
        level = folded[..., start : start + channels]
        start += channels
        level = level.reshape(rows, columns, count, VALUES, fold, fold)
        parts.append(level.transpose(0, 4, 1, 5, 2, 3).reshape(-1, VALUES))
    return np.concatenate(parts)


@lru_cache(maxsize=32)
def anchors_of(rows: int, columns: int) -> Array:
    """Return (x, y, side) centres and sides of all anchors of a (rows, columns) map.

    The centre of a cell is where facexlib puts it: stride * (index + 1/2).
    """
    parts = []
    for stride, sizes in zip(STRIDES, SIZES, strict=True):
        fold = STRIDES[-1] // stride
        y, x, side = np.meshgrid(
            (np.arange(rows * fold) + 0.5) * stride,
            (np.arange(columns * fold) + 0.5) * stride,
            np.array(sizes, np.float64),
            indexing="ij",
        )
        parts.append(np.stack([x, y, side], axis=-1).reshape(-1, 3))
    anchors = np.concatenate(parts).astype(np.float32)
    anchors.flags.writeable = False
    return anchors


def distinct(found: Found, overlap: float = 0.4, shared: float = 0.65) -> Found:
    """Keep the best of each group of boxes for one face, best first (non-maximum suppression).

    Args:
        found: candidates.
        overlap: a box goes if a better one has this intersection over union with it.
        shared: or if this part of the smaller of the two lies in the other, as when one view
            shows a face and another view half of it.
    """
    best = found[np.argsort(-found.scores, kind="stable")]
    size = areas(best.boxes)
    smaller = np.minimum(size[:, None], size[None])
    repeats = overlaps(best.boxes, best.boxes) > overlap
    repeats |= intersections(best.boxes, best.boxes) > shared * smaller
    chosen: list[int] = []
    for index in range(len(best)):
        if not repeats[index, chosen].any():
            chosen.append(index)
    return best[np.array(chosen, np.intp)]


def areas(boxes: Array) -> Array:
    """Return the (N,) areas of boxes."""
    return np.asarray(np.prod(boxes[:, 2:] - boxes[:, :2], axis=1), np.float32)


def intersections(boxes: Array, others: Array) -> Array:
    """Return the (N, M) areas that boxes share."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.asarray(np.prod(np.clip(high - low, 0, None), axis=2), np.float32)


def overlaps(boxes: Array, others: Array) -> Array:
    """Return the (N, M) intersections over unions of boxes."""
    shared = intersections(boxes, others)
    total = areas(boxes)[:, None] + areas(others)[None] - shared
    return np.asarray(shared / np.maximum(total, 1e-9), np.float32)


def _levels() -> Iterator[tuple[int, int]]:
    """Yield (fold, anchors in a cell) of each level."""
    for stride, sizes in zip(STRIDES, SIZES, strict=True):
        yield STRIDES[-1] // stride, len(sizes)
