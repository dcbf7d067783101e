"""The terms of Pik-Fix's objective (arXiv 2205.01902, section 3.4, and its code), and ours.

Published for both halves: ``L1 + (1 - SSIM) + 0.1 histogram``, and in a last stage a Wasserstein
game on chroma (`oldfix_colorize.adversary`).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from oldfix_colorize.histogram import LIMIT, ColourHistogram

#: Half width and deviation of SSIM's Gaussian window (Wang et al. 2004).
_RADIUS, _DEVIATION = 5, 1.5


def ssim(x: Tensor, y: Tensor, span: float = 1.0) -> Tensor:
    """Mean structural similarity of (N, C, H, W) planes (Wang et al. 2004), each on its own.

    11 x 11 Gaussian window of deviation 1.5, where it fits whole; K1 0.01, K2 0.03.

    Args:
        x, y: planes of at least 11 x 11.
        span: range of their values: 1 for luminance, `2 LIMIT` for chroma.
    """
    line = torch.exp(-0.5 * (torch.arange(-_RADIUS, _RADIUS + 1) / _DEVIATION) ** 2)
    line = (line / line.sum()).to(x.device)

    def mean(plane: Tensor) -> Tensor:
        flat = plane.flatten(0, 1)[:, None]
        across = functional.conv2d(flat, line.view(1, 1, 1, -1))
        return functional.conv2d(across, line.view(1, 1, -1, 1))

    x, y = x.float(), y.float()
    with torch.autocast(x.device.type, enabled=False):
        mean_x, mean_y = mean(x), mean(y)
        covariance = mean(x * y) - mean_x * mean_y
        variances = mean(x * x) - mean_x**2 + mean(y * y) - mean_y**2
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (luminance * (2 * covariance + c2) / (variances + c2)).mean()


def reconstruction(x: Tensor, y: Tensor, span: float = 1.0) -> Tensor:
    """``L1 + (1 - SSIM)`` of planes whose values span ``span``, as published."""
    return (x.float() - y.float()).abs().mean() * 2 / span + 1 - ssim(x, y, span)


def earth_mover(made: Tensor, true: Tensor) -> Tensor:
    """Distance of histograms (N, C, bins): mean square of what their cumulative sums differ by.

    The channels' means are added. Two histograms with all mass d bins apart are d / bins apart.
    """
    difference = made.cumsum(dim=2) - true.cumsum(dim=2)
    return difference.square().mean(dim=(0, 2)).sum()


def histogram_loss(histogram: ColourHistogram, made: Tensor, true: Tensor) -> Tensor:
    """`earth_mover` of the histograms of whole pictures of chroma (N, 2, h, w)."""
    return earth_mover(histogram.total(made), histogram.total(true))


def near(error: Tensor, least: float) -> Tensor:
    """``sqrt(|error|^2 + least^2) - least``: squared for small (N, 2, h, w), L1 for large errors.

    Colours that could be one or the other are answered by their mean if they differ by less than
    ``least``, by their median, which is often grey, if they differ by more.
    """
    return ((error.float().square().sum(1) + least**2).sqrt() - least).mean()


def roughness(error: Tensor) -> Tensor:
    """L1 of the differences between neighbours: blotches cost, a cast over all of them does not."""
    return error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()


def chroma_reconstruction(made: Tensor, true: Tensor) -> Tensor:
    """The published `reconstruction` for chroma."""
    return reconstruction(made, true, 2 * LIMIT)
