"""The space-preserving colour histogram: at every place, how much of each soft bin is there.

Chroma is (a*, b*) / 100 throughout this plugin. The bins lie as in the published code, evenly on
[-1, 1] of chroma divided by 110, each of the two channels on its own.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Largest |a*| or |b*| that has bins, in units of chroma.
LIMIT = 1.1
#: Deviation of the Gaussian kernel, in units of chroma.
_DEVIATION = 0.01 * LIMIT
#: Side of the squares that one place of the guidance stands for, in pixels.
_SQUARE = 8


class ColourHistogram(nn.Module):  # type: ignore[misc]
    """Gaussian soft bins of each chroma channel, without a sum over places.

    Args:
        bins: of each channel.
    """

    def __init__(self, bins: int = 256) -> None:
        super().__init__()
        self.bins = bins
        self.width = 2 * LIMIT / bins
        self.deviation = _DEVIATION
        centres = -LIMIT + self.width * (torch.arange(bins) + 0.5)
        self.register_buffer("centres", centres, persistent=False)

    def forward(self, chroma: Tensor) -> Tensor:
        """Spread chroma over the bins.

        ``h(p, k) = width / (s sqrt(2 pi)) exp(-((v_p - c_k) / s)^2 / 2)``: a Gaussian density
        integrated by rectangles, so that every place and channel has mass 1 inside the limits.

        Args:
            chroma: (N, 2, h, w).

        Returns:
            (N, 2 * bins, h, w) float32: the bins of a*, then those of b*.
        """
        distance = chroma.float()[:, :, None] - self.centres[None, None, :, None, None]
        scale = self.width / (self.deviation * math.sqrt(2 * math.pi))
        return (scale * torch.exp(-0.5 * (distance / self.deviation) ** 2)).flatten(1, 2)

    def colours(self, histogram: Tensor) -> Tensor:
        """Return the mean colour (N, 2, h, w) of a histogram (N, 2 * bins, h, w).

        A place without any mass is grey.
        """
        split = histogram.unflatten(1, (2, self.bins))
        mass = split.sum(dim=2)
        weighted = torch.einsum("nckhw,k->nchw", split, self.centres)
        return weighted / mass.clamp_min(1e-6)

    def total(self, chroma: Tensor) -> Tensor:
        """Return the histogram (N, 2, bins) of whole pictures, each channel summing to 1."""
        summed = self(chroma).sum(dim=(2, 3)).unflatten(1, (2, self.bins))
        return summed / summed.sum(dim=2, keepdim=True).clamp_min(1e-6)


def pooled(planes: Tensor) -> Tensor:
    """Average (N, C, H, W) planes over squares: (N, C, H/8, W/8) float32."""
    return functional.avg_pool2d(planes.float(), _SQUARE)
