"""A super-resolution network as the stage uses it, and how published files become one."""

from __future__ import annotations

from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from oldfix import fill_from_checkpoint
from oldfix_upscale.net import Compact, RRDBNet


class Enlarger(nn.Module):  # type: ignore[misc]
    """Enlarges by the factor asked for, which may be half of what its network was made for.

    The average over 2x2 pixels is taken tile by tile, so a larger picture never exists.

    Attributes:
        net: the published network.
    """

    def __init__(self, net: Compact | RRDBNet) -> None:
        super().__init__()
        self.net = net

    def twice(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to (N, 3, 2H, 2W) in [0, 1]."""
        enlarged = self.net(image).clamp(0, 1)
        return enlarged if self.net.factor == 2 else F.avg_pool2d(enlarged, 2)

    def four_times(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to (N, 3, 4H, 4W) in [0, 1], by a network made for 4."""
        enlarged: Tensor = self.net(image).clamp(0, 1)
        return enlarged


def load_general(path: Path) -> Enlarger:
    """Load ``realesr-general-x4v3.pth`` or its sibling with more denoising."""
    return _loaded(path, Compact(64, 32, 4))


def load_x4(path: Path) -> Enlarger:
    """Load ``RealESRGAN_x4plus.pth``."""
    return _loaded(path, RRDBNet(4))


def load_x2(path: Path) -> Enlarger:
    """Load ``RealESRGAN_x2plus.pth``."""
    return _loaded(path, RRDBNet(2))


def tiny_general() -> Enlarger:
    """A small network of the kind of `load_general`, random values, for tests."""
    return Enlarger(Compact(8, 2, 4))


def tiny_x4() -> Enlarger:
    """A small network of the kind of `load_x4`, random values, for tests."""
    return Enlarger(RRDBNet(4, width=8, blocks=1, growth=4))


def tiny_x2() -> Enlarger:
    """A small network of the kind of `load_x2`, random values, for tests."""
    return Enlarger(RRDBNet(2, width=8, blocks=1, growth=4))


def _loaded(path: Path, net: Compact | RRDBNet) -> Enlarger:
    """Read a published file; tensors only, no code.

    Raises:
        WeightsError: it holds something other than tensors, or another network.
    """
    fill_from_checkpoint(
        net,
        path,
        "this Real-ESRGAN network",
        lambda saved: saved.get("params_ema", saved.get("params")),
    )
    return Enlarger(net)
