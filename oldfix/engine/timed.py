"""Networks that are told a time, as those of diffusion are, and their building blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix.engine.living import LivingSiLU

_FREQUENCIES = 8


class TimeEmbedding(nn.Sequential):  # type: ignore[misc]
    """A time, or a noise level, as a vector: sines and cosines, a linear layer, SiLU.

    Args:
        size: of the vector.
    """

    def __init__(self, size: int = 64) -> None:
        super().__init__(nn.Linear(2 * _FREQUENCIES, size), nn.SiLU())

    def forward(self, t: Tensor) -> Tensor:
        """Times (N,) in [0, 1] to (N, size)."""
        rates = math.pi * 0.5 * 2.0 ** torch.arange(_FREQUENCIES, device=t.device).float()
        angles = t.float()[:, None] * rates
        embedded: Tensor = super().forward(torch.cat([angles.sin(), angles.cos()], dim=1))
        return embedded


class TimedResidual(nn.Module):  # type: ignore[misc]
    """``x + conv(silu(conv(x)))``, both 3 x 3, its hidden layer scaled and shifted by the time.

    The second convolution and the layer of the time start at zero: at first it changes nothing.

    Args:
        width: channels in and out.
        embedding: size of the time's vector.
    """

    def __init__(self, width: int, embedding: int = 64) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.film = nn.Linear(embedding, 2 * width)
        for layer in (self.second, self.film):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """(N, width, H, W) and (N, embedding) to (N, width, H, W)."""
        scale, shift = self.film(time)[:, :, None, None].chunk(2, dim=1)
        hidden = functional.silu(self.first(x) * (1 + scale) + shift)
        return x + self.second(hidden)


class TimedUNet(nn.Module):  # type: ignore[misc]
    """A U-Net of timed residual blocks, without norms or attention: its reach is finite.

    The last layer starts at zero, and so does what the network says.

    Args:
        inputs: channels in.
        outputs: channels out.
        widths: channels of the levels, finest first; each level has half the side of the one
            before.
        blocks: residual blocks of the levels on the way down; as many on the way up, but for the
            coarsest.
    """

    def __init__(
        self, inputs: int, outputs: int, widths: Sequence[int], blocks: Sequence[int]
    ) -> None:
        super().__init__()
        self.time = TimeEmbedding()
        self.entry = nn.Conv2d(inputs, widths[0], 3, padding=1)
        levels = list(zip(widths, blocks, strict=True))
        self.down = nn.ModuleList(_level(width, count) for width, count in levels)
        self.up = nn.ModuleList(_level(width, count) for width, count in levels[:-1])
        steps = list(pairwise(widths))
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in steps)
        self.grow = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in steps)
        self.living = LivingSiLU()
        self.exit = nn.Conv2d(widths[0], outputs, 3, padding=1)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def said(self, x: Tensor, t: Tensor | float) -> Tensor:
        """What the last layer says.

        Args:
            x: (N, inputs, H, W), sides multiples of ``2 ** (levels - 1)``.
            t: (N,), or one number for all, in [0, 1].

        Returns:
            (N, outputs, H, W) float32.
        """
        times = torch.as_tensor(t, dtype=torch.float32, device=x.device).expand(x.shape[0])
        time = self.time(times)
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
        # float32 outside of autocast: sums with what was rounded to bfloat16 would end at 59 dB.
        return self.exit(self.living(x)).float()


def _level(width: int, count: int) -> nn.ModuleList:
    return nn.ModuleList(TimedResidual(width) for _ in range(count))
