"""The Wasserstein game on chroma, with basicsr's discriminator and loss.

Pik-Fix's last stage; needs the package basicsr, which only training reaches, and only where a
recipe gives the game a weight.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from oldfix import compat
from oldfix.training import judged_by

#: Weight of the discriminator's own loss in the sum. AdamW does not see it, the clipping does.
_OWN = 0.02


class Adversary(nn.Module):  # type: ignore[misc]
    """Judges whether chroma suits luminance; basicsr's spectrally normalised U-Net.

    Args:
        features: channels of its first layer.

    Raises:
        EnvironmentProblem: basicsr is not installed.
    """

    def __init__(self, features: int = 32) -> None:
        super().__init__()
        make = compat.load("basicsr.archs.discriminator_arch:UNetDiscriminatorSN")
        self.judge = make(num_in_ch=3, num_feat=features)
        self.game = compat.load("basicsr.losses.gan_loss:GANLoss")("wgan")

    def forward(self, light: Tensor, made: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
        """Return the painter's loss and the judge's, to be added to the objective.

        Args:
            light: (N, 1, h, w) luminance; sides are multiples of 8.
            made: (N, 2, h, w) predicted chroma.
            true: (N, 2, h, w) true chroma.
        """
        shown = torch.cat([light, made], dim=1)
        fooling = self.game(judged_by(self.judge)(shown), True)
        caught = self.game(self.judge(shown.detach()), False)
        caught = caught + self.game(self.judge(torch.cat([light, true], dim=1)), True)
        return fooling, _OWN * caught
