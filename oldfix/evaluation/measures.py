"""What each set measures of a row's output."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from oldfix.colour import luminance
from oldfix.evaluation import metrics
from oldfix.evaluation.facecounts import judge
from oldfix.evaluation.samples import Sample
from oldfix.keys import DEFECTS, FACES

#: Equal pictures count as this many dB, so that a mean stays a number.
_EQUAL_DB = 100.0
#: Colourfulness (0-255 scale) from which Hasler and Suesstrunk call a picture slightly colourful.
_SLIGHTLY_COLOURFUL = 15.0
#: Metrics of a map of scores rather than of the mask.
RANKING = frozenset(
    {"average_precision", "average_precision_visible", "roc_auc", "roc_auc_visible"}
)

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
    return {name: MEASURES[name](scores if name in RANKING else output, sample) for name in names}


def _decibels(value: float) -> float:
    return min(value, _EQUAL_DB)


def _masked(output: Any, sample: Sample) -> tuple[float, float]:
    return metrics.masked_psnr(output, sample.truth, sample.known[DEFECTS])


def _of_face(measured: Callable[..., float], output: Any, sample: Sample) -> float:
    """Measure the known face alone: its landmarks and half an eye distance around them."""
    points = sample.known[FACES][0].points
    margin = 0.5 * float(np.hypot(*(points[1] - points[0])))
    left, top = np.maximum(points.min(axis=0) - margin, 0).astype(int)
    right, bottom = np.ceil(points.max(axis=0) + margin).astype(int)
    face = np.s_[top:bottom, left:right]
    return measured(output[face], sample.truth[face])


def _f1(output: Any, sample: Sample, tolerance_px: float) -> float:
    if not (sample.truth > 0.5).any():
        return float("nan")
    return metrics.f1(output, sample.truth, tolerance_px=tolerance_px)


def _seen(measured: Callable[..., float], output: Any, sample: Sample) -> float:
    """Measure the pixels that count alone: sound ones, and damage that can be seen."""
    seen = np.ones(sample.truth.shape, bool) if sample.seen is None else sample.seen
    if not (sample.truth[seen] > 0.5).any():
        return float("nan")
    return measured(np.asarray(output)[seen], sample.truth[seen])


def _colourfulness_gap(output: Any, sample: Sample) -> float:
    return abs(metrics.colourfulness(output) - metrics.colourfulness(sample.truth))


def _colourfulness_share(output: Any, sample: Sample) -> float:
    """Percent of the truth's colourfulness; nan where there is next to none."""
    wanted = metrics.colourfulness(sample.truth)
    if wanted < _SLIGHTLY_COLOURFUL:
        return float("nan")
    return 100 * metrics.colourfulness(output) / wanted


def _luminance_error(output: Any, sample: Sample) -> float:
    return float(np.abs(luminance(output) - luminance(sample.image)).max())


def _lightness_error(output: Any, sample: Sample) -> float:
    return float(np.abs(luminance(output) - luminance(sample.truth)).mean())


def _landmark_shift(output: Any, sample: Sample) -> float:
    return math.nan if sample.landmark_shift is None else sample.landmark_shift(output)


#: Metric -> how it is computed for one sample.
MEASURES: dict[str, Measure] = {
    "psnr": lambda output, sample: _decibels(metrics.psnr(output, sample.truth)),
    "psnr_pooled": lambda output, sample: _decibels(metrics.psnr(output, sample.truth)),
    "psnr_inside": lambda output, sample: _decibels(_masked(output, sample)[0]),
    "psnr_outside": lambda output, sample: _decibels(_masked(output, sample)[1]),
    "ssim": lambda output, sample: metrics.ssim(output, sample.truth),
    "niqe": lambda output, sample: metrics.niqe(output),
    "psnr_face": lambda output, sample: _decibels(_of_face(metrics.psnr, output, sample)),
    "ssim_face": partial(_of_face, metrics.ssim),
    "ciede2000": lambda output, sample: metrics.ciede2000(output, sample.truth),
    "colourfulness_gap": _colourfulness_gap,
    "colourfulness_share": _colourfulness_share,
    "psnr_chroma": lambda output, sample: _decibels(metrics.psnr_chroma(output, sample.truth)),
    "luminance_error": _luminance_error,
    "lightness_error": _lightness_error,
    "average_precision": lambda scores, sample: metrics.average_precision(scores, sample.truth),
    "average_precision_visible": partial(_seen, metrics.average_precision),
    "roc_auc_visible": partial(_seen, metrics.roc_auc),
    "f1_visible": partial(_seen, metrics.f1),
    "roc_auc": lambda scores, sample: metrics.roc_auc(scores, sample.truth),
    "f1": lambda output, sample: _f1(output, sample, 0),
    "f1_2px": lambda output, sample: _f1(output, sample, 2),
    "false_marks": lambda output, sample: metrics.false_marks(output, sample.truth),
    "landmark_shift": _landmark_shift,
    "face_f1": lambda found, sample: judge(found, sample.truth).f1,
    "face_recall": lambda found, sample: judge(found, sample.truth).recall,
    "face_precision": lambda found, sample: judge(found, sample.truth).precision,
    "landmark_error": lambda found, sample: judge(found, sample.truth).landmark_error,
    "faces_hit": lambda found, sample: judge(found, sample.truth).hits,
    "faces_true": lambda found, sample: judge(found, sample.truth).true,
    "faces_found": lambda found, sample: judge(found, sample.truth).found,
}
