"""The denoiser of the diffusion: a U-Net that guesses the clean picture from the state at t."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix import read_network

_FREQUENCIES = 8
_EMBEDDING = 64
#: A network of the size that arXiv 2305.04457 may have used: full resolution, four levels. The
#: paper's own widths could not be verified, so this stands for its kind, not for its table.
PAPER = {"widths": [48, 96, 192, 384], "blocks": [2, 2, 2, 2], "factor": 1}


class TimedBlock(nn.Module):  # type: ignore[misc]
    """A residual block whose hidden layer is scaled and shifted by the time embedding."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(_EMBEDDING, 2 * width)
        for layer in (self.second, self.film):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(N, width, H, W) and (N, embedding) to (N, width, H, W)."""
        scale, shift = self.film(time)[:, :, None, None].chunk(2, dim=1)
        hidden = functional.silu(self.first(x) * (1 + scale) + shift)
        return x + self.second(hidden)


class PixelDenoiser(nn.Module):  # type: ignore[misc]
    """``S(x_t, t)``, a U-Net in pixels (arXiv 2305.04457), without norms: its reach is finite.

    It is shown ``x_t`` and ``t`` alone: from ``x_t`` and ``x_T`` together ``x_0`` follows by
    algebra, and a network that may do so learns nothing about pictures. Its last layer estimates
    the whole of the damage, ``x_T - x_0``, of which ``x_t`` holds the share t:
    ``S(x_t, t) = x_t - t * damage``. So ``S(x_0, 0) = x_0`` exactly, and the layer's target has
    the same size at every t.

    Args:
        widths: channels of the levels, finest first.
        blocks: residual blocks of the levels on the way down; as many on the way up, but for
            the coarsest.
        factor: pictures are first folded by so much, factor^2 pixels into the channels of one;
            2 quarters the work.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 64, 96),
        blocks: tuple[int, ...] = (2, 2, 2),
        factor: int = 2,
    ) -> None:
        super().__init__()
        self.config = {"widths": list(widths), "blocks": list(blocks), "factor": factor}
        self.factor = factor
        folded = 3 * factor * factor
        self.time = nn.Sequential(nn.Linear(2 * _FREQUENCIES, _EMBEDDING), nn.SiLU())
        self.entry = nn.Conv2d(folded, widths[0], 3, padding=1)
        levels = list(zip(widths, blocks, strict=True))
        self.down = nn.ModuleList(_level(width, count) for width, count in levels)
        self.up = nn.ModuleList(_level(width, count) for width, count in levels[:-1])
        steps = list(pairwise(widths))
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in steps)
        self.grow = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in steps)
        self.exit = nn.Conv2d(widths[0], folded, 3, padding=1)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, x: Tensor, t: Tensor | float = 1.0) -> Tensor:
        """Guess ``x_0``.

        Args:
            x: (N, 3, H, W), ``x_t``, sRGB-encoded in [0, 1]; H and W are multiples of
                ``factor * 2 ** (levels - 1)``.
            t: (N,) or one number for all, in [0, 1]; 1 is the photograph as found.

        Returns:
            (N, 3, H, W) float32, not clipped.
        """
        t = torch.as_tensor(t, dtype=torch.float32, device=x.device).expand(x.shape[0])
        folded = functional.pixel_unshuffle(x - 0.5, self.factor)
        hidden = self.exit(functional.silu(self._unet(folded, self.time(_waves(t)))))
        # Outside of autocast: rounded to bfloat16 the sum would end at 59 dB.
        damage = functional.pixel_shuffle(hidden.float(), self.factor)
        return x - t[:, None, None, None] * damage

    def _unet(self, x: Tensor, time: Tensor) -> Tensor:
        x = self.entry(x)
        skips = []
        for level, blocks in enumerate(self.down):
            if level:
                skips.append(x)
                x = self.shrink[level - 1](x)
            for block in blocks:
                x = block(x, time)
        for level in reversed(range(len(self.up))):
            x = skips.pop() + functional.pixel_shuffle(self.grow[level](x), 2)
            for block in self.up[level]:
                x = block(x, time)
        return x


def load(path: Path) -> PixelDenoiser:
    """Read a `PixelDenoiser` from a weights file.

    Raises:
        RuntimeError: the file's tensors do not fit the network.
    """
    config, state = read_network(path)
    net = PixelDenoiser(**config)
    net.load_state_dict(state)
    net.eval()
    return net


def tiny() -> PixelDenoiser:
    """Return the same class with a few thousand parameters and some effect, seeded, for tests."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = PixelDenoiser(widths=(8, 12), blocks=(1, 1))
        nn.init.normal_(net.exit.weight, std=0.05)
    net.eval()
    return net


def _level(width: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(TimedBlock(width) for _ in range(count))


def _waves(t: Tensor) -> Tensor:
    """Sines and cosines of the time: (N,) to (N, 16)."""
    rates = math.pi * 2.0 ** torch.arange(_FREQUENCIES, device=t.device).float()
    angles = t[:, None] * rates * 0.5
    return torch.cat([angles.sin(), angles.cos()], dim=1)
