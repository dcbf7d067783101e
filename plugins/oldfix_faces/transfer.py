"""Start the refiner's head from the restorer, which has seen far more photographs.

The head is the restorer's U-Net without the time: the same levels on squares of 4x4 pixels. Where
a latent is close to linear in those squares (the latent-f4 is, but for a five-hundredth of its
variance), the U-Net's first and last layers can be told of squares instead of latents, and it says
much the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldfix import TimedResidual, TimedUNet, discover
from oldfix.training import PhotoPool, TrainRequest, fit, installed_network, publish
from oldfix.training.recipes import TrainingRecipe
from oldfix_faces.detail import FOLD, DetailHead
from oldfix_faces.refiner_net import build, config_small, load
from oldfix_faces.refiner_task import RefinerTask, read_faces

#: Cards of the restorer and of the autoencoder in whose latent it works.
_RESTORER, _LATENT = "restorer-s", "latent-f4-s"
#: Crops that the linear maps are fitted on, and their side in pixels.
_CROPS, _SIDE = 60, 128
#: Size of the change of the latent that the map back to pixels is fitted on.
_CHANGE = 0.1


def train_from_restorer(request: TrainRequest, recipe: TrainingRecipe, name: str) -> Path:
    """Train a refiner whose head starts as the installed restorer; ``init`` gives the rest.

    Raises:
        WeightsError: the restorer or its autoencoder is not installed.
    """
    pool, net = read_faces(request.data), build({**config_small(), **recipe.network})
    if request.init is not None:
        net = load(request.init)
    assert net.detail is not None
    cards = discover().cards
    restorer, latent = (installed_network(cards[c]) for c in (_RESTORER, _LATENT))
    with torch.no_grad():
        start_head(net.detail, restorer.denoiser, latent, pool)
    settings = recipe.phases["transfer"].settings
    task = RefinerTask(pool, net, part="finish")
    best = fit(task, settings, replace(recipe.part(request, "transfer"), init=None))
    return publish(
        best, request, name, recipe=recipe, figures=task.validate(best), photographs=pool
    )


def start_head(head: DetailHead, unet: TimedUNet, latent: nn.Module, pool: PhotoPool) -> None:
    """Give a head the layers of a U-Net of the latent, as it is at time 1; without gradients.

    Blocks beyond the head's are left out. What the head is told besides (the coarse correction)
    counts nothing at first.

    Args:
        head: to start; its widths are the U-Net's.
        unet: predicts what to add to a latent of squares of 4x4 pixels; its first inputs are the
            latent.
        latent: ``encode`` and ``decode`` (N, 3, H, W) in [0, 1].
        pool: photographs that the maps between squares and latents are fitted on.
    """
    time = unet.time(torch.ones(1))
    for ours, theirs in zip([*head.down, *head.up], [*unet.down, *unet.up], strict=True):
        _copy_blocks(ours, theirs, time)
    head.shrink.load_state_dict(unet.shrink.state_dict())
    head.grow.load_state_dict(unet.grow.state_dict())
    into, out = linear_maps(latent, pool)
    entry = unet.entry.weight[:, : into.shape[1]]
    squares = 3 * FOLD * FOLD
    head.entry.weight.zero_()
    head.entry.weight[:, :squares] = torch.einsum("ozhw,pz->ophw", entry, into[:-1])
    head.entry.bias.copy_(unet.entry.bias + torch.einsum("ozhw,z->o", entry, into[-1]))
    head.exit.weight.copy_(torch.einsum("zihw,zp->pihw", unet.exit.weight, out))
    head.exit.bias.copy_(unet.exit.bias @ out)


def linear_maps(latent: nn.Module, pool: PhotoPool) -> tuple[Tensor, Tensor]:
    """Fit an autoencoder by linear maps, by least squares on crops of photographs.

    Returns:
        (49, C): squares less 0.5, and a one, to the latent; (C, 48): a change of the latent to the
        change of the squares.
    """
    rng, noise = np.random.default_rng(0), torch.Generator().manual_seed(0)
    crops = torch.from_numpy(np.stack([pool.crop(rng, _SIDE) for _ in range(_CROPS)]))
    x = crops.permute(0, 3, 1, 2)
    z = latent.encode(x)
    change = _CHANGE * torch.randn(z.shape, generator=noise)
    changed = F.pixel_unshuffle(latent.decode(z + change) - latent.decode(z), FOLD)
    squares = _rows(F.pixel_unshuffle(x - 0.5, FOLD))
    told = torch.cat([squares, torch.ones(len(squares), 1)], dim=1)
    into = torch.linalg.lstsq(told, _rows(z)).solution
    return into, torch.linalg.lstsq(_rows(change), _rows(changed)).solution


def _copy_blocks(ours: nn.Sequential, theirs: Sequence[TimedResidual], time: Tensor) -> None:
    """Copy as many blocks as there are of ours, what the time does to them folded in."""
    for block, timed in zip(ours, theirs, strict=False):
        scale, shift = timed.film(time)[0].chunk(2)
        block.first.weight.copy_(timed.first.weight * (1 + scale)[:, None, None, None])
        block.first.bias.copy_(timed.first.bias * (1 + scale) + shift)
        block.second.load_state_dict(timed.second.state_dict())


def _rows(x: Tensor) -> Tensor:
    """(N, C, H, W) to (N H W, C)."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])
