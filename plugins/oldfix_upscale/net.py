"""The two networks of Real-ESRGAN, with the parameter names of the published files.

Wang et al., "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic Data",
ICCVW 2021 (arXiv 2107.10833); the residual-in-residual dense blocks are those of Wang et al.,
"ESRGAN", ECCVW 2018 (arXiv 1809.00219), the compact network is Real-ESRGAN's own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: What a residual is multiplied by before it is added, in dense blocks and around three of them.
_RESIDUAL = 0.2


class Compact(nn.Module):  # type: ignore[misc]
    """SRVGGNetCompact: 3x3 convolutions at the size of the input, pixel shuffle at the end.

    Args:
        width: channels of the body.
        convolutions: in the body, besides the first and the last.
        factor: how many times larger the output is.
    """

    def __init__(self, width: int = 64, convolutions: int = 16, factor: int = 4) -> None:
        super().__init__()
        self.factor = factor
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.PReLU(width)]
        for _ in range(convolutions):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.PReLU(width)]
        layers.append(nn.Conv2d(width, 3 * factor**2, 3, padding=1))
        self.body = nn.ModuleList(layers)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to (N, 3, factor H, factor W), about [0, 1]."""
        x = image
        for layer in self.body:
            x = layer(x)
        return F.pixel_shuffle(x, self.factor) + F.interpolate(image, scale_factor=self.factor)


class Dense(nn.Module):  # type: ignore[misc]
    """A residual dense block: each convolution sees all that came before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for number in range(1, 6):
            made = growth if number < 5 else width
            conv = nn.Conv2d(width + (number - 1) * growth, made, 3, padding=1)
            self.add_module(f"conv{number}", conv)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        seen = [x]
        for number in range(1, 5):
            conv = self.get_submodule(f"conv{number}")
            seen.append(F.leaky_relu(conv(torch.cat(seen, dim=1)), 0.2))
        last: Tensor = self.get_submodule("conv5")(torch.cat(seen, dim=1))
        return x + _RESIDUAL * last


class DenseInResidual(nn.Module):  # type: ignore[misc]
    """Three residual dense blocks within a residual (RRDB)."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = (Dense(width, growth) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        inner: Tensor = self.rdb3(self.rdb2(self.rdb1(x)))
        return x + _RESIDUAL * inner


class RRDBNet(nn.Module):  # type: ignore[misc]
    """ESRGAN's network; where it enlarges twice it starts from squares of 2x2 pixels.

    Args:
        factor: 2 or 4.
        width: channels of the trunk.
        blocks: residual-in-residual dense blocks.
        growth: channels that each convolution of a dense block adds.
    """

    def __init__(
        self, factor: int = 4, width: int = 64, blocks: int = 23, growth: int = 32
    ) -> None:
        super().__init__()
        self.factor = factor
        self.fold = 4 // factor
        self.conv_first = nn.Conv2d(3 * self.fold**2, width, 3, padding=1)
        self.body = nn.Sequential(*(DenseInResidual(width, growth) for _ in range(blocks)))
        self.conv_body = nn.Conv2d(width, width, 3, padding=1)
        self.conv_up1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_up2 = nn.Conv2d(width, width, 3, padding=1)
        self.conv_hr = nn.Conv2d(width, width, 3, padding=1)
        self.conv_last = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) RGB in [0, 1] to (N, 3, factor H, factor W), about [0, 1]."""
        x = self.conv_first(F.pixel_unshuffle(image, self.fold))
        x = x + self.conv_body(self.body(x))
        for conv in (self.conv_up1, self.conv_up2):
            x = F.leaky_relu(conv(F.interpolate(x, scale_factor=2)), 0.2)
        last: Tensor = self.conv_last(F.leaky_relu(self.conv_hr(x), 0.2))
        return last
