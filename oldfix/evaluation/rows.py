"""Rows that need no stage: doing nothing, and classical methods."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np

from oldfix.evaluation import classical
from oldfix.evaluation.samples import Sample
from oldfix.keys import DEFECTS, REFERENCES, Key


@dataclass(frozen=True)
class Row:
    """One method.

    Attributes:
        name: what the table calls it.
        kind: doing nothing, a classical method, a published network, or one of oldfix.
        how: settings and what it was told, in words.
        run: from a sample to a picture, a map of damage or faces.
        scores: for detectors of damage, a map that ranks pixels; ``run``'s result if None.
        system: the plugin that a stage comes from; empty for what comes from none.
        millions: parameters of the networks it uses, in millions; nan where not counted.
    """

    name: str
    kind: Literal["identity", "classical", "rival", "oldfix"]
    how: str
    run: Callable[[Sample], Any]
    scores: Callable[[Sample], Any] | None = None
    system: str = ""
    millions: float = math.nan


@dataclass(frozen=True)
class Skipped:
    """A row that could not be made, and why."""

    name: str
    why: str


def _same(sample: Sample) -> Any:
    return sample.image


def _nothing_marked(sample: Sample) -> Any:
    return np.zeros(sample.image.shape[:2], np.float32)


_IDENTITY = (Row("identity", "identity", "the input, unchanged", _same),)


def _classic(name: str, how: str, function: Callable[..., Any], *keys: Key[Any]) -> Row:
    """A row of a function of the picture and of what the sample knows under some keys."""

    def run(sample: Sample) -> Any:
        known = (sample.known[key] for key in keys)
        return function(sample.image, *(v[0] if isinstance(v, tuple) else v for v in known))

    return Row(name, "classical", how, run)


def _enlarger(name: str, how: str, function: Callable[..., Any]) -> Row:
    """A row of a function of the picture and of the size that is wanted."""

    def run(sample: Sample) -> Any:
        return function(sample.image, sample.truth.shape[:2])

    return Row(name, "classical", how, run)


def _telea_then_means(image: Any, mask: Any) -> Any:
    return classical.non_local_means(classical.inpaint_telea(image, mask))


def _wavelet() -> Row | Skipped:
    if find_spec("pywt") is None:
        return Skipped("wavelet", "needs PyWavelets; run 'pip install PyWavelets'")
    return _classic("wavelet", "BayesShrink in YCbCr, scikit-image", classical.wavelet)


def _bm3d() -> Row | Skipped:
    if find_spec("bm3d") is None:
        return Skipped("BM3D", "needs the package bm3d, whose licence is non-commercial")
    return _classic("BM3D", "told the estimated noise, package bm3d", classical.bm3d)


_DENOISERS = (
    _classic("median", "3x3, OpenCV", classical.median),
    _classic("non-local means", "strength from estimated noise, OpenCV", classical.non_local_means),
    _wavelet(),
    _classic(
        "total variation",
        "Chambolle, weight from estimated noise, scikit-image",
        classical.total_variation,
    ),
)
_FILLERS = (
    _classic("Telea", "true mask, OpenCV", classical.inpaint_telea, DEFECTS),
    _classic("Navier-Stokes", "true mask, OpenCV", classical.inpaint_navier_stokes, DEFECTS),
    _classic("biharmonic", "true mask, scikit-image", classical.inpaint_biharmonic, DEFECTS),
)
#: Kind of rows -> the rows that stand above the stages.
CLASSICAL: Mapping[str, tuple[Row | Skipped, ...]] = {
    "scratches": (
        Row("identity", "identity", "nothing marked", _nothing_marked),
        _classic(
            "distance from median",
            "7x7, marked from a tenth of the range, OpenCV",
            classical.scratch_scores,
        ),
    ),
    "restore": (
        *_IDENTITY,
        *_DENOISERS,
        *_FILLERS,
        _classic("Telea, then non-local means", "true mask, OpenCV", _telea_then_means, DEFECTS),
    ),
    "inpaint": (*_IDENTITY, *_FILLERS),
    "upscale": (
        _enlarger("bicubic", "OpenCV", classical.enlarge_bicubic),
        _enlarger("Lanczos", "OpenCV", classical.enlarge_lanczos),
    ),
    "denoise": (*_IDENTITY, *_DENOISERS, _bm3d()),
    "gaussian": (*_IDENTITY, *_DENOISERS, _bm3d()),
    "grey": (*_IDENTITY, *_DENOISERS, _bm3d()),
    "faces": (
        *_IDENTITY,
        *_DENOISERS,
        _classic(
            "bicubic and unsharp mask",
            "halved, enlarged, radius 2 px, amount 0.7, OpenCV",
            classical.bicubic_unsharp,
        ),
    ),
    "colour": (
        *_IDENTITY,
        _classic(
            "mean chroma of the reference", "statistics transfer", classical.mean_chroma, REFERENCES
        ),
        _classic(
            "chroma by luminance",
            "of the reference, 64 quantiles",
            classical.chroma_by_luminance,
            REFERENCES,
        ),
    ),
    "tone": (
        *_IDENTITY,
        _classic("grey world", "one mean for the channels", classical.grey_world),
        _classic(
            "stretch", "each channel from its 0.5 % to its 99.5 % quantile", classical.stretch
        ),
    ),
    "sound": (*_IDENTITY, *_DENOISERS),
    "latent": (),
    "detection": (
        _classic(
            "LBP cascade", "scikit-image's trained frontal-face cascade", classical.cascade_faces
        ),
    ),
}
