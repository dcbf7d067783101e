"""A network that looks at a thumbnail and says how its tone should be mended."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from oldfix import load_network

#: Side of the thumbnail, in pixels.
SIDE = 64
#: Numbers that describe a correction; see `oldfix_tone.correction.Correction`.
NUMBERS = 10
_QUANTILES = 33


class ToneNet(nn.Module):  # type: ignore[misc]
    """Quantiles of the channels and a few convolutions, into a correction of ten numbers.

    Args:
        width: width of the hidden layers.
    """

    def __init__(self, width: int = 128) -> None:
        super().__init__()
        self.config = {"width": width}
        self.look = nn.Sequential(
            nn.Conv2d(3, 16, 4, stride=4),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, 48, 3, stride=2, padding=1),
            nn.ReLU(),
        )
        self.judge = nn.Sequential(
            nn.Linear(6 * _QUANTILES + 48 * 2, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, NUMBERS),
        )
        nn.init.zeros_(self.judge[-1].weight)  # an untrained network changes nothing
        nn.init.zeros_(self.judge[-1].bias)

    def forward(self, thumbnail: Tensor) -> Tensor:
        """Return the correction, (N, 10, 1, 1), of (N, 3, 64, 64) sRGB in [0, 1].

        Zeros mean that nothing should change.
        """
        seen = self.look(thumbnail * 2 - 1).flatten(2)
        features = [quantiles(thumbnail[..., ::2, ::2]) * 2 - 1, seen.mean(2), seen.amax(2)]
        out: Tensor = self.judge(torch.cat(features, dim=1))[..., None, None]
        return out


def quantiles(thumbnail: Tensor) -> Tensor:
    """Evenly spaced quantiles of R, G, B, their mean, and the differences R-G and G-B.

    Args:
        thumbnail: (N, 3, H, W).

    Returns:
        (N, 198), smallest to largest for each of the six.
    """
    red, green, blue = thumbnail.unbind(1)
    planes = [red, green, blue, thumbnail.mean(1), (red - green + 1) / 2, (green - blue + 1) / 2]
    values = torch.stack(planes, dim=1).flatten(2).sort(dim=2).values
    places = torch.linspace(0, values.shape[2] - 1, _QUANTILES, device=values.device)
    return values[:, :, places.round().long()].flatten(1)


def load(path: Path) -> ToneNet:
    """Build the network that a file holds.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, ToneNet, "a network of tone")


def tiny() -> ToneNet:
    """Return the same class with few parameters and some effect, seeded, for tests."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = ToneNet(8)
        nn.init.normal_(net.judge[-1].weight, std=0.3)
        return net
