"""Training of the denoiser on pairs of noisy and clean crops, at all points of the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix import between
from oldfix.degrade.noise import gaussian_noise
from oldfix.training import PhotoPool, TrainRequest, charbonnier, fit, publish, read_recipe
from oldfix_denoise.baselines import BASELINES
from oldfix_denoise.examples import SHARES, make_pair
from oldfix_denoise.net import PixelDenoiser

NAME = "denoiser-px-s"
#: Recipes of this plugin.
TRAINING = Path(__file__).with_name("training.toml")
#: What can be trained, by name.
NETWORKS: Mapping[str, Callable[..., nn.Module]] = {NAME: PixelDenoiser, **BASELINES}
#: Deviations of the white noise validated with, in 8-bit levels.
SIGMAS = (15, 25, 50)
_HELD_OUT, _HELD_OUT_PX = 16, 96

Loss = Callable[[Tensor], Tensor]


def train(request: TrainRequest) -> Path:
    """Train the denoiser; writes ``denoiser-px-s.safetensors`` with its figures beside it."""
    return train_network(NAME, request)


def train_dncnn(request: TrainRequest) -> Path:
    """Train `DnCNN` on the same noise; writes ``dncnn-s.safetensors``."""
    return train_network("dncnn-s", request)


def train_nlrn(request: TrainRequest) -> Path:
    """Train `NLRN` on the same noise; writes ``nlrn-s.safetensors``."""
    return train_network("nlrn-s", request)


def train_network(name: str, request: TrainRequest, steps: int | None = None) -> Path:
    """Train the denoiser or one of its baselines for the time box, and write it into the folder.

    Args:
        name: a key of `NETWORKS`. The phases of its recipe are named after losses, see `LOSSES`.
        request: what to train on, where to, for how long.
        steps: so many in each phase, instead of a time box; a busy machine changes nothing then.

    Raises:
        UsageError: there is no such recipe, or no photographs.
    """
    recipe = read_recipe(TRAINING, name, request)
    pool = PhotoPool.read(request.data, max_side=1024)
    task = DenoiseTask(pool, NETWORKS[name](**recipe.network), one_step=name != NAME)
    for name_of_loss, phase in recipe.phases.items():
        task.measure = LOSSES[name_of_loss]
        settings = replace(phase.settings, steps=steps or phase.settings.steps)
        task.net = fit(task, settings, recipe.part(request, name_of_loss))
    with torch.inference_mode():
        figures = task.validate(task.net)
    return publish(task.net, request, name, recipe=recipe, figures=figures, photographs=pool)


#: What an error costs, by the names of the recipes' phases. The epsilon of arXiv 2305.04457 could
#: not be verified; it is the usual one.
LOSSES: Mapping[str, Loss] = {"charbonnier": charbonnier, "l2": torch.square}


@dataclass
class DenoiseTask:
    """Noisy crops to be cleaned, from every point of the way between noisy and clean.

    Attributes:
        photographs: to cut crops from; every twentieth is held out.
        net: what is trained: (N, 3, H, W) at t (N,) to the clean picture.
        measure: what an error costs, one of `LOSSES`.
        one_step: show it the noisy crops alone, as networks without a time want it.
    """

    photographs: PhotoPool
    net: nn.Module
    measure: Loss = charbonnier
    one_step: bool = False

    def __post_init__(self) -> None:
        self.pool, validation = self.photographs.split()
        self.held_out = _held_out(validation)

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """Return (noisy, clean); see `oldfix_denoise.examples.make_pair`."""
        return make_pair(self.pool, rng)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Return the distance of ``S(x_t, t)`` from ``x_0``; half of the batch is at t = 1.

        That half sees what one step sees. Drawing t evenly, as arXiv 2305.04457 does, spends
        next to nothing on the one state that every restoration begins with.
        """
        noisy, clean = batch
        t = torch.rand(len(noisy), device=noisy.device)
        at_once = len(t) if self.one_step else (len(t) + 1) // 2
        t[:at_once] = 1.0
        state = between(clean, noisy, t[:, None, None, None])
        errors = self.measure(net(state, t) - clean)
        return errors.mean(), {"one_step": errors[:at_once].detach().mean()}

    def validate(self, net: nn.Module) -> Mapping[str, float]:
        """Mean PSNR of one step over held-out crops, for each kind of noise; score: their mean."""
        device = next(net.parameters()).device
        figures = {}
        for name, (noisy, clean) in self.held_out.items():
            t = torch.ones(len(noisy), device=device)
            guess = net(noisy.to(device), t).float().clamp(0, 1)
            errors = (guess - clean.to(device)).square().mean(dim=(1, 2, 3))
            figures[name] = float(-10 * errors.clamp(min=1e-6).log10().mean())
        return {"score": float(np.mean(list(figures.values()))), **figures}


def _held_out(pool: PhotoPool) -> dict[str, tuple[Tensor, Tensor]]:
    """Pairs to validate with, the same every time: white noise of each sigma, and real-like."""
    found = {}
    for number, name in enumerate([*(f"white-{sigma}" for sigma in SIGMAS), *SHARES]):
        pairs = []
        for index in range(_HELD_OUT):
            rng = np.random.default_rng([7, number, index])
            if name in SHARES:
                pairs.append(make_pair(pool, rng, kind=name, size=_HELD_OUT_PX))
            else:
                clean = pool.crop(rng, _HELD_OUT_PX)
                pairs.append((gaussian_noise(clean, rng=rng, std=SIGMAS[number]), clean))
        columns = [np.stack(column) for column in zip(*pairs, strict=True)]
        noisy, clean = (torch.from_numpy(c).permute(0, 3, 1, 2).contiguous() for c in columns)
        found[name] = (noisy, clean)
    del found["white"], found["strong"]  # the fixed strengths say more
    return found
