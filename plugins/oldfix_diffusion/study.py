"""Interpolation against Gaussian noise: ``python -m oldfix_diffusion.study``.

Trains two denoisers of one size for the same minutes on the same examples, one for each way of
diffusing, then measures both on the questions of the set restore-mixed with 1 to 50 steps. What
is trained already in the output folder is only measured.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from oldfix import DEFECTS, fill_marks
from oldfix.evaluation.metrics import psnr, ssim
from oldfix.evaluation.samples import Sample, samples
from oldfix.evaluation.sets import load_set
from oldfix.evaluation.studies import leave_with, write_study
from oldfix.training import PhotoPool, TrainRequest, fit, publish, read_recipe
from oldfix_diffusion.bank_task import filled_banks
from oldfix_diffusion.denoiser import Denoiser, load_denoiser
from oldfix_diffusion.examples import FILL_PX, make_example
from oldfix_diffusion.gaussian import (
    GaussianTask,
    InterpolationTask,
    PairTask,
    Restore,
    denoised,
    interpolated,
)
from oldfix_diffusion.net import FACTOR, Autoencoder
from oldfix_diffusion.published import diffusers
from oldfix_diffusion.squares import squares
from oldfix_diffusion.train_latent import finished_latent
from oldfix_diffusion.walking import to_plane, to_tensor

_Array = NDArray[np.float32]
Row = Mapping[str, Any]
STEPS = (1, 4, 20, 50)
#: Share of sound examples, as in the training of ``restorer-s``.
_SOUND = 1 / 12


@dataclass(frozen=True)
class _Rival:
    """A way of diffusing: how it is trained, and how its networks restore."""

    task: type[PairTask]
    known: int
    ways: Mapping[str, Restore]


_RIVALS: Mapping[str, _Rival] = {
    "interpolation": _Rival(InterpolationTask, 1, {"interpolation, improved": interpolated}),
    "gaussian": _Rival(
        GaussianTask,
        2,
        {"Gaussian noise, DDIM": denoised("ddim"), "Gaussian noise, DDPM": denoised("ddpm")},
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the study; its table goes to the output folder and to the standard output."""
    options = _parser().parse_args(arguments)
    diffusers()
    latent = finished_latent(_request(options, "interpolation"))
    trained(options, latent)
    rows = list(measured(options, latent))
    settings = {k: v for k, v in vars(options).items() if k not in {"output", "data", "questions"}}
    write_study(options.output, "gaussian", settings, rows)
    return 0


def trained(options: argparse.Namespace, latent: Autoencoder) -> None:
    """Train what is not in the output folder yet: the same examples, batches and minutes."""
    missing = [name for name in _RIVALS if not _file(options, name).is_file()]
    if not missing:
        return
    pool = PhotoPool.read(options.data, max_side=1024)
    makers = (partial(_example, part) for part in pool.split())
    bank, held_out = filled_banks(makers, latent, options.examples, seed=options.seed)
    for name in missing:
        request = _request(options, name)
        recipe = read_recipe(Path(__file__).with_name("training.toml"), "rivals", request)
        channels = latent.config["channels"]
        known = FACTOR * FACTOR + (_RIVALS[name].known - 1) * channels
        torch.manual_seed(options.seed)
        net = Denoiser(channels, **recipe.network, known=known)
        task = _RIVALS[name].task(bank, held_out, latent, net)
        settings = replace(recipe.phases["whole"].settings, steps=options.steps)
        best = fit(task, settings, recipe.part(request, "whole"))
        with torch.inference_mode():
            figures = task.validate(best)
        publish(best, request, name, recipe=recipe, figures=figures, photographs=pool)


def measured(options: argparse.Namespace, latent: Autoencoder) -> Iterator[Row]:
    """Measure every way of restoring with every number of steps."""
    chosen = load_set("restore-mixed")
    found = samples(chosen, options.questions, options.seed, options.limit)
    asked = [_middle(sample, options.crop) for sample in found]
    yield {"way": "as found", "steps": 0, **_means([s.image for s in asked], asked, 0.0)}
    starts = [_start(sample) for sample in asked]
    yield {"way": "marks filled", "steps": 0, **_means([s for s, _ in starts], asked, 0.0)}
    for name, rival in _RIVALS.items():
        net = load_denoiser(_file(options, name))
        for way, restore in rival.ways.items():
            for steps in STEPS:
                begun = time.process_time()
                results = [_restored(restore, net, latent, *start, steps) for start in starts]
                seconds = time.process_time() - begun
                yield {"way": way, "steps": steps, **_means(results, asked, seconds)}


def _example(pool: PhotoPool, rng: np.random.Generator) -> tuple[_Array, _Array, _Array]:
    _, start, target, mask = make_example(pool, rng, sound=rng.random() < _SOUND)
    return start, target, squares(mask[..., 0])


def _middle(sample: Sample, side: int) -> Sample:
    """The middle of a question, as 50 steps over all of it take long."""
    top, left = ((length - side) // 2 for length in sample.image.shape[:2])
    cut = np.s_[top : top + side, left : left + side]
    known = {DEFECTS: sample.known[DEFECTS][cut]}
    return replace(sample, image=sample.image[cut], truth=sample.truth[cut], known=known)


def _start(sample: Sample) -> tuple[_Array, _Array]:
    """The picture with its marks filled as the stage does, and its mask."""
    mask: _Array = sample.known[DEFECTS]
    return fill_marks(sample.image, mask > 0.5, FILL_PX), mask


def _restored(
    restore: Restore,
    net: Denoiser,
    latent: Autoencoder,
    start: _Array,
    mask: _Array,
    steps: int,
) -> _Array:
    """Encode, walk, decode; sides are multiples of the latent's squares."""
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        z_found = to_plane(latent.encode(to_tensor(start)))
        z = restore(net, z_found, squares(mask), steps)
        return np.clip(to_plane(latent.decode(to_tensor(z))), 0, 1)


def _means(results: Sequence[_Array], asked: Sequence[Sample], seconds: float) -> Row:
    pairs = [(result, sample.truth) for result, sample in zip(results, asked, strict=True)]
    means = {f.__name__: float(np.mean([f(*pair) for pair in pairs])) for f in (psnr, ssim)}
    megapixels = sum(truth.shape[0] * truth.shape[1] for _, truth in pairs) / 1e6
    return {**means, "CPU seconds per megapixel": seconds / megapixels}


def _request(options: argparse.Namespace, name: str) -> TrainRequest:
    return TrainRequest(
        data=tuple(options.data),
        out=options.output / name,
        minutes=options.minutes,
        device=options.device,
        seed=options.seed,
        workers=options.workers,
        recipe=options.recipe,
    )


def _file(options: argparse.Namespace, name: str) -> Path:
    return Path(options.output) / name / f"{name}.safetensors"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m oldfix_diffusion.study", description=__doc__)
    parser.add_argument("--data", type=Path, action="append", required=True, help="to train on")
    parser.add_argument("--questions", type=Path, required=True, help="folder of evaluation sets")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/diffusion-study"))
    parser.add_argument("--minutes", type=float, help="for each network; else the recipe's")
    parser.add_argument("--steps", type=int, help="for each network, instead of minutes")
    parser.add_argument("--examples", type=int, default=2400, help="made once, for both")
    parser.add_argument("--limit", type=int, default=12, help="questions measured")
    parser.add_argument("--crop", type=int, default=256, help="side of their middles, in pixels")
    parser.add_argument("--recipe", default="cpu", help="cpu, or small: a sixth of the size")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    return parser


if __name__ == "__main__":
    leave_with(main)
