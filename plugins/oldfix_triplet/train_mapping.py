"""Stage two: the mapping network T between the latents of two finished autoencoders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping as Table
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from oldfix.training import TrainRequest, installed, judged_by, publish, read_recipe, start_from
from oldfix_triplet import CARDS
from oldfix_triplet.discriminators import OWN, PatchDiscriminator
from oldfix_triplet.examples import RECIPES, Domains, held_pairs
from oldfix_triplet.losses import feature_matching, lsgan, psnr, reconstruction
from oldfix_triplet.mapping import Mapping
from oldfix_triplet.phases import measured, trained
from oldfix_triplet.vae import FACTOR, VaePair, load

NAME = "triplet-mapping-s"
_HELD = 64
Figures = dict[str, float | Tensor]


class MappingGame(nn.Module):  # type: ignore[misc]
    """T and the discriminator it is trained against.

    Args:
        mapping: arguments of `Mapping`.
        latent: lambda1, weight of ``||T(z_x) - z_y||_1``; 60 in the paper.
        features: lambda2, weight of the feature matching; 10 in the paper.
        gan: weight of the discriminator; 1 in the paper. 0 leaves it and feature matching out.
        pixels: weight of L1 and PSNR of the decoded picture; 0 in the paper, whose code has a
            VGG loss instead.
        width: of the discriminator; 64 in the paper.
    """

    def __init__(
        self,
        mapping: dict[str, Any] | None = None,
        *,
        latent: float = 60.0,
        features: float = 10.0,
        gan: float = 1.0,
        pixels: float = 0.0,
        width: int = 64,
    ) -> None:
        super().__init__()
        self.mapping = Mapping(**(mapping or {}))
        self.latent, self.features, self.gan, self.pixels = latent, features, gan, pixels
        self.judge = PatchDiscriminator(6, width) if gan else None

    def against(self, decoded: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """LSGAN and feature matching, conditional on x, with the discriminator's own loss."""
        if self.judge is None:
            return torch.zeros((), device=x.device)
        made, true = torch.cat([x, decoded], dim=1), torch.cat([x, y], dim=1)
        seen, wanted = judged_by(self.judge)(made), self.judge(true)
        own = OWN * 0.5 * (lsgan(self.judge(made.detach()), 0.0) + lsgan(wanted, 1.0))
        fooling = self.gan * lsgan(seen, 1.0) + self.features * feature_matching(seen, wanted)
        return fooling + own


class PairTask(ABC):
    """Pairs of x and y with masks, and the frozen autoencoders: what T and diffusion share.

    Args:
        domains: photographs.
        vaes: the autoencoders.
        net: what is trained.
        recipes: of the damage between x and y, see `Domains.pair`.
    """

    def __init__(
        self,
        domains: Domains,
        vaes: VaePair,
        net: nn.Module,
        recipes: Table[str, float] = RECIPES,
    ) -> None:
        self.domains, held = domains.split()
        self.vaes = vaes.requires_grad_(False)
        self.net, self.recipes = net, recipes
        self.held = held_pairs(held, _HELD, recipes)

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """See `Domains.pair`."""
        return self.domains.pair(rng, self.recipes)

    def latents(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """z_x and z_y, the posterior means."""
        with torch.no_grad():
            return self.vaes.found.encode(x), self.vaes.clean.encode(y)

    @abstractmethod
    def mapped(self, net: nn.Module, z_x: Tensor, mask: Tensor) -> Tensor:
        """The clean latent that a network guesses in one step."""

    def validate(self, net: nn.Module) -> dict[str, float]:
        """PSNR of the mean squared error of held-out pairs, see `pooled_psnr`; score: restored."""
        device = next(net.parameters()).device
        held = (column.to(device) for column in self.held)
        found = pooled_psnr(self.vaes, lambda z, mask: self.mapped(net, z, mask), *held)
        return {"score": found.pop("restored"), **found}


def pooled_psnr(
    vaes: VaePair, mapped: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor, mask: Tensor
) -> dict[str, float]:
    """PSNR in dB of the mean squared error over all pairs: restored, as found, and the ceiling.

    The ceiling is what the autoencoder of clean photographs leaves of them.

    Args:
        vaes: the autoencoders.
        mapped: from a latent and the mask at its size to the clean latent.
        x: (N, 3, H, W), marked pixels hidden.
        y: (N, 3, H, W).
        mask: (N, 1, H, W).
    """
    errors = []
    for a, b, m in zip(*(column.split(16) for column in (x, y, mask)), strict=True):
        z = mapped(vaes.encode(a), squares(m))
        pictures = (vaes.decode(z), a, vaes.clean(b))
        errors.append([(p.clamp(0, 1) - b).square().mean() for p in pictures])
    pooled = [-10 * torch.stack(column).mean().log10() for column in zip(*errors, strict=True)]
    return dict(zip(("restored", "found", "ceiling"), map(float, pooled), strict=True))


class MappingTask(PairTask):
    """Trains T."""

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, Figures]:
        """``lambda1 L1 + LSGAN + lambda2 FM`` (equation 4), and pixels where they have a weight."""
        assert isinstance(net, MappingGame)
        x, y, mask = batch
        z_x, z_y = self.latents(x, y)
        z = net.mapping(z_x, squares(mask))
        latent = (z - z_y).abs().mean()
        decoded = self.vaes.decode(z)
        loss = net.latent * latent + net.against(decoded, x, y)
        pixels, decibels = pixel_loss(decoded, y)
        loss = loss + net.pixels * pixels
        return loss, {"latent": latent.detach(), "psnr": decibels}

    def mapped(self, net: nn.Module, z_x: Tensor, mask: Tensor) -> Tensor:
        """``T(z_x)``."""
        assert isinstance(net, MappingGame)
        mapped: Tensor = net.mapping(z_x, mask)
        return mapped


def train(request: TrainRequest) -> Path:
    """Train T on the autoencoders in the folder ``triplet-vae-s`` beside, or the installed ones.

    Writes ``triplet-mapping-s.safetensors`` with its figures.
    """
    recipe = read_recipe(Path(__file__).with_name("training.toml"), NAME, request)
    domains = Domains.read(request.data)
    vaes = finished_vaes(request).to(request.device)
    game = MappingGame(**recipe.network)
    if request.init is not None:
        start_from(game.mapping, request.init)
    task = MappingTask(domains, vaes, game)
    game = trained(game, task, recipe, request, "whole")
    figures = measured(task, game)
    return publish(
        game.mapping, request, NAME, recipe=recipe, figures=figures, photographs=domains.clean
    )


def finished_vaes(request: TrainRequest) -> VaePair:
    """The autoencoders of the run beside, or those installed."""
    card = next(card for card in CARDS if card.id == "triplet-vae-s")
    beside = request.out.parent / card.id / card.file
    return load(beside if beside.is_file() else installed(card))


def squares(mask: Tensor) -> Tensor:
    """(N, 1, H, W) mask to (N, 1, H/4, W/4): 1 where a latent position holds a marked pixel."""
    return functional.max_pool2d(mask, FACTOR)


def pixel_loss(decoded: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """L1 less 0.002 of the mean PSNR, by which mild and heavy damage count alike.

    Returns:
        The loss, and the mean PSNR in dB.
    """
    decibels = psnr(decoded, y).mean()
    return reconstruction(decoded, y) - 0.002 * decibels, decibels.detach()
