"""The two variational autoencoders: one for photographs as found, one for clean ones.

Both have a posterior of fixed deviation around the encoder's output, as the published code has it
(after MUNIT, arXiv 1804.04732): there is no head for a variance.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix import ResidualTrunk, load_network
from oldfix_triplet.blocks import layer, residuals

#: Side of the square of pixels that one latent position stands for.
FACTOR = 4
Kind = Literal["tiles", "published"]
#: Arguments of `Vae` that build the published network, of 0.87 M parameters.
PUBLISHED: dict[str, Any] = {
    "kind": "published",
    "channels": 64,
    "width": 64,
    "blocks": 4,
    "deviation": 1.0,
}


def _tiling(channels: int, width: int, blocks: int) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder without normalisation, of finite view: they may run in tiles."""
    pixels = 3 * FACTOR * FACTOR
    into = ResidualTrunk((pixels, channels), width, blocks)
    back = ResidualTrunk((channels, pixels), width, blocks)
    encoder = nn.Sequential(nn.PixelUnshuffle(FACTOR), into)
    return encoder, nn.Sequential(back, nn.PixelShuffle(FACTOR))


def _published(channels: int, width: int, blocks: int) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder of the published networks; ``channels`` must be ``width``."""
    if channels != width:
        raise ValueError(f"the published autoencoder has as many channels as width, got {channels}")

    encoder = nn.Sequential(
        layer(nn.Conv2d(3, width, 7, padding=3, padding_mode="reflect"), width),
        layer(nn.Conv2d(width, width, 4, stride=2, padding=1), width),
        layer(nn.Conv2d(width, width, 4, stride=2, padding=1), width),
        *residuals(blocks, width, published=True),
    )
    decoder = nn.Sequential(
        *residuals(blocks, width, published=True),
        layer(nn.ConvTranspose2d(width, width, 4, stride=2, padding=1), width),
        layer(nn.ConvTranspose2d(width, width, 4, stride=2, padding=1), width),
        nn.Conv2d(width, 3, 7, padding=3, padding_mode="reflect"),
        nn.Tanh(),
    )
    return encoder, decoder


_BUILDERS = {"tiles": _tiling, "published": _published}


class Vae(nn.Module):  # type: ignore[misc]
    """Pictures to latents of a quarter of their size, and back; inside, pixels are in [-1, 1].

    Args:
        kind: "published", the paper's layers with instance normalisation, or "tiles", without any.
        channels: latent channels.
        width: channels of the hidden layers.
        blocks: residual blocks in each of encoder and decoder.
        deviation: standard deviation of the posterior, the same everywhere.
    """

    def __init__(
        self,
        kind: Kind = "tiles",
        channels: int = 16,
        width: int = 64,
        blocks: int = 2,
        deviation: float = 0.05,
    ) -> None:
        super().__init__()
        self.deviation = deviation
        self.encoder, self.decoder = _BUILDERS[kind](channels, width, blocks)

    def encode(self, x: Tensor) -> Tensor:
        """The posterior's mean: (N, 3, H, W) sRGB in [0, 1] to (N, channels, H/4, W/4) float32.

        H and W are multiples of 4.
        """
        z: Tensor = self.encoder(x.float() * 2 - 1).float()
        return z

    def decode(self, z: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, 3, 4h, 4w) float32, near [0, 1] but not clipped."""
        return (self.decoder(z).float() + 1) / 2

    def forward(self, x: Tensor) -> Tensor:
        """Code and decode, without the posterior's noise."""
        return self.decode(self.encode(x))

    def sample(self, mean: Tensor) -> Tensor:
        """Draw from the posterior around its mean, with torch's own randomness."""
        return mean + self.deviation * torch.randn_like(mean)


class VaePair(nn.Module):  # type: ignore[misc]
    """VAE1 of photographs as found, real ones and synthetic ones alike, and VAE2 of clean ones.

    Args:
        arguments: of both, see `Vae`.
    """

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.config = dict(arguments)
        self.found = Vae(**arguments)
        self.clean = Vae(**arguments)

    def encode(self, x: Tensor) -> Tensor:
        """E_RX: photographs as found to their latents, see `Vae.encode`."""
        return self.found.encode(x)

    def decode(self, z: Tensor) -> Tensor:
        """G_Y: latents of clean photographs to pictures, see `Vae.decode`."""
        return self.clean.decode(z)


def load(path: Path) -> VaePair:
    """Read a `VaePair` from a weights file.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, VaePair, "a pair of autoencoders")


def tiny() -> VaePair:
    """An untrained `VaePair` of a few thousand parameters that may run in tiles."""
    torch.manual_seed(0)
    net = VaePair(channels=4, width=8, blocks=1)
    net.eval()
    return net


def start_from_principal(vae: Vae, pictures: Tensor) -> None:
    """Let the linear paths of a tiling autoencoder begin as a principal component analysis.

    Each latent channel is one component of the 48 numbers of a square, brought to unit variance;
    the convolutions begin by adding nothing. This is where training would spend its first
    minutes.

    Args:
        vae: of kind "tiles".
        pictures: (N, 3, H, W) sRGB in [0, 1], H and W multiples of 4.
    """
    encoder, decoder = vae.encoder[1], vae.decoder[0]
    squares = functional.pixel_unshuffle(pictures.double() * 2 - 1, FACTOR)
    squares = squares.transpose(0, 1).flatten(1)
    mean = squares.mean(dim=1)
    variances, vectors = torch.linalg.eigh(torch.cov(squares))
    channels = encoder.linear.out_channels
    deviations = variances[-channels:].clamp(min=1e-8).sqrt()
    vectors = vectors[:, -channels:]
    with torch.no_grad():
        into = (vectors / deviations).T
        encoder.linear.weight.copy_(into[:, :, None, None])
        encoder.linear.bias.copy_(-into @ mean)
        decoder.linear.weight.copy_((vectors * deviations)[:, :, None, None])
        decoder.linear.bias.copy_(mean)
        for trunk in (encoder, decoder):
            nn.init.zeros_(trunk.exit.weight)
            nn.init.zeros_(trunk.exit.bias)
