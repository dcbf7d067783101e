"""Training of the upscaler: diffusion from an enlarged small copy to the picture itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from oldfix.training import PhotoPool, TrainRequest, charbonnier
from oldfix_diffusion.bank_task import BankTask, filled_banks, train_on_bank
from oldfix_diffusion.denoiser import Denoiser
from oldfix_diffusion.net import Autoencoder
from oldfix_diffusion.train_latent import log_error
from oldfix_diffusion.train_restorer import LATENT_WEIGHT, on_the_way
from oldfix_diffusion.upscaling import FACTORS, make_example

NAME = "upscaler-s"


def train(request: TrainRequest) -> Path:
    """Train the upscaler; writes ``upscaler-s.safetensors`` and ``.json`` with its figures."""
    return train_on_bank(request, NAME, partial(UpscaleTask, seed=request.seed), known=1)


class UpscaleTask(BankTask):
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
        makers = (partial(make_example, pool) for pool in photographs.split())
        super().__init__(*filled_banks(makers, latent, count, seed=seed), latent, net)

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
        loss = errors + LATENT_WEIGHT * latent
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
