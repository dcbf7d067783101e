"""The network that all diffusion in the latent here shares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from oldfix import TimedUNet, load_network
from oldfix_diffusion.net import FACTOR


class Denoiser(TimedUNet):
    """A U-Net in the latent: ``z_0`` from ``z_t``, the time and what is known besides.

    It is not given ``z_T``: from ``z_t`` and ``z_T`` together ``z_0`` follows by algebra, and a
    network that may do so learns nothing about pictures.

    Args:
        channels: latent channels.
        widths: channels of the levels, finest first.
        blocks: residual blocks of the levels on the way down; as many on the way up.
        known: planes of what is known besides the state: the defect mask's pixels, say.
    """

    def __init__(
        self,
        channels: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        known: int = FACTOR * FACTOR,
    ) -> None:
        super().__init__(channels + known, channels, widths, blocks)
        self.config = {
            "channels": channels,
            "widths": list(widths),
            "blocks": list(blocks),
            "known": known,
        }

    def forward(self, z: Tensor, known: Tensor, t: Tensor | float) -> Tensor:
        """Predict ``z_0``.

        Args:
            z: (N, channels, h, w), ``z_t``.
            known: (N, known, h, w), what is known besides.
            t: (N,), or one number for all, in [0, 1]; 1 is the photograph as found.

        Returns:
            (N, channels, h, w) float32.
        """
        return z + self.said(torch.cat([z, known], dim=1), t)


def load_denoiser(path: Path) -> Denoiser:
    """Read a `Denoiser` from a weights file.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, Denoiser, "a denoiser of latents")


def tiny_upscaler() -> Denoiser:
    """A `Denoiser` of a few thousand random parameters that is told a factor."""
    return _tiny(known=1)


def tiny_inpainter() -> Denoiser:
    """A `Denoiser` of a few thousand random parameters that is told a mask."""
    return _tiny(known=FACTOR * FACTOR)


def _tiny(known: int) -> Denoiser:
    """Random, for the latent of ``tiny_autoencoder``."""
    torch.manual_seed(0)
    net = Denoiser(4, (8, 12), (1, 1), known)
    nn.init.normal_(net.exit.weight, std=0.02)
    net.eval()
    return net
