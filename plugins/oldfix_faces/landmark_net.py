"""A small network that says, from a close-up, where the five landmarks of a face really are.

A detector sees a face among many and places its points to within a tenth of the eye distance;
this looks once more, at a crop turned and scaled by what the detector said (as in cascades of
regressors: Sun et al., "Deep Convolutional Network Cascade for Facial Point Detection", CVPR 2013).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix import load_network
from oldfix_faces.align import Alignment, align, template

#: Side of the close-up, in pixels, and how much closer it is than an aligned face.
SIDE, ZOOM = 64, 1.5
#: Numbers it gives: (x, y) of five points.
NUMBERS = 10
_WIDTHS = (16, 24, 32, 48, 56)


def close_up(points: NDArray[np.floating]) -> Alignment:
    """Return the similarity from a photograph to the close-up of a face.

    Args:
        points: (5, 2) landmarks in the photograph, roughly right.

    Raises:
        ValueError: the landmarks coincide.
    """
    matrix = ZOOM * align(points, SIDE).matrix
    matrix[:, 2] += (SIDE - 1) / 2 - ZOOM * template(SIDE).mean(axis=0)
    return Alignment(matrix, SIDE)


def expected() -> NDArray[np.float64]:
    """Where the landmarks of an average face lie in its close-up: (5, 2), in pixels."""
    points = template(SIDE)
    return np.asarray((SIDE - 1) / 2 + ZOOM * (points - points.mean(axis=0)), np.float64)


def eye_distance() -> float:
    """Distance of the eyes in `expected`, in pixels."""
    points = expected()
    return float(np.linalg.norm(points[0] - points[1]))


class LandmarkNet(nn.Module):  # type: ignore[misc]
    """Five strided convolutions on a standardised grey close-up, into ten offsets.

    Args:
        widths: channels of the five convolutions.
    """

    def __init__(self, widths: tuple[int, ...] = _WIDTHS) -> None:
        super().__init__()
        self.config = {"widths": list(widths)}
        layers: list[nn.Module] = []
        for index, (wide, wider) in enumerate(zip((1, *widths), widths, strict=False)):
            # The third keeps the size: eyes are small things.
            layers += [nn.Conv2d(wide, wider, 3, 1 if index == 2 else 2, padding=1), nn.ReLU()]
        self.look = nn.Sequential(*layers)
        self.place = nn.Linear(widths[-1] * (SIDE // 16) ** 2, NUMBERS)
        nn.init.zeros_(self.place.weight)  # untrained, it says the average face
        nn.init.zeros_(self.place.bias)

    def forward(self, crops: Tensor) -> Tensor:
        """Return offsets from `expected`, (N, 10, 1, 1) in eye distances, x before y.

        Args:
            crops: (N, 3, 64, 64) sRGB in [0, 1], close-ups. Contrast and tone do not matter.
        """
        grey = crops.mean(1, keepdim=True)
        centred = grey - grey.mean((2, 3), keepdim=True)
        seen = centred / (centred.square().mean((2, 3), keepdim=True).sqrt() + 0.02)
        out: Tensor = self.place(self.look(seen).flatten(1))[..., None, None]
        return out


def load(path: Path) -> LandmarkNet:
    """Build the network that a file holds.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, LandmarkNet, "a network of landmarks")


def tiny() -> LandmarkNet:
    """Return the same class with few parameters and some effect, seeded, for tests."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = LandmarkNet((2, 2, 2, 2, 2))
        nn.init.normal_(net.place.weight, std=0.01)
        return net
