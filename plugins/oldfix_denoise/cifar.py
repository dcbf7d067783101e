"""CIFAR-10's pictures, and how well denoisers do on them under noise that was made."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oldfix import UsageError
from oldfix.degrade import age
from oldfix.degrade.noise import gaussian_noise
from oldfix.evaluation.evaluate import Evaluation, open_host
from oldfix.evaluation.rivals import Rivals
from oldfix.evaluation.samples import Sample
from oldfix.evaluation.sets import EvaluationSet
from oldfix.evaluation.tables import summary_of
from oldfix_denoise.examples import recipe

_Pictures = NDArray[np.uint8]
#: Kinds of noise measured; CIFAR-10 has none of its own.
KINDS = ("white", "film", "camera")
_METRICS = ("psnr", "ssim")
#: All that a batch of the "python version" is pickled with, besides plain values.
_HARMLESS = frozenset(
    {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
    }
)


def read_cifar(path: Path) -> _Pictures:
    """Read CIFAR-10's pictures from where they lie; nothing is downloaded.

    Args:
        path: the folder of the "python version" (``test_batch``, else ``data_batch_1`` to ``_5``),
            one of its batches, or an ``.npz`` file with ``images``.

    Returns:
        (N, 32, 32, 3) uint8 RGB.

    Raises:
        UsageError: there is no such file, or it holds something else.
    """
    if path.is_dir():
        files = [path / "test_batch"] if (path / "test_batch").is_file() else []
        files = files or sorted(path.glob("data_batch_*"))
        if not files:
            raise UsageError(
                f"{path}: holds neither test_batch nor data_batch_1; give the folder "
                "cifar-10-batches-py of CIFAR-10's python version"
            )
        return np.concatenate([_batch(file) for file in files])
    if path.suffix == ".npz":
        return _archive(path)
    return _batch(path)


class _Unpickler(pickle.Unpickler):
    """Reads arrays and plain values; whatever else a pickle asks for is refused, not run."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _HARMLESS:
            raise pickle.UnpicklingError(f"asks for {module}.{name}")
        return super().find_class(module, name)


def _batch(path: Path) -> _Pictures:
    try:
        with path.open("rb") as file:
            rows = np.asarray(_Unpickler(file, encoding="bytes").load()[b"data"])
        return _checked(path, rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    except (OSError, pickle.UnpicklingError, EOFError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: is not a batch of CIFAR-10 ({error})") from None


def _archive(path: Path) -> _Pictures:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return _checked(path, arrays["images"])
    except (OSError, LookupError, ValueError) as error:
        raise UsageError(f"{path}: holds no array 'images' ({error})") from None


def _checked(path: Path, images: NDArray[Any]) -> _Pictures:
    if images.dtype != np.uint8 or images.shape[1:] != (32, 32, 3) or not len(images):
        raise UsageError(f"{path}: holds {images.dtype} {images.shape}, not (N, 32, 32, 3) uint8")
    return np.ascontiguousarray(images)


def noisy_samples(pictures: _Pictures, kind: str, *, sigma: float, seed: int) -> list[Sample]:
    """Add noise to each picture; what is added depends on the seed and its number alone.

    Args:
        pictures: (N, 32, 32, 3) uint8.
        kind: one of `KINDS`; white noise has the deviation ``sigma``, the others draw theirs.
        sigma: in 8-bit levels.
        seed: of all noise.
    """
    found = []
    for number, picture in enumerate(pictures):
        clean = picture.astype(np.float32) / np.float32(255)
        rng = np.random.default_rng([seed, number])
        if kind == "white":
            noisy = gaussian_noise(clean, rng=rng, std=sigma)
        else:
            noisy = age(clean, rng=rng, recipe=recipe(kind)).image
        found.append(Sample(f"{number:05}", noisy, truth=clean))
    return found


def measure(
    pictures: _Pictures, *, sigma: float, seed: int, device: str, rivals: Path | None
) -> list[dict[str, Any]]:
    """Measure every denoiser there is on each kind of noise.

    Returns:
        Rows with "noise", "row", mean "psnr" (dB) and "ssim" with their intervals as text, and
        the number of "pictures"; what could not be measured says so in place of figures.
    """
    host = open_host(device=device, seed=seed)
    rows: list[dict[str, Any]] = []
    for kind in KINDS:
        chosen = EvaluationSet(
            name=f"cifar-{kind}",
            summary="",
            stages=("denoise",),
            rows="denoise",
            metrics=_METRICS,
            patterns=(),
            crop=0,
            count=len(pictures),
        )
        evaluation = Evaluation(Path(), Path(), seed, None, host, rivals=Rivals.open(rivals))
        asked = noisy_samples(pictures, kind, sigma=sigma, seed=seed)
        table, _, _ = evaluation.measure(chosen, asked)
        rows += [
            {
                "noise": kind,
                "row": result.name,
                **{metric: str(summary_of(result, metric, seed)) for metric in _METRICS},
                "pictures": len(asked),
            }
            for result in table.results
        ]
        rows += [_left_out(kind, name, why) for name, why in table.skipped.items()]
    return rows


def _left_out(kind: str, name: str, why: str) -> dict[str, Any]:
    return {
        "noise": kind,
        "row": name,
        "psnr": why,
        **dict.fromkeys(_METRICS[1:], ""),
        "pictures": 0,
    }


def spread(pictures: _Pictures, limit: int) -> _Pictures:
    """At most so many pictures, at even distances."""
    places = np.linspace(0, len(pictures) - 1, min(limit, len(pictures))).round()
    chosen: _Pictures = pictures[places.astype(int)]
    return chosen
