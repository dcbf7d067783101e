"""What the tables measure, with the conventions that change the numbers.

Pictures are (H, W, 3) RGB, sRGB-encoded, float in [0, 1]; nothing is rounded to 8 bits, cropped
or matched in brightness first. Masks and maps of scores are (H, W). Everything is computed in
float64.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def psnr(image: Array, reference: Array) -> float:
    """Peak signal-to-noise ratio in dB over every value of the arrays; inf when they are equal.

    Raises:
        ValueError: the shapes differ.
    """
    _same_shape(image, reference)
    return _decibels(_squared_error(image, reference).mean())


def masked_psnr(image: Array, reference: Array, mask: Array) -> tuple[float, float]:
    """PSNR in dB of the pixels inside the mask (> 0.5) and of those outside it.

    Args:
        image: (H, W, 3) in [0, 1].
        reference: the same shape.
        mask: (H, W), 1 = damaged.

    Returns:
        (inside, outside); nan for a side without pixels.

    Raises:
        ValueError: the shapes do not belong together.
    """
    _same_shape(image, reference)
    if mask.shape != image.shape[:2]:
        raise ValueError(f"mask is {mask.shape}, the image {image.shape[:2]}; they must agree")
    error = _squared_error(image, reference)
    inside = np.asarray(mask) > 0.5
    return _mean_decibels(error[inside]), _mean_decibels(error[~inside])


def psnr_chroma(image: Array, reference: Array) -> float:
    """PSNR in dB over CIELAB a* and b* together (D65, range 255); inf when they are equal.

    L* does not count, so a colourizer that keeps luminance is measured by its colours alone.

    Args:
        image: (H, W, 3) RGB in [0, 1], sRGB-encoded.
        reference: the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    from skimage.color import rgb2lab

    _same_shape(image, reference)
    chroma = (rgb2lab(np.asarray(p, np.float64))[..., 1:] / 255 for p in (image, reference))
    return _decibels(_squared_error(*chroma).mean())


def niqe(image: Array) -> float:
    """Natural image quality evaluator, without a reference (Mittal et al. 2013; basicsr).

    Less is better, photographs have 3 to 6. Luma of ITU-R BT.601 rounded to 8 bits, blocks of 96
    pixels without overlap, two scales, the published pristine parameters.

    Args:
        image: (H, W, 3) RGB in [0, 1], sRGB-encoded.

    Returns:
        nan for a side below 192 pixels, which is too little to tell, and for a flat picture.
    """
    from oldfix import compat

    if min(image.shape[:2]) < 192:
        return math.nan
    measure = compat.load("basicsr.metrics.niqe:calculate_niqe")
    bgr = np.rint(np.asarray(image)[..., ::-1] * 255)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # means of flat blocks, which have no statistics
        try:
            return float(measure(bgr, crop_border=0))
        except (np.linalg.LinAlgError, ValueError):
            return math.nan


def ssim(image: Array, reference: Array) -> float:
    """Structural similarity with Wang's window (scikit-image; Wang et al. 2004).

    11x11 Gaussian window of sigma 1.5, K1 = 0.01, K2 = 0.03, population covariance, averaged
    over the region where the window fits and over the channels.

    Args:
        image: (H, W) or (H, W, C) in [0, 1], at least 11 pixels each way.
        reference: the same shape.

    Raises:
        ValueError: the shapes differ, or a side is below 11 pixels.
    """
    from skimage.metrics import structural_similarity

    _same_shape(image, reference)
    if min(image.shape[:2]) < 11:
        raise ValueError(f"SSIM needs at least 11 pixels each way, got {image.shape[:2]}")
    value = structural_similarity(
        np.asarray(image, np.float64),
        np.asarray(reference, np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        channel_axis=-1 if image.ndim == 3 else None,
    )
    return float(value)


def ciede2000(image: Array, reference: Array) -> float:
    """Mean CIEDE2000 colour difference over pixels (scikit-image, D65); below 2 is hardly visible.

    Args:
        image: (H, W, 3) RGB in [0, 1], sRGB-encoded.
        reference: the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    from skimage.color import deltaE_ciede2000, rgb2lab

    _same_shape(image, reference)
    labs = (rgb2lab(np.asarray(picture, np.float64)) for picture in (reference, image))
    return float(np.mean(deltaE_ciede2000(*labs)))


def colourfulness(image: Array) -> float:
    """Colourfulness after Hasler and Suesstrunk (2003), on the 0-255 scale.

    0 is none, 15 slight, 33 moderate, 45 average, 59 quite, 82 high, 109 extreme. Compare it
    with the truth's: on its own it rewards garish colour.

    Args:
        image: (H, W, 3) RGB in [0, 1], sRGB-encoded.
    """
    red, green, blue = np.moveaxis(np.asarray(image, np.float64) * 255, -1, 0)
    opponents = (red - green, 0.5 * (red + green) - blue)
    spread = math.hypot(*(float(plane.std()) for plane in opponents))
    shift = math.hypot(*(float(plane.mean()) for plane in opponents))
    return spread + 0.3 * shift


def average_precision(scores: Array, truth: Array) -> float:
    """Average precision: sum of precision times the step in recall, over descending scores.

    Equal scores are one step. nan when nothing is true.

    Args:
        scores: any shape; higher means more probably true.
        truth: the same shape; true where > 0.5.

    Raises:
        ValueError: the shapes differ.
    """
    hits, found = _cumulative_hits(scores, truth)
    if hits[-1] == 0:
        return math.nan
    recall_steps = np.diff(hits, prepend=0) / hits[-1]
    return float(np.sum(recall_steps * hits / found))


def roc_auc(scores: Array, truth: Array) -> float:
    """Area under the ROC curve by the trapezoidal rule, so that ties count half.

    nan when everything or nothing is true.

    Args:
        scores: any shape; higher means more probably true.
        truth: the same shape; true where > 0.5.

    Raises:
        ValueError: the shapes differ.
    """
    hits, found = _cumulative_hits(scores, truth)
    false = found - hits
    if hits[-1] == 0 or false[-1] == 0:
        return math.nan
    true_rate, false_rate = (
        np.concatenate([[0.0], counts / counts[-1]]) for counts in (hits, false)
    )
    heights = (true_rate[1:] + true_rate[:-1]) / 2
    return float(np.sum(np.diff(false_rate) * heights))


def f1(prediction: Array, truth: Array, *, tolerance_px: float = 0) -> float:
    """F1 of a binary mask; 1 when both are empty, 0 when only one is.

    Args:
        prediction: (H, W); marked where > 0.5.
        truth: (H, W); marked where > 0.5.
        tolerance_px: a pixel counts as hit when the other mask has one within this Euclidean
            distance; 0 asks for the same pixel.

    Raises:
        ValueError: the shapes differ.
    """
    _same_shape(prediction, truth)
    marked, true = np.asarray(prediction) > 0.5, np.asarray(truth) > 0.5
    if not marked.any() or not true.any():
        return float(marked.any() == true.any())
    precision = float(_near(true, tolerance_px)[marked].mean())
    recall = float(_near(marked, tolerance_px)[true].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def false_marks(prediction: Array, truth: Array, *, tolerance_px: float = 2) -> float:
    """Percent of sound pixels that are marked; nan where nothing is sound.

    Args:
        prediction: (H, W); marked where > 0.5.
        truth: (H, W); damaged where > 0.5.
        tolerance_px: pixels this near to damage are not counted.

    Raises:
        ValueError: the shapes differ.
    """
    _same_shape(prediction, truth)
    damaged = np.asarray(truth) > 0.5
    sound = ~_near(damaged, tolerance_px) if damaged.any() else ~damaged
    marked = np.asarray(prediction) > 0.5
    return 100 * float(marked[sound].mean()) if sound.any() else math.nan


def _near(mask: NDArray[np.bool_], distance_px: float) -> NDArray[np.bool_]:
    """Pixels within a distance of the mask."""
    if distance_px == 0:
        return mask
    from scipy.ndimage import distance_transform_edt

    near: NDArray[np.bool_] = distance_transform_edt(~mask) <= distance_px
    return near


def _cumulative_hits(
    scores: Array, truth: Array
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(true among, number of) pixels at or above each distinct score, scores descending."""
    _same_shape(scores, truth)
    order = np.argsort(-np.ravel(scores), kind="stable")
    ranked = np.ravel(scores)[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
    hits = np.cumsum(np.ravel(truth)[order] > 0.5)[ends]
    return hits.astype(np.float64), (ends + 1).astype(np.float64)


def _squared_error(image: Array, reference: Array) -> NDArray[np.float64]:
    error: NDArray[np.float64] = (np.asarray(image, np.float64) - reference) ** 2
    return error


def _mean_decibels(error: NDArray[np.float64]) -> float:
    return _decibels(error.mean()) if error.size else math.nan


def _decibels(mean_squared_error: float) -> float:
    return -10 * math.log10(mean_squared_error) if mean_squared_error > 0 else math.inf


def _same_shape(first: Array, second: Array) -> None:
    if first.shape != second.shape:
        raise ValueError(f"shapes differ, {first.shape} and {second.shape}; they must agree")
