"""Pik-Fix in the paper's configuration: constructed, counted and trainable, but not shipped.

Sizes are those of the released code, which for the restoration has a DenseNet-121 U-Net where the
paper speaks of a multi-level residual dense network; `PikFixPublished` takes either. Its 143 M
parameters, and 21 M of a frozen ResNet-34 beside them, are twenty times what may be embedded
here; the small system in `oldfix_colorize.net` is what ships.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix_colorize.blocks import DenseBlock
from oldfix_colorize.restoration import Restoration
from oldfix_colorize.similarity import Guidance, Similarity

#: Multi-level residual dense network with the residual dense blocks of the RDN that it is made of
#: (Zhang et al., CVPR 2018: 16 blocks of 8 layers); neither paper nor code gives its sizes.
MULTILEVEL: dict[str, Any] = {
    "widths": [64, 64, 64],
    "blocks": [16, 16, 16],
    "layers": 8,
    "growth": 64,
}
_LAYERS_UP = (8, 12, 6, 4)
#: Channels of the stem, and channels that a dense layer adds.
_STEM, _GROWTH = 64, 32


class PikFixPublished(nn.Module):  # type: ignore[misc]
    """The whole system at the published sizes; called as the small one is.

    Sides are multiples of 32 and chroma comes back at full size.

    Args:
        multilevel: restore by the multi-level residual dense network of the paper's text, instead
            of the dense U-Net of its code.
        dropout: of the dense layers, in training.
    """

    def __init__(self, *, multilevel: bool = False, dropout: float = 0.5) -> None:
        super().__init__()
        self.restoration: nn.Module = (
            Restoration(**MULTILEVEL) if multilevel else DenseUnet((6, 12, 24, 16), 1, dropout)
        )
        self.similarity = Similarity()
        self.colorization = DenseUnet((6, 12, 24, 48), 2, dropout, guided=2 * 256 + 1)

    def forward(self, light: Tensor, *references: Tensor) -> Tensor:
        """Colour (N, 1, H, W) luminance after repairing it: (N, 2, H, W) chroma."""
        repaired = self.restoration(light)
        if references:
            guidance = self.similarity(repaired, references)
        else:
            guidance = self.similarity.nothing(repaired)
        chroma: Tensor = self.colorization(repaired, guidance)
        return chroma


class DenseUnet(nn.Module):  # type: ignore[misc]
    """DenseNet encoder without normalisation, decoder of residual dense blocks.

    Args:
        layers: dense layers of each level.
        out: channels of the result.
        dropout: of the dense layers.
        guided: channels of the guidance that is joined after each level; with it the last level
            is halved too, as in the published colorization, without it not, as in the restoration.
    """

    def __init__(
        self,
        layers: Sequence[int],
        out: int,
        dropout: float = 0.5,
        *,
        guided: int = 0,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, _STEM, 7, padding=3, bias=False)
        self.levels, self.transitions, self.fusions = (nn.ModuleList() for _ in range(3))
        width, skips = _STEM, [_STEM]
        for number, count in enumerate(layers):
            self.levels.append(DenseLevel(width, _GROWTH, count, dropout))
            width += count * _GROWTH
            skips.append(width)
            if guided or number + 1 < len(layers):
                self.transitions.append(nn.Conv2d(width, width // 2, 1, bias=False))
                width //= 2
            if guided:
                self.fusions.append(Fusion(width + guided, width))
        if not guided:
            skips.pop()  # the deepest level is what goes up
        counts = (*_LAYERS_UP[:1], *_LAYERS_UP) if guided else _LAYERS_UP
        self.ups = nn.ModuleList()
        for count, skip in zip(counts, reversed(skips), strict=True):
            after = skip if skip == _STEM else skip // 2
            self.ups.append(Up(width, skip, after, count))
            width = after
        self.last = nn.Conv2d(width, out, 3, padding=1)

    def forward(self, light: Tensor, guidance: Guidance | None = None) -> Tensor:
        """Return (N, out, H, W) of luminance, guided by what references say of it."""
        y = functional.relu(self.stem(light))
        skips = [y]
        y = functional.max_pool2d(y, 3, stride=2, padding=1)
        for number, level in enumerate(self.levels):
            y = level(y)
            if number < len(self.transitions):
                skips.append(y)
                y = functional.avg_pool2d(self.transitions[number](functional.relu(y)), 2)
            if guidance is not None:
                y = self.fusions[number](y, guidance)
        for up, skip in zip(self.ups, reversed(skips), strict=True):
            y = up(y, skip)
        result: Tensor = self.last(y)
        return result


class DenseLevel(nn.Module):  # type: ignore[misc]
    """Dense block of DenseNet (Huang et al., CVPR 2017): every layer sees all before it."""

    def __init__(self, channels: int, growth: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(
            nn.Conv2d(channels + i * growth, 4 * growth, 1, bias=False) for i in range(layers)
        )
        self.grow = nn.ModuleList(
            nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False) for _ in range(layers)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with all layers' features behind it."""
        for narrow, grow in zip(self.narrow, self.grow, strict=True):
            between = functional.relu(narrow(functional.relu(x)))
            x = torch.cat([x, self.dropout(grow(between))], dim=1)
        return x


class Fusion(nn.Module):  # type: ignore[misc]
    """Joins features with the warped histogram and the similarity, at their own size."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.join = nn.Conv2d(channels, out, 3, padding=1)
        self.dense = DenseBlock(out, 32, 4, bias=False)

    def forward(self, x: Tensor, guidance: Guidance) -> Tensor:
        """Return features of (N, C, h, w)."""
        told = torch.cat([guidance.similarity, guidance.histogram], dim=1)
        if x.shape[2] > told.shape[2]:
            told = functional.interpolate(told, size=x.shape[2:], mode="nearest")
        else:
            told = functional.adaptive_avg_pool2d(told, x.shape[2:])
        fused: Tensor = self.dense(self.join(torch.cat([x, told.to(x.dtype)], dim=1)))
        return fused


class Up(nn.Module):  # type: ignore[misc]
    """Doubles the size, refines by a residual dense block, and joins the encoder's features."""

    def __init__(self, channels: int, skip: int, out: int, layers: int) -> None:
        super().__init__()
        self.dense = DenseBlock(channels, 32, layers, bias=False)
        self.first = nn.Conv2d(channels + skip, out, 3, padding=1)
        self.second = nn.Conv2d(out, out, 3, padding=1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        """Return (N, out, h, w) at the size of ``skip``."""
        size = skip.shape[2:]
        up = functional.interpolate(x, size=size, mode="bilinear", align_corners=True)
        joined = torch.cat([skip, self.dense(up)], dim=1)
        return functional.relu(self.second(functional.relu(self.first(joined))))
