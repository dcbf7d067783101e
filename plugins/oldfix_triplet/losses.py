"""The terms of the paper's objectives (arXiv 2004.09484, equations 1 to 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

#: What a discriminator gives: for each scale, the features of its layers, its scores last.
Scales = Sequence[Sequence[Tensor]]


def kl_divergence(mean: Tensor, deviation: float) -> Tensor:
    """``KL(N(mean, deviation^2) || N(0, 1))`` in nats, its mean over all latent numbers.

    The published code has deviation 1 and weighs ``mean(h^2)``, twice this.
    """
    constant = deviation**2 - 1 - 2 * math.log(deviation)
    return 0.5 * (mean.float().square().mean() + constant)


def reconstruction(x: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of pixels in [-1, 1], of pictures in [0, 1]."""
    return 2 * (x.float() - target.float()).abs().mean()


def lsgan(scales: Scales, target: float) -> Tensor:
    """Least-squares GAN (arXiv 1611.04076): mean of ``(score - target)^2``, summed over scales."""
    terms = [(scale[-1].float() - target).square().mean() for scale in scales]
    return torch.stack(terms).sum()


def feature_matching(made: Scales, true: Scales) -> Tensor:
    """L1 between a discriminator's features of two pictures (pix2pixHD, arXiv 1711.11585).

    ``sum over scales and layers of mean |made - true|``, times ``4 / layers / scales``, where
    layers counts all of a scale's convolutions; the scores themselves take no part. Only ``made``
    receives a gradient.
    """
    total = torch.zeros((), device=made[0][0].device)
    for a, b in zip(made, true, strict=True):
        weight = 4.0 / len(a) / len(made)
        for x, y in zip(a[:-1], b[:-1], strict=True):
            total = total + weight * (x.float() - y.detach().float()).abs().mean()
    return total


def psnr(x: Tensor, target: Tensor) -> Tensor:
    """PSNR of each picture (N, C, H, W) against its target, (N,), 60 dB at most."""
    error = (x.float() - target.float()).square().mean(dim=(1, 2, 3))
    return -10 * (error + 1e-6).log10()
