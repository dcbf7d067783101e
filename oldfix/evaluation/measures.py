"""What each set measures of a row's output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from oldfix.colour import luminance
from oldfix.evaluation import metrics
from oldfix.evaluation.sets import Sample
from oldfix.photo import DEFECTS, Face

#: Equal pictures count as this many dB, so that a mean stays a number.
_EQUAL_DB = 100.0
_OVERLAP = 0.5

Measure = Callable[[Any, Sample], float]


def measure(names: Sequence[str], output: Any, scores: Any, sample: Sample) -> dict[str, float]:
    """Measure a row's output.

    Args:
        names: metrics wanted.
        output: what the row gave: a picture, a map of damage, or faces.
        scores: a map that ranks pixels, where the set asks for one; else the output again.
        sample: the question it answered.

    Raises:
        ValueError: the output has another shape than the truth.
    """
    ranked = {"average_precision", "roc_auc"}
    return {name: MEASURES[name](scores if name in ranked else output, sample) for name in names}


def box_overlap(first: Face, second: Face) -> float:
    """Intersection over union of two faces' boxes."""
    a, b = np.array(first.box), np.array(second.box)
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    areas = sum(float(np.prod(box[2:] - box[:2])) for box in (a, b))
    return common / (areas - common) if areas > common else 0.0


def count_hits(found: Sequence[Face], truth: Sequence[Face]) -> int:
    """Number of found faces that match a true one, each once, best score first (IoU >= 0.5)."""
    left = list(truth)
    for face in sorted(found, key=lambda f: -f.score):
        best = max(left, key=lambda other: box_overlap(face, other), default=None)
        if best is not None and box_overlap(face, best) >= _OVERLAP:
            left.remove(best)
    return len(truth) - len(left)


def _face_precision(found: Any, sample: Sample) -> float:
    faces = found or ()
    return count_hits(faces, sample.truth) / len(faces) if faces else float("nan")


def _face_recall(found: Any, sample: Sample) -> float:
    return count_hits(found or (), sample.truth) / len(sample.truth)


def _face_f1(found: Any, sample: Sample) -> float:
    faces = found or ()
    return 2 * count_hits(faces, sample.truth) / (len(faces) + len(sample.truth))


def _decibels(value: float) -> float:
    return min(value, _EQUAL_DB)


def _masked(output: Any, sample: Sample) -> tuple[float, float]:
    return metrics.masked_psnr(output, sample.truth, sample.known[DEFECTS])


def _f1(output: Any, sample: Sample, tolerance_px: float) -> float:
    if not (sample.truth > 0.5).any():
        return float("nan")
    return metrics.f1(output, sample.truth, tolerance_px=tolerance_px)


def _colourfulness_gap(output: Any, sample: Sample) -> float:
    return abs(metrics.colourfulness(output) - metrics.colourfulness(sample.truth))


def _luminance_error(output: Any, sample: Sample) -> float:
    return float(np.abs(luminance(output) - luminance(sample.image)).max())


#: Metric -> how it is computed for one sample.
MEASURES: dict[str, Measure] = {
    "psnr": lambda output, sample: _decibels(metrics.psnr(output, sample.truth)),
    "psnr_inside": lambda output, sample: _decibels(_masked(output, sample)[0]),
    "psnr_outside": lambda output, sample: _decibels(_masked(output, sample)[1]),
    "ssim": lambda output, sample: metrics.ssim(output, sample.truth),
    "ciede2000": lambda output, sample: metrics.ciede2000(output, sample.truth),
    "colourfulness_gap": _colourfulness_gap,
    "luminance_error": _luminance_error,
    "average_precision": lambda scores, sample: metrics.average_precision(scores, sample.truth),
    "roc_auc": lambda scores, sample: metrics.roc_auc(scores, sample.truth),
    "f1": lambda output, sample: _f1(output, sample, 0),
    "f1_2px": lambda output, sample: _f1(output, sample, 2),
    "false_marks": lambda output, sample: metrics.false_marks(output, sample.truth),
    "face_precision": _face_precision,
    "face_recall": _face_recall,
    "face_f1": _face_f1,
}
