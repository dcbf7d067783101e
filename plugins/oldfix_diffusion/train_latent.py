"""Training of the autoencoder."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix.training import PhotoPool, TrainRequest, fit, installed, publish, read_recipe
from oldfix_diffusion import CARDS
from oldfix_diffusion.net import Autoencoder, load_autoencoder

_log = logging.getLogger("oldfix.training")
NAME = "latent-f4-s"
_CROP = 96


def train(request: TrainRequest) -> Path:
    """Train the autoencoder; writes ``latent-f4-s.safetensors`` and ``.json`` with its figures."""
    recipe = read_recipe(Path(__file__).with_name("training.toml"), NAME, request)
    photographs = PhotoPool.read(request.data, max_side=1024)
    task = LatentTask(photographs, Autoencoder(**recipe.network))
    net = fit(task, recipe.phases["whole"].settings, recipe.part(request, "whole"))
    assert isinstance(net, Autoencoder)
    standardise(net, task.held_out)
    with torch.inference_mode():
        figures = task.validate(net)
    return publish(
        net,
        request,
        NAME,
        recipe=recipe,
        figures=figures,
        photographs=photographs,
    )


class LatentTask:
    """Crops, some of them grey, to be told again; the loss is the mean PSNR of the batch."""

    def __init__(self, photographs: PhotoPool, net: Autoencoder) -> None:
        self.pool, validation = photographs.split()
        self.net = net
        rng = np.random.default_rng(1)
        crops = np.stack([validation.crop(rng, 128, shrink=0.0) for _ in range(48)])
        self.held_out = torch.from_numpy(crops).permute(0, 3, 1, 2)

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """One (96, 96, 3) crop; one in ten is grey."""
        crop = self.pool.crop(rng, _CROP)
        if rng.random() < 0.1:
            crop = np.repeat(crop.mean(axis=2, keepdims=True), 3, axis=2)
        return (crop,)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Mean over the crops of log10(MSE): the PSNR itself, up to a factor."""
        loss = log_error(net(batch[0]), batch[0]).mean()
        return loss, {"psnr": -10.0 * loss.detach()}

    def validate(self, net: nn.Module) -> dict[str, float]:
        """Mean PSNR over held-out crops of 128 pixels."""
        x = self.held_out.to(next(net.parameters()).device)
        errors = [log_error(net(part).clamp(0, 1), part) for part in x.split(8)]
        return {"score": float(-10.0 * torch.cat(errors).mean())}


def finished_latent(request: TrainRequest) -> Autoencoder:
    """The autoencoder trained in the folder beside a run's, if there is one, else the installed."""
    card = CARDS[0]
    beside = request.out.parent / card.id / card.file
    file = beside if beside.is_file() else installed(card)
    _log.info("in the latent of %s", file)
    return load_autoencoder(file)


def log_error(x: Tensor, target: Tensor, *, floor: float = 1e-7) -> Tensor:
    """log10 of every picture's mean squared error plus ``floor``, (N, 3, H, W) to (N,)."""
    return (x - target).square().mean(dim=(1, 2, 3)).add(floor).log10()


def standardise(net: Autoencoder, pictures: Tensor) -> None:
    """Set the latent's mean and standard deviation from (N, 3, H, W) pictures."""
    net.mean.zero_()
    net.std.fill_(1.0)
    with torch.inference_mode():
        z = net.encode(pictures)
    std, mean = torch.std_mean(z.double(), dim=(0, 2, 3), keepdim=True)
    net.mean.copy_(mean)
    net.std.copy_(std)
