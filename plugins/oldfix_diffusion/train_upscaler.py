"""Training of the upscaler: diffusion from an enlarged small copy to the picture itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix.training import PhotoPool, TrainRequest, fit, publish, read_recipe
from oldfix_diffusion.bank import Bank
from oldfix_diffusion.denoiser import Denoiser
from oldfix_diffusion.net import Autoencoder
from oldfix_diffusion.train_latent import finished_latent, log_error
from oldfix_diffusion.train_restorer import channel_worth, charbonnier, on_the_way
from oldfix_diffusion.upscaling import FACTORS, make_example

NAME = "upscaler-s"
#: Weight of the latent's loss beside that of the finished picture.
_LATENT_WEIGHT = 0.1
_HELD_OUT_SEED = 2**31


def train(request: TrainRequest) -> Path:
    """Train the upscaler; writes ``upscaler-s.safetensors`` and ``.json`` with its figures."""
    recipe = read_recipe(Path(__file__).with_name("training.toml"), NAME, request)
    latent = finished_latent(request).to(request.device)
    pool = PhotoPool.read(request.data, max_side=1024)
    net = Denoiser(latent.config["channels"], **recipe.network, known=1)
    task = UpscaleTask(pool, latent, net, seed=request.seed)
    trained = fit(task, recipe.phases["whole"].settings, recipe.part(request, "whole"))
    with torch.inference_mode():
        figures = task.validate(trained.to(request.device))
    return publish(trained, request, NAME, recipe=recipe, figures=figures, photographs=pool)


class UpscaleTask:
    """Small copies to be enlarged, from every point of the way.

    Args:
        photographs: to cut crops from; every twentieth is held out.
        latent: the autoencoder, frozen.
        net: what is trained.
        seed: of the examples.
        count: how many examples are made, once.
    """

    def __init__(
        self,
        photographs: PhotoPool,
        latent: Autoencoder,
        net: Denoiser,
        *,
        seed: int = 0,
        count: int = 2400,
    ) -> None:
        pool, validation = photographs.split()
        self.latent, self.net = latent.requires_grad_(False), net
        self.worth = channel_worth(latent)
        self.bank = Bank.filled(partial(make_example, pool), latent, count, seed=seed)
        self.held_out = Bank.filled(
            partial(make_example, validation), latent, min(64, count), seed=_HELD_OUT_SEED
        )

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """One of the bank's examples; see `Bank.row`."""
        return self.bank.row(int(rng.integers(len(self.bank))))

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """PSNR of the half at t = 1, decoded, and the latent's loss of all."""
        rest, target, factor, z_start, z_target = batch
        z_t, t = on_the_way(z_target, z_start)
        z = net(z_t, planes(factor, z_t), t)
        latent = (self.worth.to(z.device) * charbonnier(z - z_target)).mean()
        half = (len(z) + 1) // 2
        finished = rest[:half] + self.latent.decode(z[:half])
        errors = log_error(finished, target[:half], floor=1e-5).mean()
        loss = errors + _LATENT_WEIGHT * latent
        return loss, {"psnr": -10 * errors.detach(), "latent": latent.detach()}

    def validate(self, net: nn.Module) -> dict[str, float]:
        """Mean gain of one step in PSNR over the bicubic start, for each factor; score: mean."""
        device, gains, factors = next(net.parameters()).device, [], []
        for batch in self.held_out.batches(8):
            rest, target, factor, z_start, _ = (value.to(device) for value in batch)
            z = net(z_start, planes(factor, z_start), 1.0)
            pair = (rest + self.latent.decode(value) for value in (z_start, z))
            start, finished = (log_error(x.clamp(0, 1), target, floor=1e-6) for x in pair)
            gains.append(10 * (start - finished))
            factors.append(factor.flatten())
        gain, plane = torch.cat(gains), torch.cat(factors)
        each = {f"x{f}": float(gain[plane == n].mean()) for n, f in enumerate(FACTORS)}
        return {"score": float(np.mean(list(each.values()))), **each}


def planes(factor: Tensor, z: Tensor) -> Tensor:
    """(N, 1, 1, 1) to (N, 1, h, w)."""
    return factor.expand(-1, -1, *z.shape[2:])
