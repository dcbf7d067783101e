"""Experiments around the denoiser, each one command: ``python -m oldfix_denoise.study``.

``samplers`` measures the installed weights with every sampler and number of steps; ``cifar``
measures every installed denoiser on CIFAR-10's pictures; ``losses`` trains with the Charbonnier
loss and with the mean squared error; ``baselines`` trains the denoiser beside DnCNN and the
non-local recurrent network. Each writes a page and a JSON file.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import IMAGE, SAMPLERS, Photo, Pipeline, Runner, Step, UsageError, discover, read_image
from oldfix.degrade.noise import gaussian_noise
from oldfix.evaluation.chart import Chart, Line
from oldfix.evaluation.metrics import psnr, ssim
from oldfix.evaluation.studies import leave_with, write_study

_NETWORKS = ("denoiser-px-s", "dncnn-s", "nlrn-s")
#: Numbers of steps measured.
STEPS = (1, 2, 5, 10, 20)
_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
_Image = NDArray[np.float32]
Row = dict[str, Any]


def samplers(options: argparse.Namespace) -> list[Row]:
    """Measure the stage with each sampler and number of steps on white noise.

    Returns:
        Rows with "sampler", "steps", "psnr" (dB), "ssim", "detail" (see `detail`) and "seconds"
        for a megapixel: means over pictures.
    """
    pairs = list(noisy_pictures(options))
    if not pairs:
        folders = ", ".join(map(str, options.data))
        raise UsageError(f"--data {folders}: holds no picture; give a folder that does")
    rows, registry = [], discover()
    with Runner(device=options.device, seed=options.seed) as runner:
        for sampler, steps in ((s, t) for s in SAMPLERS for t in STEPS):
            step = Step("denoise-diffusion", options={"sampler": sampler, "steps": steps})
            plan = Pipeline((step,)).plan(registry, given={IMAGE})
            begun = time.monotonic()
            results = [runner.run(plan, Photo.from_array(noisy))[IMAGE] for noisy, _ in pairs]
            seconds = time.monotonic() - begun
            rows.append({"sampler": sampler, "steps": steps, **_means(results, pairs, seconds)})
    for name in ("psnr", "ssim", "detail"):
        chart = sampler_chart(rows, name, options.sigma)
        (options.output / f"samplers-{name}.svg").write_text(chart.to_svg(), "utf-8")
    return rows


def sampler_chart(rows: Sequence[Row], name: str, sigma: float) -> Chart:
    """Draw what `samplers` measured under a name, a line for each sampler."""
    lines = [
        Line(sampler, STEPS, [row[name] for row in rows if row["sampler"] == sampler], colour=n)
        for n, sampler in enumerate(SAMPLERS)
    ]
    return Chart(f"{name} over steps, white noise of {sigma:g}", lines, "steps", name)


def noisy_pictures(options: argparse.Namespace) -> Iterable[tuple[_Image, _Image]]:
    """Yield (noisy, clean) crops from the middles of evenly chosen pictures of the folders."""
    files = (path for folder in options.data for path in folder.rglob("*"))
    found = sorted(path for path in files if path.suffix.lower() in _SUFFIXES)
    places = np.linspace(0, len(found) - 1, min(options.limit, len(found))).round().astype(int)
    for number, place in enumerate(places):
        image = read_image(found[place])
        top, left = (max(0, (side - options.crop) // 2) for side in image.shape[:2])
        clean = np.ascontiguousarray(image[top : top + options.crop, left : left + options.crop])
        rng = np.random.default_rng([options.seed, number])
        yield gaussian_noise(clean, rng=rng, std=options.sigma), clean


def detail(image: _Image, truth: _Image) -> float:
    """Fine detail (what a blur of 1.5 pixels takes away) beside the truth's, by deviation.

    1 is as much as there should be; less is too smooth, more is noise.
    """
    fine = [float((p - cv2.GaussianBlur(p, (0, 0), 1.5)).std()) for p in (image, truth)]
    return fine[0] / max(fine[1], 1e-9)


def cifar(options: argparse.Namespace) -> list[Row]:
    """Measure every installed denoiser on CIFAR-10's pictures under three kinds of made noise."""
    from oldfix_denoise.cifar import measure, read_cifar, spread

    return measure(
        spread(read_cifar(options.data[0]), options.limit),
        sigma=options.sigma,
        seed=options.seed,
        device=options.device,
        rivals=options.rivals,
    )


def losses(options: argparse.Namespace) -> list[Row]:
    """Train the denoiser with each loss, alike in all else; see `trained`."""
    return [
        {"loss": loss, **trained("denoiser-px-s", recipe, options)}
        for loss, recipe in _LOSSES.items()
    ]


def baselines(options: argparse.Namespace) -> list[Row]:
    """Train the denoiser and its baselines for the same time; see `trained`."""
    names = options.only or _NETWORKS
    recipe = "cpu" if options.device == "cpu" else "gpu"
    return [{"network": name, **trained(name, recipe, options)} for name in names]


def trained(name: str, recipe: str, options: argparse.Namespace) -> Row:
    """Train a network, and return its "parameters", its "steps" and what validation measured.

    Figures are mean PSNR in dB over held-out crops: white noise of three strengths, film, camera.
    """
    import torch

    from oldfix import read_network
    from oldfix.training import TrainRequest
    from oldfix_denoise.train import train_network

    request = TrainRequest(
        data=tuple(options.data),
        out=options.output / f"{name}-{recipe}",
        minutes=options.minutes,
        device=options.device,
        seed=options.seed,
        workers=options.workers,
        recipe=recipe,
    )
    torch.manual_seed(options.seed)  # what a network begins with must not hang on those before it
    path = train_network(name, request, options.steps)
    parameters = sum(tensor.numel() for tensor in read_network(path)[1].values())
    figures = json.loads(path.with_suffix(".json").read_text("utf-8"))["figures"]
    with (request.out / "validation.csv").open(newline="", encoding="utf-8") as file:
        steps = int([row["step"] for row in csv.DictReader(file)][-1])
    return {"parameters": parameters, "steps": steps, **figures}


#: Recipes that differ in their loss alone, by its name.
_LOSSES = {"charbonnier": "cpu", "l2": "l2"}
_STUDIES = {"samplers": samplers, "cifar": cifar, "losses": losses, "baselines": baselines}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a study; the page goes to the output folder and to the standard output."""
    options = _parser().parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    rows = _STUDIES[options.study](options)
    settings = {name: value for name, value in vars(options).items() if name != "output"}
    write_study(options.output, options.study, settings, rows)
    return 0


def _means(results: list[_Image], pairs: list[tuple[_Image, _Image]], seconds: float) -> Row:
    both = [(image, clean) for image, (_, clean) in zip(results, pairs, strict=True)]
    measures = {"psnr": psnr, "ssim": ssim, "detail": detail}
    means = {name: float(np.mean([f(*pair) for pair in both])) for name, f in measures.items()}
    megapixels = sum(clean.shape[0] * clean.shape[1] for _, clean in both) / 1e6
    return {**means, "seconds": seconds / megapixels}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m oldfix_denoise.study", description=__doc__)
    studies = parser.add_subparsers(dest="study", required=True)
    for name, function in _STUDIES.items():
        study = studies.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        where = "--cifar" if name == "cifar" else "--data"
        study.add_argument(where, dest="data", type=Path, action="append", required=True)
        study.add_argument("-o", "--output", type=Path, default=Path("out/denoise-study"))
        study.add_argument("--device", default="cpu")
        study.add_argument("--seed", type=int, default=0)
        if name in {"samplers", "cifar"}:
            few = 12 if name == "samplers" else 10000
            study.add_argument("--sigma", type=float, default=25.0, help="in 8-bit levels")
            study.add_argument("--limit", type=int, default=few, help="at most so many pictures")
        if name == "samplers":
            study.add_argument("--crop", type=int, default=192, help="side in pixels")
        elif name == "cifar":
            study.add_argument("--rivals", type=Path, help="folder of published networks")
        else:
            study.add_argument("--minutes", type=float, default=20.0, help="for each network")
            study.add_argument("--steps", type=int, help="for each network, instead of minutes")
            study.add_argument("--workers", type=int, default=1)
        if name == "baselines":
            study.add_argument("--only", nargs="+", choices=_NETWORKS)
    return parser


if __name__ == "__main__":
    leave_with(main)
