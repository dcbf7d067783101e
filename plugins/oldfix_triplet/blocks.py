"""Building blocks shared by the autoencoders and the networks between their latents."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class Residual(nn.Module):  # type: ignore[misc]
    """``x + conv(act(conv(x)))``, both 3 x 3.

    Args:
        width: channels in and out.
        published: as the published networks have it: reflected borders, instance normalisation
            after both convolutions (over the whole picture, so such a network cannot tile) and
            ReLU. Else zeros at the borders, no normalisation, SiLU, and a second convolution that
            starts at zero.
        embedding: size of a time embedding that scales and shifts the hidden layer; 0 for none.
    """

    def __init__(self, width: int, *, published: bool = False, embedding: int = 0) -> None:
        super().__init__()
        how = {"padding": 1, "padding_mode": "reflect" if published else "zeros"}
        self.first = nn.Conv2d(width, width, 3, **how)
        self.second = nn.Conv2d(width, width, 3, **how)
        self.published = published
        self.film = nn.Linear(embedding, 2 * width) if embedding else None
        starting_at_zero = [] if published else [self.second]
        if self.film is not None:
            starting_at_zero.append(self.film)
        for layer in starting_at_zero:
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """(N, width, H, W), and (N, embedding) where the block has one, to (N, width, H, W)."""
        hidden = self.first(x)
        if self.film is not None and time is not None:
            scale, shift = self.film(time)[:, :, None, None].chunk(2, dim=1)
            hidden = hidden * (1 + scale) + shift
        if self.published:
            hidden = functional.relu(functional.instance_norm(hidden))
            return x + functional.instance_norm(self.second(hidden))
        return x + self.second(functional.silu(hidden))


def layer(conv: nn.Module, width: int) -> nn.Sequential:
    """A convolution followed, as in the published networks, by instance normalisation and ReLU."""
    return nn.Sequential(conv, nn.InstanceNorm2d(width), nn.ReLU())


def count(net: nn.Module) -> int:
    """Number of parameters of a network."""
    return sum(p.numel() for p in net.parameters())
