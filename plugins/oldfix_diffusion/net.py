"""The networks: a wide autoencoder of factor four, and the denoiser that works in its latent.

Neither has normalisation, pooling or attention over the picture, so both may run in tiles.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix import ResidualTrunk, load_network

#: Side of the square of pixels that one latent position stands for.
FACTOR = 4


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
        self.encoder = ResidualTrunk((pixels, channels), width, blocks)
        self.decoder = ResidualTrunk((channels, pixels), width, blocks)
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
    """Read an `Autoencoder` from a weights file.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, Autoencoder, "an autoencoder")


def tiny_autoencoder() -> Autoencoder:
    """An untrained `Autoencoder` of a few thousand parameters."""
    torch.manual_seed(0)
    net = Autoencoder(channels=4, width=8, blocks=1)
    net.eval()
    return net
