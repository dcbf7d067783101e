"""Training of the inpainter: diffusion from a picture with filled holes to the whole one."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix.training import PhotoPool, TrainRequest, charbonnier
from oldfix_diffusion.bank_task import (
    HELD_OUT_SEED,
    BankTask,
    filled_banks,
    train_on_bank,
)
from oldfix_diffusion.denoiser import Denoiser
from oldfix_diffusion.inpainting import HoleBank, make_example
from oldfix_diffusion.net import FACTOR, Autoencoder
from oldfix_diffusion.train_restorer import LATENT_WEIGHT, on_the_way

NAME = "inpainter-s"


def train(request: TrainRequest) -> Path:
    """Train the inpainter; writes ``inpainter-s.safetensors`` and ``.json`` with its figures."""
    return train_on_bank(request, NAME, partial(InpaintTask, seed=request.seed))


class InpaintTask(BankTask):
    """Filled holes to be made picture again, from every point of the way.

    Args:
        photographs: to cut crops from; every twentieth is held out.
        latent: the autoencoder, frozen.
        net: what is trained.
        seed: of the examples.
        count: how many examples are made, once.
        holes: how many masks are drawn to cut them with.
    """

    def __init__(
        self,
        photographs: PhotoPool,
        latent: Autoencoder,
        net: Denoiser,
        *,
        seed: int = 0,
        count: int = 8000,
        holes: int = 1200,
    ) -> None:
        pool, validation = photographs.split()
        cut = HoleBank.drawn(np.random.default_rng([seed, 1]), holes)
        unseen = HoleBank.drawn(np.random.default_rng(HELD_OUT_SEED), 64)
        makers = partial(make_example, pool, cut), partial(make_example, validation, unseen)
        super().__init__(*filled_banks(makers, latent, count, seed=seed), latent, net)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """PSNR inside the holes of the half at t = 1, decoded, and the latent's loss of all."""
        _, target, squares, z_start, z_target = batch
        z_t, t = on_the_way(z_target, z_start)
        z = net(z_t, squares, t)
        touched = squares.amax(dim=1, keepdim=True)
        distance = self.worth.to(z.device) * charbonnier(z - z_target) * touched
        latent = distance.sum() / (touched.sum() * z.shape[1]).clamp(min=1)
        half = (len(z) + 1) // 2
        mask = functional.pixel_shuffle(squares[:half], FACTOR)
        decoded = self.latent.decode(z[:half])
        errors = error_inside(decoded, target[:half], mask, floor=3e-4).mean()
        loss = errors + LATENT_WEIGHT * latent
        return loss, {"inside": -10 * errors.detach(), "latent": latent.detach()}

    def validate(self, net: nn.Module) -> dict[str, float]:
        """Mean PSNR inside the holes: of one step, of the fill it starts from; score: the gain."""
        device, rows = next(net.parameters()).device, []
        for batch in self.held_out.batches(8):
            rest, target, squares, z_start, _ = (value.to(device) for value in batch)
            mask = functional.pixel_shuffle(squares, FACTOR)
            painted = self.latent.decode(net(z_start, squares, 1.0)).clamp(0, 1)
            start = rest + self.latent.decode(z_start)
            rows.append(torch.stack([error_inside(x, target, mask) for x in (painted, start)]))
        inside, filled = (-10 * torch.cat(rows, dim=1).mean(dim=1)).tolist()
        return {"score": inside - filled, "inside": inside, "filled": filled}


def error_inside(x: Tensor, target: Tensor, mask: Tensor, *, floor: float = 1e-6) -> Tensor:
    """log10 of every picture's mean squared error inside its mask, (N, 3, H, W) to (N,)."""
    errors = ((x - target).square() * mask).sum(dim=(1, 2, 3))
    counted = (3 * mask.sum(dim=(1, 2, 3))).clamp(min=1)
    return (errors / counted + floor).log10()
