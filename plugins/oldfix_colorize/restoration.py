"""The restoration sub-network: a multi-level residual dense network on luminance.

After Pik-Fix (arXiv 2205.01902, section 3.1): residual dense networks (Zhang et al., CVPR 2018)
on several scales of the same picture, so that grain and wide cracks are both seen. Convolutions
alone, so it runs in tiles.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix_colorize.blocks import DenseBlock


class Restoration(nn.Module):  # type: ignore[misc]
    """Repairs luminance; sides are multiples of ``grid``.

    Args:
        widths: channels of each level, finest first; each further one sees half the size.
        blocks: residual dense blocks of each level.
        layers: layers of a dense block.
        growth: channels that a layer adds; 0 for half the level's width.
    """

    def __init__(
        self,
        widths: Sequence[int] = (16, 24, 32),
        blocks: Sequence[int] = (1, 2, 2),
        layers: int = 3,
        growth: int = 0,
    ) -> None:
        super().__init__()
        coarser = (*widths[1:], 0)
        self.grid = 2 ** (len(widths) - 1)
        self.levels = nn.ModuleList(
            Level(width, count, layers, growth or width // 2, below)
            for width, count, below in zip(widths, blocks, coarser, strict=True)
        )
        self.last = nn.Conv2d(widths[0], 1, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)
        reach = [2 + count * layers for count in blocks]
        self.halo = sum(pixels * 2**level for level, pixels in enumerate(reach)) + self.grid

    def forward(self, light: Tensor) -> Tensor:
        """Return the repaired (N, 1, H, W) luminance; a new network gives back what it gets."""
        scales = [light - 0.5]
        for _ in self.levels[1:]:
            scales.append(functional.avg_pool2d(scales[-1], 2))
        below: Tensor | None = None
        for level, scale in zip(reversed(self.levels), reversed(scales), strict=True):
            below = level(scale, below)
        return light + self.last(below).float()


class Level(nn.Module):  # type: ignore[misc]
    """One residual dense network: shallow features, dense blocks, and their fusion.

    Args:
        width: channels.
        blocks: residual dense blocks, all of whose outputs are fused.
        layers: of a block.
        growth: channels that a layer adds.
        below: channels of the coarser level, 0 if there is none.
    """

    def __init__(self, width: int, blocks: int, layers: int, growth: int, below: int) -> None:
        super().__init__()
        self.shallow = nn.Conv2d(1, width, 3, padding=1)
        self.join = nn.Conv2d(below, width, 1) if below else None
        self.blocks = nn.ModuleList(DenseBlock(width, growth, layers) for _ in range(blocks))
        self.fuse = nn.Conv2d(blocks * width, width, 1)

    def forward(self, scale: Tensor, below: Tensor | None) -> Tensor:
        """Return (N, width, h, w) features of a scale, joined with those of the coarser one."""
        first = self.shallow(scale)
        if self.join is not None and below is not None:
            up = functional.interpolate(self.join(below), scale_factor=2.0, mode="nearest")
            first = first + up
        y, found = functional.relu(first), []
        for block in self.blocks:
            y = block(y)
            found.append(y)
        return first + self.fuse(torch.cat(found, dim=1))
