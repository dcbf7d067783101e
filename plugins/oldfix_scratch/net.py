"""A U-Net that gives the probability of damage at every pixel.

Ronneberger et al., "U-Net" (MICCAI 2015), with residual blocks, no normalisation, and the
picture folded by two (pixel unshuffle) so that full resolution costs little and loses nothing.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from oldfix import load_network
from oldfix_scratch.thin import THIN_PARTS


class Block(nn.Module):  # type: ignore[misc]
    """Two 3x3 convolutions beside an identity; the second starts small so that depth is safe."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.normal_(self.second.weight, std=0.3 * (2 / (9 * width)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, width, H, W) to the same shape."""
        out: Tensor = x + self.second(torch.relu(self.first(torch.relu(x))))
        return out


class ScratchNet(nn.Module):  # type: ignore[misc]
    """Three-level U-Net at one half, one quarter and one eighth of the picture's size.

    Args:
        widths: channels of the three levels.
        depth: residual blocks at the lowest level.
    """

    def __init__(self, widths: tuple[int, int, int] = (32, 64, 96), depth: int = 3) -> None:
        super().__init__()
        self.config = {"widths": list(widths), "depth": depth}
        fine, middle, coarse = widths
        self.fold = nn.PixelUnshuffle(2)
        self.stem = nn.Conv2d(4 * (3 + THIN_PARTS), fine, 3, padding=1)
        self.fine_in = Block(fine)
        self.to_middle = nn.Conv2d(fine, middle, 2, stride=2)
        self.middle_in = Block(middle)
        self.to_coarse = nn.Conv2d(middle, coarse, 2, stride=2)
        self.coarse = nn.Sequential(*(Block(coarse) for _ in range(depth)))
        self.from_coarse = nn.ConvTranspose2d(coarse, middle, 2, stride=2)
        self.middle_out = Block(middle)
        self.from_middle = nn.ConvTranspose2d(middle, fine, 2, stride=2)
        self.fine_out = nn.Sequential(Block(fine), Block(fine))
        self.head = nn.Sequential(nn.Conv2d(fine, 4, 1), nn.PixelShuffle(2))
        for layer in (self.stem, self.to_middle, self.to_coarse):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")
        nn.init.constant_(self.head[0].bias, -3.0)  # damage is rare

    def logits(self, image: Tensor, thin: Tensor) -> Tensor:
        """Log-odds of damage.

        Args:
            image: (N, 3, H, W) sRGB in [0, 1]; H and W multiples of 8.
            thin: (N, 4, H, W), the image's `oldfix_scratch.thin.thin_parts`.

        Returns:
            (N, 1, H, W).
        """
        seen = torch.cat([4 * image - 2, 8 * thin], dim=1)
        fine = self.fine_in(self.stem(self.fold(seen)))
        middle = self.middle_in(self.to_middle(fine))
        coarse = self.coarse(self.to_coarse(middle))
        middle = self.middle_out(middle + self.from_coarse(coarse))
        out: Tensor = self.head(self.fine_out(fine + self.from_middle(middle)))
        return out

    def forward(self, image: Tensor, thin: Tensor) -> Tensor:
        """Probability of damage, (N, 1, H, W) in [0, 1]; arguments as in `logits`."""
        return torch.sigmoid(self.logits(image, thin))


def load(path: Path) -> ScratchNet:
    """Build the network that a file holds.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, ScratchNet, "a detector of scratches")


def tiny() -> ScratchNet:
    """Return the same class with a few hundred parameters, seeded, for tests."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ScratchNet((4, 4, 4), depth=1)
