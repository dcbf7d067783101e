"""Building blocks that networks of several plugins share; none looks at the whole picture."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):  # type: ignore[misc]
    """``x + conv(silu(conv(x)))``, both 3 x 3; the second starts at zero.

    Args:
        width: channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        return x + self.second(functional.silu(self.first(x)))


class ResidualTrunk(nn.Module):  # type: ignore[misc]
    """A 1 x 1 linear path, plus a 3 x 3 entry, residual blocks and a 1 x 1 exit.

    Args:
        channels: in and out.
        width: channels of the residual blocks.
        blocks: how many there are.
    """

    def __init__(self, channels: tuple[int, int], width: int, blocks: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(channels[0], channels[1], 1)
        self.entry = nn.Conv2d(channels[0], width, 3, padding=1)
        self.blocks = nn.Sequential(*(Residual(width) for _ in range(blocks)))
        self.exit = nn.Conv2d(width, channels[1], 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels in, H, W) to (N, channels out, H, W) float32."""
        detail = self.exit(functional.silu(self.blocks(self.entry(x))))
        # float32 outside of autocast: sums with what was rounded to bfloat16 would end at 59 dB.
        return self.linear(x).float() + detail.float()
