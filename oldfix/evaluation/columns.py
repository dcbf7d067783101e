"""The columns of a table: what they mean, which way is better, how pictures are put together."""

from __future__ import annotations

from collections.abc import Iterable

#: Printed with every table: what the columns mean.
CONVENTIONS = {
    "psnr": "dB, mean squared error over all RGB values, range [0, 1], no border crop; "
    "equal pictures count as 100",
    "psnr_pooled": "dB of the mean squared error over all pictures together, which a few pictures "
    "with next to no damage cannot carry",
    "psnr_inside": "PSNR of the damaged pixels alone (opacity of damage at least 0.2)",
    "psnr_outside": "PSNR of the sound pixels alone",
    "ssim": "Wang 2004: 11x11 Gaussian of sigma 1.5, population covariance, valid region, RGB mean",
    "niqe": "natural image quality evaluator, without a reference: luma, blocks of 96 pixels, "
    "published pristine parameters, by basicsr; sides below 192 pixels left out",
    "psnr_face": "PSNR of the face alone: its landmarks and half an eye distance around them",
    "ssim_face": "SSIM of the face alone, as above",
    "ciede2000": "mean colour difference over pixels, D65",
    "colourfulness_gap": "absolute difference in Hasler-Suesstrunk colourfulness (0-255 scale)",
    "colourfulness_share": "Hasler-Suesstrunk colourfulness of the result in percent of the "
    "truth's, mean over pictures; truths below 15 (0-255 scale: not even slightly "
    "colourful), which a touch of colour outdoes many times, left out",
    "psnr_chroma": "PSNR over CIELAB a* and b* together, D65, range 255: their units are those of "
    "8-bit Lab files; L* does not count",
    "luminance_error": "largest absolute difference in L* from the input",
    "lightness_error": "mean absolute difference in L* from the truth",
    "average_precision": "area under precision over recall, in steps, per pixel; pixels are "
    "ranked by what a stage gives with its option soft, or else by sixteen thresholds, without "
    "cleaning or growing the marks; pictures without damage left out",
    "average_precision_visible": "the same, where damaged pixels that differ from the undamaged "
    "picture by less than 2 % of the range in every channel are neither hits nor misses",
    "roc_auc": "area under the ROC curve, per pixel, ties count half",
    "roc_auc_visible": "the same without damage that cannot be seen, as above",
    "f1": "harmonic mean of precision and recall, per pixel; pictures without damage left out",
    "f1_visible": "the same without damage that cannot be seen, as above",
    "f1_2px": "F1 where a pixel counts as hit within 2 px; pictures without damage left out",
    "false_marks": "percent of the sound pixels farther than 2 px from damage that are marked",
    "face_f1": "per picture: twice the hits over faces found and true; a hit has IoU >= 0.5",
    "face_recall": "share of all true faces that were found",
    "face_precision": "share of all faces found that are true",
    "landmark_error": "mean distance of the five points of the faces found from the true ones, "
    "in eye distances; mean over the faces of a picture",
    "landmark_shift": "mean distance of the five points that the official RetinaFace mobile0.25 "
    "finds in the result from those it finds in the truth, in eye distances, over five sizes; a "
    "face no longer found counts as 1",
}
#: Metrics of which less is better.
LOWER_IS_BETTER = frozenset(
    {
        "ciede2000",
        "colourfulness_gap",
        "false_marks",
        "landmark_error",
        "landmark_shift",
        "lightness_error",
        "luminance_error",
        "niqe",
    }
)
#: Metrics that are best at a value, with less and more alike being worse.
TARGETS = {"colourfulness_share": 100}
#: Metrics whose mean is that of the squared error behind the decibels.
POOLED_DECIBELS = frozenset({"psnr_pooled"})
#: Metrics that are one sum over all pictures divided by another.
RATIOS = {
    "face_recall": ("faces_hit", "faces_true"),
    "face_precision": ("faces_hit", "faces_found"),
}


def direction(metric: str) -> str:
    """Which way is better, as a mark behind a column's name."""
    if metric in TARGETS:
        return f"→ {TARGETS[metric]}"
    return "↓" if metric in LOWER_IS_BETTER else "↑"


def measured(metrics: Iterable[str]) -> tuple[str, ...]:
    """Everything to be measured of each picture for these columns, each once."""
    counts = [name for metric in metrics for name in RATIOS.get(metric, ())]
    return tuple(dict.fromkeys([*metrics, *counts]))
