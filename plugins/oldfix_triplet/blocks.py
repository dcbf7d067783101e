"""Building blocks shared by the autoencoders and the networks between their latents."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from oldfix import Residual


class PublishedResidual(nn.Module):  # type: ignore[misc]
    """``x + norm(conv(relu(norm(conv(x)))))``, both 3 x 3, as the published networks have it.

    Borders are reflected. The instance normalisation looks at the whole picture, so a network
    with such a block cannot tile.

    Args:
        width: channels in and out.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect")
        self.second = nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect")

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        hidden = functional.relu(functional.instance_norm(self.first(x)))
        return x + functional.instance_norm(self.second(hidden))


def residuals(count: int, width: int, *, published: bool) -> nn.Sequential:
    """Residual blocks in a row: the published ones, or those of `oldfix.Residual`, which tile."""
    kind = PublishedResidual if published else Residual
    return nn.Sequential(*(kind(width) for _ in range(count)))


def layer(conv: nn.Module, width: int) -> nn.Sequential:
    """A convolution followed, as in the published networks, by instance normalisation and ReLU."""
    return nn.Sequential(conv, nn.InstanceNorm2d(width), nn.ReLU())
