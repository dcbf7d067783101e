"""The ResNet-34 whose features are matched, of any width, with torchvision's names of tensors."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix import WeightsError

#: Blocks of the four stages of ResNet-34 (He et al., CVPR 2016).
_BLOCKS = (3, 4, 6, 3)
#: Mean and deviation of ImageNet's colours, which torchvision's weights expect.
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ResNetPyramid(nn.Module):  # type: ignore[misc]
    """Features at 1/4, 1/8, 1/16 and 1/32 of the size: ResNet-34 without its classifier.

    Args:
        width: channels of the first stage, 64 as published; twice as many in each further one.
        trained: False freezes the weights and the batch statistics, as the paper does with those
            of ImageNet.
    """

    def __init__(self, width: int = 64, *, trained: bool = True) -> None:
        super().__init__()
        self.widths = tuple(width * 2**stage for stage in range(4))
        self.trained = trained
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        before = width
        for number, (after, blocks) in enumerate(zip(self.widths, _BLOCKS, strict=True)):
            stage = [BasicBlock(before if i == 0 else after, after) for i in range(blocks)]
            self.add_module(f"layer{number + 1}", nn.Sequential(*stage))
            before = after
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        deviation = torch.tensor(_DEVIATION).view(1, 3, 1, 1)
        self.register_buffer("deviation", deviation, persistent=False)
        if not trained:
            self.requires_grad_(False)

    def train(self, mode: bool = True) -> ResNetPyramid:
        """Switch to training, unless frozen."""
        super().train(mode and self.trained)
        return self

    def forward(self, light: Tensor) -> tuple[Tensor, ...]:
        """Return the features of (N, 1, H, W) grey values in [0, 1], largest first."""
        normed = (light.expand(-1, 3, -1, -1) - self.mean) / self.deviation
        y = functional.relu(self.bn1(self.conv1(normed)))
        y = functional.max_pool2d(y, 3, stride=2, padding=1)
        features = []
        for number in range(len(_BLOCKS)):
            y = getattr(self, f"layer{number + 1}")(y)
            features.append(y)
        return tuple(features)

    def load_imagenet(self, path: Path) -> None:
        """Take the weights of a file as torchvision saves its ``resnet34``.

        Args:
            path: ``resnet34-*.pth`` or ``.safetensors``; the classifier in it is left out.

        Raises:
            WeightsError: the file cannot be read, or is no ResNet-34 of this width.
        """
        try:
            state = _read_state(path)
            kept = {name: v for name, v in state.items() if not name.startswith("fc.")}
            self.load_state_dict(kept)
        except Exception as error:  # torch raises whatever it likes on a stranger's file
            raise WeightsError(
                f"{path}: is not a ResNet-34 as torchvision saves it, {self.widths[0]} channels "
                f"wide ({type(error).__name__}: {error}); give its resnet34 weights"
            ) from error


class BasicBlock(nn.Module):  # type: ignore[misc]
    """Two 3x3 convolutions with batch normalisation, around a shortcut."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        stride = 1 if before == after else 2
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.downsample: nn.Module = nn.Identity()
        if before != after:
            shortcut = nn.Conv2d(before, after, 1, stride=stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        """Return features of (N, before, h, w), at half the size if the width changes."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.downsample(x))


def _read_state(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return dict(load_file(path))
    return dict(torch.load(path, map_location="cpu", weights_only=True))
