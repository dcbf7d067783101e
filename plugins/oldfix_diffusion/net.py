"""The networks: a wide autoencoder of factor four, and the denoiser that works in its latent.

Neither has normalisation, pooling or attention over the picture, so both may run in tiles.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix import read_network

#: Side of the square of pixels that one latent position stands for.
FACTOR = 4


class Residual(nn.Module):  # type: ignore[misc]
    """``x + conv(silu(conv(x)))``, both 3 x 3; the second starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same shape."""
        return x + self.second(functional.silu(self.first(x)))


class _Trunk(nn.Module):  # type: ignore[misc]
    """A 1 x 1 linear path, plus a 3 x 3 entry, residual blocks and a 1 x 1 exit."""

    def __init__(self, channels: tuple[int, int], width: int, blocks: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(channels[0], channels[1], 1)
        self.entry = nn.Conv2d(channels[0], width, 3, padding=1)
        self.blocks = nn.Sequential(*(Residual(width) for _ in range(blocks)))
        self.exit = nn.Conv2d(width, channels[1], 1)

    def forward(self, x: Tensor) -> Tensor:
        detail = self.exit(functional.silu(self.blocks(self.entry(x))))
        return self.linear(x).float() + detail.float()


class Autoencoder(nn.Module):  # type: ignore[misc]
    """Pictures to latents of a quarter of their size, and back.

    Wide rather than deep: 16 channels for 48 values keep about 38 dB, so that the latent is not
    what limits a restoration (the published f4 autoencoders of latent diffusion, arXiv
    2112.10752, keep 27 dB in 3 channels). Latents are brought to zero mean and unit variance,
    channel by channel, with the statistics of the training photographs.

    Args:
        channels: latent channels.
        width: channels of the hidden layers.
        blocks: residual blocks in each of encoder and decoder.
    """

    def __init__(self, channels: int = 16, width: int = 96, blocks: int = 3) -> None:
        super().__init__()
        self.config = {"channels": channels, "width": width, "blocks": blocks}
        pixels = 3 * FACTOR * FACTOR
        self.encoder = _Trunk((pixels, channels), width, blocks)
        self.decoder = _Trunk((channels, pixels), width, blocks)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.zeros(1, channels, 1, 1))
        self.register_buffer("std", torch.ones(1, channels, 1, 1))

    def encode(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) sRGB in [0, 1], sides multiples of 4, to (N, channels, H/4, W/4) float32."""
        z = self.encoder(functional.pixel_unshuffle(x.float() - 0.5, FACTOR))
        return (z - self.mean) / self.std

    def decode(self, z: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, 3, 4h, 4w) float32, near [0, 1] but not clipped."""
        pixels = self.decoder(z.float() * self.std + self.mean)
        return functional.pixel_shuffle(pixels, FACTOR) + 0.5

    def forward(self, x: Tensor) -> Tensor:
        """Encode and decode."""
        return self.decode(self.encode(x))


def load_autoencoder(path: Path) -> Autoencoder:
    """Read an `Autoencoder` from a weights file."""
    config, state = read_network(path)
    net = Autoencoder(**config)
    net.load_state_dict(state)
    net.eval()
    return net


def tiny_autoencoder() -> Autoencoder:
    """An untrained `Autoencoder` of a few thousand parameters."""
    torch.manual_seed(0)
    net = Autoencoder(channels=4, width=8, blocks=1)
    net.eval()
    return net
