"""The terms of GFP-GAN's objective (Wang et al., CVPR 2021, section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldfix import compat


def gram(features: Tensor) -> Tensor:
    """Return ``F F^T / (C H W)`` of features (N, C, H, W): (N, C, C)."""
    count, channels, height, width = features.shape
    flat = features.reshape(count, channels, height * width)
    return flat @ flat.transpose(1, 2) / (channels * height * width)


def feature_style(made: Sequence[Tensor], true: Sequence[Tensor]) -> Tensor:
    """L1 between Gram matrices of a component discriminator's two layers, the first by half.

    Equation 4. Only ``made`` receives a gradient.
    """
    terms = [F.l1_loss(gram(a), gram(b.detach())) for a, b in zip(made, true, strict=True)]
    return 0.5 * terms[0] + torch.stack(terms[1:]).sum()


def pyramid(sides: Sequence[Tensor], target: Tensor) -> Tensor:
    """L1 of the U-Net's side outputs against the target halved as often, summed.

    Args:
        sides: from 8 pixels up to the target's size, each twice as large as the one before.
        target: (N, 3, size, size).
    """
    total = torch.zeros((), device=target.device)
    for side in reversed(sides):
        total = total + F.l1_loss(side, target)
        target = F.interpolate(target, scale_factor=0.5, mode="bilinear", align_corners=False)
    return total


def adversarial() -> nn.Module:
    """basicsr's non-saturating logistic loss: softplus(-score), and softplus(score) for made."""
    return compat.load("basicsr.losses.gan_loss:GANLoss")("wgan_softplus")


def component_adversarial() -> nn.Module:
    """basicsr's cross entropy of scores that are logits."""
    return compat.load("basicsr.losses.gan_loss:GANLoss")("vanilla")


def r1(scores: Tensor, pictures: Tensor) -> Tensor:
    """basicsr's R1 penalty: mean squared gradient of the scores of real pictures."""
    return compat.load("basicsr.losses.gan_loss:r1_penalty")(scores, pictures)


def grey_for_identity(faces: Tensor) -> Tensor:
    """Bring aligned faces (N, 3, H, W) to grey (N, 1, 128, 128), as the identity network wants."""
    weights = torch.tensor([0.2989, 0.5870, 0.1140], device=faces.device).view(1, 3, 1, 1)
    grey = (faces * weights).sum(dim=1, keepdim=True)
    return F.interpolate(grey, (128, 128), mode="bilinear", align_corners=False)
