"""The alternative to T: diffusion from the latent of found photographs to that of clean ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from oldfix.training import TrainRequest, publish, read_recipe, start_from
from oldfix_triplet.bridge import Bridge, between
from oldfix_triplet.examples import FIRST, RECIPES, Domains
from oldfix_triplet.phases import measured, trained
from oldfix_triplet.train_mapping import (
    Figures,
    PairTask,
    finished_vaes,
    pixel_loss,
    squares,
)

NAME = "triplet-diffusion-s"


class BridgeGame(nn.Module):  # type: ignore[misc]
    """The diffusion's network and the weights of its losses.

    Args:
        bridge: arguments of `Bridge`.
        latent: weight of L1 in the latent, at all times.
        pixels: weight of the decoded picture, at t = 1.
    """

    def __init__(
        self, bridge: dict[str, Any] | None = None, *, latent: float = 60.0, pixels: float = 0.0
    ) -> None:
        super().__init__()
        self.bridge = Bridge(**(bridge or {}))
        self.latent, self.pixels = latent, pixels


class BridgeTask(PairTask):
    """Trains the diffusion; half of each batch is at t = 1, the time that one step sees."""

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, Figures]:
        """L1 in the latent from all points of the way, pixels from its beginning."""
        assert isinstance(net, BridgeGame)
        x, y, mask = batch
        z_x, z_y = self.latents(x, y)
        half = (len(x) + 1) // 2
        t = torch.rand(len(x), device=x.device)
        t[:half] = 1.0
        z = net.bridge.predict(between(z_y, z_x, t), squares(mask), t)
        latent = (z - z_y).abs().mean()
        pixels, decibels = pixel_loss(self.vaes.decode(z[:half]), y[:half])
        loss = net.latent * latent + net.pixels * pixels
        return loss, {"latent": latent.detach(), "psnr": decibels}

    def mapped(self, net: nn.Module, z_x: Tensor, mask: Tensor) -> Tensor:
        """One step from t = 1."""
        assert isinstance(net, BridgeGame)
        mapped: Tensor = net.bridge.predict(z_x, mask, 1.0)
        return mapped


#: Which damage each phase undoes: one kind first, then all of it.
_DAMAGE = {"blur-noise": FIRST, "whole": RECIPES}


def train(request: TrainRequest) -> Path:
    """Train the diffusion on the autoencoders of the run beside, or the installed ones.

    It learns to undo blur and noise first, then all damage. Writes
    ``triplet-diffusion-s.safetensors`` with its figures: those of all damage, and of blur and
    noise when it had learnt these alone.
    """
    recipe = read_recipe(Path(__file__).with_name("training.toml"), NAME, request)
    domains = Domains.read(request.data)
    vaes = finished_vaes(request).to(request.device)
    game = BridgeGame(**recipe.network)
    if request.init is not None:
        start_from(game.bridge, request.init)
    figures: dict[str, float] = {}
    for phase in recipe.phases:
        task = BridgeTask(domains, vaes, game, _DAMAGE[phase])
        game = trained(game, task, recipe, request, phase)
        prefix = "" if phase == "whole" else f"{phase}_"
        figures |= {f"{prefix}{name}": value for name, value in measured(task, game).items()}
    return publish(
        game.bridge, request, NAME, recipe=recipe, figures=figures, photographs=domains.clean
    )
