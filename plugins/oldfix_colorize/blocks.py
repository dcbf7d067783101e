"""Building blocks that the sub-networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Channels of one head of attention.
_HEAD = 32


class DenseBlock(nn.Module):  # type: ignore[misc]
    """Residual dense block (Zhang et al., CVPR 2018): dense 3x3 layers, 1x1 fusion, shortcut.

    Args:
        channels: in and out.
        growth: channels that a layer adds.
        layers: number of layers.
        bias: of the convolutions; the published code has none.
    """

    def __init__(self, channels: int, growth: int, layers: int, *, bias: bool = True) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(channels + i * growth, growth, 3, padding=1, bias=bias) for i in range(layers)
        )
        self.fuse = nn.Conv2d(channels + layers * growth, channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape."""
        y = x
        for layer in self.layers:
            y = torch.cat([y, functional.relu(layer(y))], dim=1)
        return x + self.fuse(y)


class Attention(nn.Module):  # type: ignore[misc]
    """Self-attention over all places, as a residual, in heads of 32 channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // _HEAD)
        self.norm = nn.LayerNorm(channels)
        self.inward = nn.Linear(channels, 3 * channels)
        self.outward = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, h, w) features of the same shape."""
        n, c, h, w = x.shape
        tokens = self.inward(self.norm(x.flatten(2).transpose(1, 2)))
        split = tokens.view(n, h * w, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(split[0], split[1], split[2])
        mixed = self.outward(mixed.transpose(1, 2).reshape(n, h * w, c))
        return x + mixed.transpose(1, 2).view(n, c, h, w)


def doubled(x: Tensor) -> Tensor:
    """Enlarge (N, C, h, w) twice, by repeating."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
