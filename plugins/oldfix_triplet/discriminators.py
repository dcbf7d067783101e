"""Patch discriminators, of pictures and of latents."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

#: Weight of a discriminator's own loss beside that of whom it judges. AdamW does not see such a
#: factor, but the clipping does, of the gradient of both together.
OWN = 0.02


class PatchDiscriminator(nn.Module):  # type: ignore[misc]
    """The discriminators of pix2pixHD, one for each scale, giving their features too.

    Args:
        channels: of the input: 3 for pictures, 6 for a picture beside its condition, or those of
            a latent.
        width: channels of the first layer; each further one has twice as many, at most 8 times.
        layers: convolutions of stride 2; two of stride 1 follow.
        scales: the input is halved so many times less one.
    """

    def __init__(self, channels: int, width: int = 64, layers: int = 3, scales: int = 2) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_scale(channels, width, layers) for _ in range(scales))

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """(N, channels, H, W) to the features of every layer, scale by scale, scores last."""
        found = []
        for number, stack in enumerate(self.scales):
            if number:
                x = functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)
            hidden, features = x, []
            for part in stack:
                hidden = part(hidden)
                features.append(hidden)
            found.append(features)
        return found


def _scale(channels: int, width: int, layers: int) -> nn.ModuleList:
    widths = [min(width * 2**i, 8 * width) for i in range(layers + 1)]
    stack: list[nn.Module] = []
    before = channels
    for number, after in enumerate(widths):
        conv = nn.Conv2d(before, after, 4, stride=2 if number < layers else 1, padding=2)
        norm = [nn.InstanceNorm2d(after)] if number else []
        stack.append(nn.Sequential(conv, *norm, nn.LeakyReLU(0.2)))
        before = after
    stack.append(nn.Conv2d(before, 1, 4, padding=2))
    return nn.ModuleList(stack)
