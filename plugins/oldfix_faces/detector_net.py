"""The face detector: facexlib's RetinaFace, giving one map of raw values.

Deng et al., "RetinaFace: Single-shot Multi-level Face Localisation in the Wild", CVPR 2020
(arXiv 1905.00641). Only the network class of the package is used: its factory downloads, and its
pre- and postprocessing guess ranges. What the numbers mean is decoded in `oldfix_faces.anchors`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldfix import compat, fill_from_checkpoint, load_network

#: Strides of the three levels, and anchors in each of their cells.
STRIDES = (8, 16, 32)
ANCHORS = 2
#: Numbers for each anchor: box (4), logit of "face" (1), five landmarks (10).
VALUES = 15
_MEAN_BGR = (104.0, 117.0, 123.0)


class FaceDetector(nn.Module):  # type: ignore[misc]
    """RetinaFace whose three levels are folded into one map at stride 32."""

    mean: Tensor

    def __init__(self, network: str) -> None:
        """Build with random weights.

        Args:
            network: "mobile0.25" or "resnet50".
        """
        super().__init__()
        self.config = {"network": network}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torchvision's, of the way facexlib calls it
            self.retinaface = _retinaface()(
                network_name=network, phase="train", device=torch.device("cpu")
            )
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return raw values of every anchor.

        Args:
            images: (N, 3, H, W) RGB in [0, 1], sRGB-encoded; H and W multiples of 32.

        Returns:
            (N, C, H / 32, W / 32) float32. Each level gives ANCHORS * VALUES channels, which the
            finer levels fold in as `torch.nn.functional.pixel_unshuffle` does.
        """
        return torch.cat(list(_folded(self.values(images), images.shape[2:])), dim=1)

    def values(self, images: Tensor) -> Tensor:
        """Return the same numbers as one list, (N, anchors, VALUES) float32."""
        boxes, classes, points = self.retinaface(images.flip(1) * 255.0 - self.mean)
        logits = classes[..., 1:2] - classes[..., 0:1]
        return torch.cat([boxes, logits, points], dim=-1).float()


def _folded(values: Tensor, size: torch.Size) -> Any:
    """Yield each level's (N, anchors, VALUES) as maps at stride 32."""
    start = 0
    for stride in STRIDES:
        height, width = size[0] // stride, size[1] // stride
        count = height * width * ANCHORS
        level = values[:, start : start + count]
        start += count
        level = level.reshape(len(values), height, width, ANCHORS * VALUES).permute(0, 3, 1, 2)
        yield F.pixel_unshuffle(level, STRIDES[-1] // stride)


def load(path: Path) -> FaceDetector:
    """Load a network written by `oldfix.write_network`.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, FaceDetector, "a face detector")


def load_published_mobile(path: Path) -> FaceDetector:
    """Load facexlib's ``detection_mobilenet0.25_Final.pth``; tensors only, no code.

    Raises:
        WeightsError: the file holds something other than tensors, or another network.
    """
    return _load_published(path, "mobile0.25")


def load_published_resnet(path: Path) -> FaceDetector:
    """Load facexlib's ``detection_Resnet50_Final.pth``; tensors only, no code.

    Raises:
        WeightsError: the file holds something other than tensors, or another network.
    """
    return _load_published(path, "resnet50")


def tiny() -> FaceDetector:
    """The small network with random weights, for tests."""
    torch.manual_seed(0)
    return FaceDetector("mobile0.25")


def _load_published(path: Path, network: str) -> FaceDetector:
    net = FaceDetector(network)
    fill_from_checkpoint(net.retinaface, path, f"a RetinaFace {network} file", without_wrapper)
    net.eval()
    return net


def without_wrapper(saved: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by the names that they have outside of a network spread over several GPUs."""
    return {name.removeprefix("module."): value for name, value in saved.items()}


@cache
def _retinaface() -> Any:
    return compat.load("facexlib.detection.retinaface:RetinaFace")
