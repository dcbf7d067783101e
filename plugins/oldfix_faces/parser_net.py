"""The face parser: facexlib's ParseNet, giving how much of each pixel is face.

Its 19 classes are those of CelebAMask-HQ. Skin, brows, eyes, glasses, ears, nose, mouth, lips and
ear-rings are face; background, hat, necklace, neck, clothes and hair are not (facexlib's own
choice for pasting).
"""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from oldfix import compat, fill_from_checkpoint

#: Constructor arguments of the published network.
PUBLISHED: dict[str, Any] = {"in_size": 512, "out_size": 512, "parsing_ch": 19}
_TINY: dict[str, Any] = {
    **PUBLISHED,
    "in_size": 32,
    "out_size": 32,
    "min_feat_size": 8,
    "base_ch": 8,
    "res_depth": 1,
    "ch_range": [8, 16],
}
_FACE = [*range(1, 14), 15]


class FaceParser(nn.Module):  # type: ignore[misc]
    """ParseNet for aligned faces.

    Attributes:
        size: width and height of the aligned crops, in pixels.
    """

    def __init__(self, **arguments: Any) -> None:
        """Build with random weights; the arguments are those of ``ParseNet``."""
        super().__init__()
        self.size = int(arguments["in_size"])
        self.parsenet = _parsenet()(**arguments)

    def forward(self, faces: Tensor) -> Tensor:
        """Return the probability of being face.

        Args:
            faces: (N, 3, size, size) RGB in [0, 1], sRGB-encoded, on the FFHQ template.

        Returns:
            (N, 1, size, size) in [0, 1].
        """
        classes = torch.softmax(self.parsenet(faces * 2 - 1)[0].float(), dim=1)
        return classes[:, _FACE].sum(dim=1, keepdim=True)


def load_published(path: Path) -> FaceParser:
    """Load facexlib's ``parsing_parsenet.pth``; tensors only, no code.

    Raises:
        WeightsError: the file holds something other than tensors, or another network.
    """
    return load_checkpoint(path, PUBLISHED)


def load_checkpoint(path: Path, arguments: dict[str, Any]) -> FaceParser:
    """Load a file in the published layout for a network of any size; tensors only, no code.

    Raises:
        WeightsError: the file holds something other than tensors, or another network.
    """
    net = FaceParser(**arguments)
    fill_from_checkpoint(net.parsenet, path, "a ParseNet file")
    net.eval()
    return net


def tiny() -> FaceParser:
    """A parser of 32-pixel faces with random weights, for tests."""
    torch.manual_seed(0)
    return FaceParser(**_TINY)


def tiny_arguments() -> dict[str, Any]:
    """Constructor arguments of `tiny`."""
    return dict(_TINY)


@cache
def _parsenet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compat.load("facexlib.parsing.parsenet:ParseNet")
