"""The head that finishes a coarse correction at the full size of a face."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldfix import LivingSiLU, Residual

#: Side of the square of pixels that the head's finest level takes as one position.
FOLD = 4


class DetailHead(nn.Module):  # type: ignore[misc]
    """A U-Net of residual blocks on 4x4 squares of the face and of its coarse correction.

    Working on squares (Shi et al., ESPCN, CVPR 2016; Zhang et al., FFDNet, TIP 2018) costs a
    sixteenth and sees four times as far. The last layer starts at zero.

    Args:
        widths: channels of the levels, finest first.
        blocks: residual blocks of each level, on the way down and again on the way up.
    """

    def __init__(self, widths: tuple[int, ...], blocks: int = 2) -> None:
        super().__init__()
        steps = list(pairwise(widths))
        self.entry = nn.Conv2d(6 * FOLD * FOLD, widths[0], 3, padding=1)
        self.down = nn.ModuleList(_blocks(width, blocks) for width in widths)
        self.up = nn.ModuleList(_blocks(width, blocks) for width in widths[:-1])
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in steps)
        self.grow = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in steps)
        self.living = LivingSiLU()
        self.exit = nn.Conv2d(widths[0], 3 * FOLD * FOLD, 3, padding=1)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, faces: Tensor, coarse: Tensor) -> Tensor:
        """Return a correction of faces, all (N, 3, H, W); who asks decides what is added to it."""
        planes = torch.cat([faces - 0.5, 4 * coarse.to(faces.dtype)], dim=1)
        x = self.entry(F.pixel_unshuffle(planes, FOLD))
        skips = []
        for level, blocks in enumerate(self.down):
            if level:
                skips.append(x)
                x = self.shrink[level - 1](x)
            x = blocks(x)
        for level in reversed(range(len(self.up))):
            x = self.up[level](skips.pop() + F.pixel_shuffle(self.grow[level](x), 2))
        return F.pixel_shuffle(self.exit(self.living(x)), FOLD)


def _blocks(width: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(width) for _ in range(count)))
