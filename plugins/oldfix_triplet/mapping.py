"""The mapping network T, from the latent of photographs as found to that of clean ones."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix import load_network
from oldfix_triplet.attention import PartialNonlocal
from oldfix_triplet.blocks import layer, residuals

#: Arguments of `Mapping` that build the published networks: 36.1 M parameters without the
#: partial nonlocal block, 51.3 M with it.
PUBLISHED: dict[str, Any] = {
    "channels": 64,
    "widths": [128, 256, 512, 512],
    "blocks": 6,
    "attention": 0,
    "shrink": 1,
    "published": True,
}
PUBLISHED_WITH_MASK: dict[str, Any] = {**PUBLISHED, "attention": 512, "rho": 3}


class Mapping(nn.Module):  # type: ignore[misc]
    """Convolutions, the partial nonlocal block where positions are damaged, residual blocks.

    ``enter``, ``attend`` and ``leave`` one after the other are the whole network. They are apart
    because the first and the last may run in tiles, while the block sees the whole picture.

    Args:
        channels: latent channels.
        widths: channels of the convolutions on the way in; the same in reverse on the way out.
        blocks: residual blocks in the middle.
        attention: inner channels of the partial nonlocal block; 0 leaves it out.
        rho: residual blocks of its global branch.
        shrink: the network works on squares of so many latent positions at a time; a power of 2.
        published: instance normalisation and ReLU as published, and no sight of the mask outside
            the block. Else the mask is one more channel of the input, and the latent is added to
            the output, so that an untrained network leaves it as it is.
    """

    def __init__(  # noqa: PLR0913
        self,
        channels: int = 16,
        widths: tuple[int, ...] = (128,),
        blocks: int = 4,
        attention: int = 64,
        rho: int = 1,
        shrink: int = 2,
        published: bool = False,
    ) -> None:
        super().__init__()
        self.config = {
            "channels": channels,
            "widths": list(widths),
            "blocks": blocks,
            "attention": attention,
            "rho": rho,
            "shrink": shrink,
            "published": published,
        }
        self.shrink, self.published = shrink, published
        square, width = shrink * shrink, widths[-1]
        first = (channels + (0 if published else 1)) * square
        self.entry = nn.Sequential(*(_conv(a, b, published) for a, b in pairwise((first, *widths))))
        self.attention = (
            PartialNonlocal(width, attention, rho, published=published) if attention else None
        )
        self.blocks = residuals(blocks, width, published=published)
        back = pairwise(widths[::-1])
        self.back = nn.Sequential(*(_conv(a, b, published) for a, b in back))
        self.exit = nn.Conv2d(widths[0], channels * square, 3, padding=1)
        if not published:
            nn.init.zeros_(self.exit.weight)
            nn.init.zeros_(self.exit.bias)

    def forward(self, z: Tensor, mask: Tensor) -> Tensor:
        """Map latents.

        Args:
            z: (N, channels, h, w), h and w multiples of ``shrink``.
            mask: (N, 1, h, w); above 0 is damaged.

        Returns:
            (N, channels, h, w) float32.
        """
        features = self.enter(z, mask)
        if self.attention is not None and bool((mask > 0).any()):
            features = self.attend(features, functional.max_pool2d(mask, self.shrink))
        return self.leave(features) + (0 if self.published else z.float())

    def enter(self, z: Tensor, mask: Tensor) -> Tensor:
        """Latent and mask to features (N, width, h / shrink, w / shrink)."""
        seen = z if self.published else torch.cat([z, mask], dim=1)
        features: Tensor = self.entry(functional.pixel_unshuffle(seen, self.shrink))
        return features

    def attend(self, features: Tensor, mask: Tensor) -> Tensor:
        """Features and mask, both of the features' size, to features; see `PartialNonlocal`."""
        if self.attention is None:
            raise ValueError("this mapping network was built without a partial nonlocal block")
        filled: Tensor = self.attention(features, mask)
        return filled

    def leave(self, features: Tensor) -> Tensor:
        """Features to (N, channels, h, w) float32: the new latent, or what to add to the old."""
        out = self.exit(self.back(self.blocks(features)))
        return functional.pixel_shuffle(out, self.shrink).float()


def _conv(a: int, b: int, published: bool) -> nn.Module:
    conv = nn.Conv2d(a, b, 3, padding=1)
    return layer(conv, b) if published else nn.Sequential(conv, nn.SiLU())


def load(path: Path) -> Mapping:
    """Read a `Mapping` from a weights file.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, Mapping, "a mapping network")


def tiny() -> Mapping:
    """A `Mapping` of a few thousand random parameters for the latent of ``vae.tiny``."""
    torch.manual_seed(0)
    net = Mapping(channels=4, widths=(12,), blocks=1, attention=6)
    nn.init.normal_(net.exit.weight, std=0.02)
    net.eval()
    return net
