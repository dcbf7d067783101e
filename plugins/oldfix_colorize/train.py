"""Trains the colorizer, for ``oldfix train colorizer``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from oldfix.training import PhotoPool, TrainRequest, fit, publish, read_recipe
from oldfix_colorize.net import Colorizer
from oldfix_colorize.samples import Views, colourful

NAME = "colorizer-s"
_VALIDATED = 96
_PRIOR_SAMPLES = 200
_CHARBONNIER = 0.02


def train(request: TrainRequest) -> Path:
    """Train a colorizer on colour photographs and write ``colorizer-s.safetensors``.

    Returns the file; its validation figures lie beside it as JSON.
    """
    recipe = read_recipe(Path(__file__).with_name("training.toml"), NAME, request)
    photographs = PhotoPool.read(request.data, max_side=480)
    task = ColorizeTask(Colorizer(**recipe.network), photographs, request.seed)
    net = fit(task, recipe.phases["whole"].settings, recipe.part(request, "whole"))
    with torch.inference_mode():
        figures = {name: round(value, 4) for name, value in task.validate(net).items()}
    return publish(
        net,
        request,
        NAME,
        recipe=recipe,
        figures=figures,
        photographs=photographs,
    )


class ColorizeTask:
    """Learns chroma from aged luminance, with and without a reference.

    The loss joins the Charbonnier distance of the mean colour, the same at an eighth of the size
    for its differences between neighbours (against blotches), and the cross-entropy of the
    colour distribution with rare colours weighted up (Zhang et al. 2016, eq. 4).
    """

    def __init__(self, net: Colorizer, pool: PhotoPool, seed: int = 0, size: int = 128) -> None:
        self.net = net
        kept, held = colourful(pool).split()
        self.views = Views(kept, size)
        held_views = Views(held, size, with_reference=1, foreign=0, jittered=0)
        rng = np.random.default_rng(seed)
        self.held = tuple(
            torch.from_numpy(np.stack(planes)).permute(0, 3, 1, 2)
            for planes in zip(*(held_views.draw(rng) for _ in range(_VALIDATED)), strict=True)
        )
        self.rarity = self.rarities(rng)

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
        """Return luminance, chroma at half size, and reference."""
        luminance, chroma, reference = self.views.draw(rng)
        halved = chroma.reshape(chroma.shape[0] // 2, 2, -1, 2, 2).mean(axis=(1, 3))
        return luminance, halved, reference

    def loss(
        self, net: torch.nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the loss; samples with and without a reference run apart, each at its cost."""
        luminance, chroma, reference = batch
        given = reference[:, 3].flatten(1).amax(dim=1) > 0
        parts, figures = [], {}
        for name, chosen in (("given", given), ("alone", ~given)):
            if bool(chosen.any()):
                planes = (reference[chosen],) if name == "given" else ()
                output = net.distribution(luminance[chosen], *planes)
                part, figures[name] = self.distance(net, output, chroma[chosen])
                parts.append(part * chosen.float().mean())
        blank = {"given": float("nan"), "alone": float("nan")}
        return torch.stack(parts).sum(), blank | figures

    def distance(
        self, net: torch.nn.Module, output: tuple[Tensor, Tensor], chroma: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of one output and its mean chroma error in units of a*, b*."""
        probability, residual = output
        error = net.mean(probability, residual) - chroma
        squared = error.square().sum(1)
        near = (squared + _CHARBONNIER**2).sqrt().mean()
        coarse = functional.avg_pool2d(error, 4)
        rough = coarse.diff(dim=2).abs().mean() + coarse.diff(dim=3).abs().mean()
        truth = net.histogram(functional.avg_pool2d(chroma, 2))
        rarity = self.rarity.to(truth.device)[truth.argmax(dim=1)]
        entropy = -(rarity * (truth * torch.log(probability)).sum(dim=1)).mean()
        return 10 * near + 5 * rough + 0.25 * entropy, 100 * squared.detach().sqrt().mean()

    def rarities(self, rng: np.random.Generator, share: float = 0.9) -> Tensor:
        """Return the weight of each colour bin: rare ones count more, 1 on average."""
        drawn = [self.views.draw(rng)[1] for _ in range(_PRIOR_SAMPLES)]
        chroma = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2)
        frequency = self.net.histogram(functional.avg_pool2d(chroma, 8)).mean(dim=(0, 2, 3))
        weight = 1 / ((1 - share) * frequency + share / len(frequency))
        return weight / (weight * frequency).sum()

    def validate(self, net: torch.nn.Module) -> Mapping[str, float]:
        """Measure the mean chroma error with a reference of the same scene, and without."""
        errors: dict[str, list[float]] = {"given": [], "alone": []}
        for luminance, chroma, reference in zip(*(p.split(16) for p in self.held), strict=True):
            truth = functional.avg_pool2d(chroma, 2)
            for name, planes in (("given", (reference,)), ("alone", ())):
                error = (net(luminance, *planes).float() - truth).square().sum(1).sqrt().mean()
                errors[name].append(100 * float(error))
        figures = {name: float(np.mean(values)) for name, values in errors.items()}
        grey = 100 * float(self.held[1].square().sum(1).sqrt().mean())
        return {"score": -sum(figures.values()) / 2, **figures, "grey": grey}
