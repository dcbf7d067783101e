"""Diffusion from the latent of a photograph as found to that of a clean one, in place of T.

All states lie on the line ``z_t = (1 - t) z_y + t z_x``, t from 1 to 0. The network sees z_t and
t, never z_x: from both of them z_y follows by algebra, and nothing would be learnt.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from oldfix import TimedResidual, TimeEmbedding, load_network

State = NDArray[np.float32]
_EMBEDDING = 64


class Bridge(nn.Module):  # type: ignore[misc]
    """``z_y`` from ``z_t``, the time and the mask.

    Args:
        channels: latent channels.
        width: channels of the hidden layers.
        blocks: residual blocks, each scaled and shifted by the time.
        shrink: the network works on squares of so many latent positions at a time.
    """

    def __init__(
        self, channels: int = 16, width: int = 128, blocks: int = 4, shrink: int = 2
    ) -> None:
        super().__init__()
        self.config = {"channels": channels, "width": width, "blocks": blocks, "shrink": shrink}
        self.shrink, square = shrink, shrink * shrink
        self.time = TimeEmbedding(_EMBEDDING)
        self.entry = nn.Conv2d((channels + 1) * square, width, 3, padding=1)
        self.blocks = nn.ModuleList(TimedResidual(width, _EMBEDDING) for _ in range(blocks))
        self.exit = nn.Conv2d(width, channels * square, 3, padding=1)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def predict(self, z: Tensor, mask: Tensor, t: Tensor | float) -> Tensor:
        """Guess ``z_y``.

        Args:
            z: (N, channels, h, w), ``z_t``; h and w multiples of ``shrink``.
            mask: (N, 1, h, w); above 0 is damaged.
            t: in [0, 1], a number or (N,); 1 is the photograph as found.

        Returns:
            (N, channels, h, w) float32.
        """
        times = torch.as_tensor(t, dtype=torch.float32, device=z.device).expand(z.shape[0])
        time = self.time(times)
        x = self.entry(functional.pixel_unshuffle(torch.cat([z, mask], dim=1), self.shrink))
        for block in self.blocks:
            x = block(x, time)
        change = self.exit(functional.silu(x)).float()
        return z.float() + functional.pixel_shuffle(change, self.shrink)


def walk(predict: Callable[[State, float], State], z_x: State, steps: int) -> State:
    """Go from ``z_x`` towards what is predicted, a part of the way at a time.

    ``z_{t - 1/n} = z_y(z_t) / k + (1 - 1 / k) z_t`` with ``k = n t`` steps to go: direct
    iteration, InDI (arXiv 2303.11435, equation 8). One step is the prediction itself.
    """
    z = z_x
    for left in range(steps, 0, -1):
        guess = predict(z, left / steps)
        z = z + (guess - z) / np.float32(left)
    return z


def between(z_y: Tensor, z_x: Tensor, t: Tensor) -> Tensor:
    """``(1 - t) z_y + t z_x`` for latents (N, C, h, w) and times (N,)."""
    at = t[:, None, None, None]
    return (1 - at) * z_y + at * z_x


def load(path: Path) -> Bridge:
    """Read a `Bridge` from a weights file.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, Bridge, "a latent diffusion")


def tiny() -> Bridge:
    """A `Bridge` of a few thousand random parameters for the latent of ``vae.tiny``."""
    torch.manual_seed(0)
    net = Bridge(channels=4, width=12, blocks=1)
    nn.init.normal_(net.exit.weight, std=0.02)
    net.eval()
    return net
