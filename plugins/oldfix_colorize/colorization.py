"""The small colorization sub-network: a dense U-Net guided by warped histograms.

It follows the published one (`oldfix_colorize.published`) at a twentieth of its parameters, and
differs where that made it better or faster; docs/explanation/pik-fix.md tells the reasons. It
works at a quarter of the size, and gives a distribution over colours at every place, as in Zhang
et al., "Colorful Image Colorization" (ECCV 2016), whose mean is the colour. It looks at the whole
picture (attention at a sixteenth of the size), so it runs at a bounded size and never in tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix.colour import from_lab, to_lab
from oldfix_colorize.blocks import Attention, DenseBlock, doubled
from oldfix_colorize.similarity import Guidance

#: Channels that the guidance is reduced to before the decoder joins it.
_HINT = 64


class Prediction(NamedTuple):
    """What the network thinks of a picture.

    Attributes:
        probability: (N, Q, H/4, W/4) of the colours, by what the photograph shows alone.
        chroma: (N, 2, H/2, W/2), with the references' colours mixed in.
        guidance: what the references said.
    """

    probability: Tensor
    chroma: Tensor
    guidance: Guidance


class Colorization(nn.Module):  # type: ignore[misc]
    """Predicts chroma at half the size of luminance, whose sides are multiples of 16.

    Args:
        width: channels at a quarter of the size; twice and three times as many further down.
        growth: channels that a layer of a dense block adds at a quarter of the size, and below.
        layers: layers of a dense block.
        step: distance of the colour bins, in units of a* and b*.
        bins: of the warped histogram, for each channel.
        dropout: part of the deepest features left out in training.
    """

    def __init__(
        self,
        width: int = 64,
        growth: Sequence[int] = (24, 24),
        layers: int = 3,
        *,
        step: float = 20.0,
        bins: int = 256,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        colours = colour_bins(step)
        self.register_buffer("bins", colours / 100, persistent=False)
        self.spread = step / 200
        self.encoder = Encoder(width, growth, layers, dropout)
        self.decoder = Decoder(self.encoder.widths, growth, layers, len(colours), 2 * bins + 2)

    @property
    def described(self) -> int:
        """Channels that `known` gives."""
        return self.encoder.widths[1] + self.encoder.widths[2]

    @staticmethod
    def known(features: tuple[Tensor, ...]) -> Tensor:
        """Join the encoder's features at an eighth and a sixteenth, at an eighth of the size."""
        return torch.cat([features[1], doubled(features[2])], dim=1)

    def forward(self, features: tuple[Tensor, ...], guidance: Guidance) -> Prediction:
        """Predict colours from what the encoder gave, and from references' guidance."""
        logits, gate, fine = self.decoder(features, guidance)
        probability = torch.softmax(logits, dim=1)
        own = torch.einsum("nqhw,qc->nchw", probability, self.bins)
        trust = torch.sigmoid(gate) * doubled(guidance.given.float())
        mixed = own + trust * (doubled(guidance.colour.float()) - own)
        enlarged = functional.interpolate(mixed, scale_factor=2.0, mode="bilinear")
        return Prediction(probability, enlarged + fine, guidance)

    def classes(self, chroma: Tensor) -> Tensor:
        """Spread (N, 2, h, w) chroma over the bins: (N, Q, h, w), summing to 1 at every place."""
        distance = (chroma.float()[:, None] - self.bins[None, :, :, None, None]).square().sum(2)
        return torch.softmax(-distance / (2 * self.spread**2), dim=1)


class Encoder(nn.Module):  # type: ignore[misc]
    """Features of luminance at 1/4, 1/8 and 1/16 of the size."""

    def __init__(self, width: int, growth: Sequence[int], layers: int, dropout: float) -> None:
        super().__init__()
        self.widths = (width, 2 * width, 3 * width)
        quarter, eighth, sixteenth = self.widths
        self.stem = nn.Conv2d(17, quarter, 3, padding=1)
        self.down_eighth = nn.Conv2d(quarter, eighth, 4, 2, 1)
        self.down_sixteenth = nn.Conv2d(eighth, sixteenth, 4, 2, 1)
        self.dense_quarter = DenseBlock(quarter, growth[0], layers)
        self.dense_eighth = DenseBlock(eighth, growth[1], layers + 1)
        self.dense_sixteenth = DenseBlock(sixteenth, growth[1], layers + 1)
        self.attention = Attention(sixteenth)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, light: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of (N, 1, H, W), largest first."""
        n, _, height, width = light.shape
        rows = torch.linspace(-1, 1, height // 4, device=light.device, dtype=light.dtype)
        rows = rows.view(1, 1, -1, 1).expand(n, 1, -1, width // 4)
        y = torch.cat([functional.pixel_unshuffle(light - 0.5, 4), rows], dim=1)
        quarter = self.dense_quarter(functional.relu(self.stem(y)))
        eighth = self.dense_eighth(functional.relu(self.down_eighth(quarter)))
        sixteenth = self.dense_sixteenth(functional.relu(self.down_sixteenth(eighth)))
        return quarter, eighth, self.dropout(self.attention(sixteenth))


class Decoder(nn.Module):  # type: ignore[misc]
    """From features and guidance to logits of colours, trust in references, and fine detail."""

    def __init__(
        self,
        widths: tuple[int, ...],
        growth: Sequence[int],
        layers: int,
        colours: int,
        guidance: int,
    ) -> None:
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.hint = nn.Conv2d(guidance, _HINT, 1)
        self.deep = nn.Conv2d(sixteenth + _HINT, sixteenth, 1)
        self.dense_deep = DenseBlock(sixteenth, growth[1], layers)
        self.merge_eighth = nn.Conv2d(sixteenth + eighth + _HINT, eighth, 1)
        self.dense_eighth = DenseBlock(eighth, growth[1], layers)
        self.merge_quarter = nn.Conv2d(eighth + quarter + _HINT, quarter, 1)
        self.dense_quarter = DenseBlock(quarter, growth[0], layers)
        self.logits = nn.Conv2d(quarter, colours, 1)
        self.gate = nn.Conv2d(quarter, 1, 1)
        self.fine = nn.Conv2d(quarter, 8, 3, padding=1)
        nn.init.zeros_(self.fine.weight)
        nn.init.zeros_(self.fine.bias)

    def forward(
        self, features: tuple[Tensor, ...], guidance: Guidance
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return (N, Q, H/4, W/4), (N, 1, H/4, W/4) and (N, 2, H/2, W/2), all float32."""
        quarter, eighth, sixteenth = features
        planes = (guidance.histogram, guidance.similarity, guidance.given)
        hint = functional.relu(self.hint(torch.cat(planes, dim=1)))
        y = self.deep(torch.cat([sixteenth, functional.avg_pool2d(hint, 2)], dim=1))
        y = self.dense_deep(functional.relu(y))
        y = self.merge_eighth(torch.cat([doubled(y), eighth, hint], dim=1))
        y = self.dense_eighth(functional.relu(y))
        y = self.merge_quarter(torch.cat([doubled(y), quarter, doubled(hint)], dim=1))
        y = self.dense_quarter(functional.relu(y))
        fine = functional.pixel_shuffle(self.fine(y).float(), 2)
        return self.logits(y).float(), self.gate(y).float(), fine


def colour_bins(step: float) -> Tensor:
    """Return the (Q, 2) points of an a*, b* grid that sRGB reaches at some L*."""
    line = np.arange(-7, 8, dtype=np.float32) * step
    a, b = (plane.ravel() for plane in np.meshgrid(line, line))
    levels = np.repeat(np.arange(5, 100, 5, dtype=np.float32)[:, None], len(a), axis=1)
    lab = np.stack([levels, *np.broadcast_arrays(a, b, levels)[:2]], axis=-1)
    kept = np.abs(to_lab(from_lab(lab)) - lab).max(axis=-1) < 0.5
    return torch.from_numpy(np.stack([a, b], axis=-1)[kept.any(axis=0)])
