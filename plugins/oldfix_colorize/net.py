"""The colorizer: a dense U-Net that predicts chroma from luminance, and from references if given.

After Pik-Fix (Xu et al., WACV 2023): descriptors of photograph and reference are correlated at an
eighth of the size, the reference's space-preserving histogram of colours is carried over along
the matches, and the decoder weighs it by similarity. The output is a distribution over colours at
every place, as in Zhang et al., "Colorful Image Colorization" (ECCV 2016), read off as an annealed
mean. The network looks at the whole picture (attention at a sixteenth of the size), so it runs at
a bounded size and never in tiles.

Units: luminance is L* / 100, chroma (a*, b*) / 100.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix import read_network
from oldfix.colour import from_lab, to_lab

_MASKED = -1e4


class Colorizer(nn.Module):  # type: ignore[misc]
    """Predicts chroma at half the size of its input, whose sides are multiples of 16.

    Args:
        width: channels at a quarter of the size; twice and three times as many further down.
        growth: channels that a layer of a dense block adds at a quarter of the size.
        layers: layers of a dense block.
        step: distance of the colour bins, in units of a* and b*.
        descriptor: length of the descriptors that are matched.
    """

    def __init__(
        self,
        width: int = 64,
        growth: int = 24,
        layers: int = 3,
        step: float = 20.0,
        descriptor: int = 64,
    ) -> None:
        super().__init__()
        self.config = {
            "width": width,
            "growth": growth,
            "layers": layers,
            "step": step,
            "descriptor": descriptor,
        }
        bins = colour_bins(step)
        self.register_buffer("bins", bins / 100, persistent=False)
        self.spread = step / 200
        self.encoder = Encoder(width, growth, layers)
        self.matcher = Matcher(self.encoder.widths, descriptor)
        self.decoder = Decoder(self.encoder.widths, growth, layers, len(bins))

    def forward(self, x: Tensor, *references: Tensor, temperature: float = 1.0) -> Tensor:
        """Colour a picture.

        Args:
            x: (N, 1, H, W) luminance.
            references: each (N, 4, H, W): luminance, chroma (2), and 1 where there is a picture.
            temperature: below 1 the likelier colours win over the mean (annealed mean).

        Returns:
            (N, 2, H/2, W/2) chroma.
        """
        probability, residual = self.distribution(x, *references)
        if temperature != 1.0:
            probability = torch.softmax(torch.log(probability) / temperature, dim=1)
        return self.mean(probability, residual)

    def distribution(self, x: Tensor, *references: Tensor) -> tuple[Tensor, Tensor]:
        """Return (N, Q, H/4, W/4) probabilities of colours and an (N, 2, H/2, W/2) residual."""
        count = 1 + len(references)
        stacked = torch.cat([x, *(reference[:, :1] for reference in references)])
        features = self.encoder(stacked)
        own = tuple(f.chunk(count)[0] for f in features)
        warped = self.warped(features, references)
        probability, residual = self.decoder(own, warped)
        return probability, residual

    def warped(self, features: tuple[Tensor, ...], references: tuple[Tensor, ...]) -> Tensor:
        """Carry the references' colours over: (N, Q + 2, H/8, W/8) histogram, similarity, given."""
        count = 1 + len(references)
        own = features[1].chunk(count)[0]
        if not references:
            return own.new_zeros(own.shape[0], len(self.bins) + 2, *own.shape[2:])
        described = self.matcher(features).chunk(count)
        pooled = [functional.avg_pool2d(reference.float(), 8) for reference in references]
        histograms = [self.histogram(p[:, 1:3]).flatten(2) for p in pooled]
        return warp(
            described[0],
            torch.cat([d.flatten(2) for d in described[1:]], dim=2),
            torch.cat(histograms, dim=2),
            torch.cat([p[:, 3].flatten(1) > 0.5 for p in pooled], dim=1),
            self.matcher.temperature,
        )

    def histogram(self, chroma: Tensor) -> Tensor:
        """Spread (N, 2, h, w) chroma over the bins: (N, Q, h, w), summing to 1 at every place."""
        distance = (chroma.float()[:, None] - self.bins[None, :, :, None, None]).square().sum(2)
        return torch.softmax(-distance / (2 * self.spread**2), dim=1)

    def mean(self, probability: Tensor, residual: Tensor) -> Tensor:
        """Return the (N, 2, H/2, W/2) mean colour of probabilities, plus the residual."""
        chroma = torch.einsum("nqhw,qc->nchw", probability, self.bins)
        enlarged = functional.interpolate(chroma, scale_factor=2.0, mode="bilinear")
        return enlarged + residual.float()


class Encoder(nn.Module):  # type: ignore[misc]
    """Features of luminance at 1/4, 1/8 and 1/16 of the size."""

    def __init__(self, width: int, growth: int, layers: int) -> None:
        super().__init__()
        self.widths = (width, 2 * width, 3 * width)
        quarter, eighth, sixteenth = self.widths
        self.stem = nn.Conv2d(17, quarter, 3, padding=1)
        self.down_eighth = nn.Conv2d(quarter, eighth, 4, 2, 1)
        self.down_sixteenth = nn.Conv2d(eighth, sixteenth, 4, 2, 1)
        self.dense_quarter = DenseBlock(quarter, growth, layers)
        self.dense_eighth = DenseBlock(eighth, growth * 2, layers + 1)
        self.dense_sixteenth = DenseBlock(sixteenth, growth * 3, layers + 1)
        self.attention = Attention(sixteenth)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the features of (N, 1, H, W), largest first."""
        n, _, height, width = x.shape
        rows = torch.linspace(-1, 1, height // 4, device=x.device, dtype=x.dtype)
        rows = rows.view(1, 1, -1, 1).expand(n, 1, -1, width // 4)
        y = torch.cat([functional.pixel_unshuffle(x - 0.5, 4), rows], dim=1)
        quarter = self.dense_quarter(functional.relu(self.stem(y)))
        eighth = self.dense_eighth(functional.relu(self.down_eighth(quarter)))
        sixteenth = self.dense_sixteenth(functional.relu(self.down_sixteenth(eighth)))
        return quarter, eighth, self.attention(sixteenth)


class Matcher(nn.Module):  # type: ignore[misc]
    """Descriptors at an eighth of the size, centred and of unit length."""

    def __init__(self, widths: tuple[int, ...], descriptor: int) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.Conv2d(widths[1] + widths[2], 2 * descriptor, 1),
            nn.ReLU(),
            nn.Conv2d(2 * descriptor, descriptor, 3, padding=1),
        )
        self.log_temperature = nn.Parameter(torch.tensor(-3.0))

    @property
    def temperature(self) -> Tensor:
        """Temperature of the matching softmax, at least 0.01."""
        return self.log_temperature.exp() + 0.01

    def forward(self, features: tuple[Tensor, ...]) -> Tensor:
        """Return (N, D, H/8, W/8) descriptors."""
        described = self.project(torch.cat([features[1], _doubled(features[2])], dim=1)).float()
        return functional.normalize(described - described.mean((2, 3), keepdim=True), dim=1)


def warp(
    theta: Tensor, phi: Tensor, histogram: Tensor, valid: Tensor, temperature: Tensor
) -> Tensor:
    """Move histograms to the places whose descriptors they match.

    Args:
        theta: (N, D, h, w) descriptors of the photograph, of unit length.
        phi: (N, D, M) descriptors of the references' places.
        histogram: (N, Q, M) their colours.
        valid: (N, M) places that count.
        temperature: of the softmax over places.

    Returns:
        (N, Q + 2, h, w): warped histogram, best similarity, 1 where a reference was given.
        All zero for a photograph without any valid place.
    """
    n, _, h, w = theta.shape
    similarity = torch.einsum("ndi,ndm->nim", theta.flatten(2).float(), phi.float())
    similarity = similarity.masked_fill(~valid[:, None], _MASKED)
    weight = torch.softmax(similarity / temperature, dim=2)
    warped = torch.einsum("nim,nqm->nqi", weight, histogram)
    best = similarity.amax(dim=2)[:, None]
    given = valid.any(dim=1).float().view(n, 1, 1)
    planes = torch.cat([warped, best, torch.ones_like(best)], dim=1) * given
    return planes.view(n, -1, h, w)


class Decoder(nn.Module):  # type: ignore[misc]
    """From features and warped histograms to probabilities of colours and a fine residual."""

    def __init__(self, widths: tuple[int, ...], growth: int, layers: int, bins: int) -> None:
        super().__init__()
        quarter, eighth, sixteenth = widths
        self.hint = nn.Conv2d(bins + 2, 64, 1)
        self.deep = nn.Conv2d(sixteenth + 64, sixteenth, 1)
        self.dense_deep = DenseBlock(sixteenth, growth * 3, layers)
        self.merge_eighth = nn.Conv2d(sixteenth + eighth + 64, eighth, 1)
        self.dense_eighth = DenseBlock(eighth, growth * 2, layers)
        self.merge_quarter = nn.Conv2d(eighth + quarter + 64, quarter, 1)
        self.dense_quarter = DenseBlock(quarter, growth, layers)
        self.logits = nn.Conv2d(quarter, bins, 1)
        self.gate = nn.Conv2d(quarter, 1, 1)
        self.fine = nn.Conv2d(quarter, 8, 3, padding=1)
        nn.init.zeros_(self.fine.weight)
        nn.init.zeros_(self.fine.bias)

    def forward(self, features: tuple[Tensor, ...], warped: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `Colorizer.distribution` returns."""
        quarter, eighth, sixteenth = features
        hint = functional.relu(self.hint(warped))
        y = self.deep(torch.cat([sixteenth, functional.avg_pool2d(hint, 2)], dim=1))
        y = self.dense_deep(functional.relu(y))
        y = self.merge_eighth(torch.cat([_doubled(y), eighth, hint], dim=1))
        y = self.dense_eighth(functional.relu(y))
        y = self.merge_quarter(torch.cat([_doubled(y), quarter, _doubled(hint)], dim=1))
        y = self.dense_quarter(functional.relu(y))
        probability = self.mixture(y, _doubled(warped.float()))
        return probability, functional.pixel_shuffle(self.fine(y), 2)

    def mixture(self, y: Tensor, warped: Tensor) -> Tensor:
        """Mix the network's own colours with the warped ones, by a learned confidence."""
        own = torch.softmax(self.logits(y).float(), dim=1)
        gate = torch.sigmoid(self.gate(y).float()) * warped[:, -1:]
        mixed = (1 - gate) * own + gate * warped[:, :-2]
        return mixed.clamp_min(1e-6)


class DenseBlock(nn.Module):  # type: ignore[misc]
    """Residual dense block (Zhang et al., CVPR 2018): dense 3x3 layers, 1x1 fusion, shortcut."""

    def __init__(self, channels: int, growth: int, layers: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(channels + i * growth, growth, 3, padding=1) for i in range(layers)
        )
        self.fuse = nn.Conv2d(channels + layers * growth, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape."""
        y = x
        for layer in self.layers:
            y = torch.cat([y, functional.relu(layer(y))], dim=1)
        return x + self.fuse(y)


class Attention(nn.Module):  # type: ignore[misc]
    """Self-attention over all places, as a residual."""

    def __init__(self, channels: int, head: int = 32) -> None:
        super().__init__()
        self.heads = max(1, channels // head)
        self.norm = nn.LayerNorm(channels)
        self.inward = nn.Linear(channels, 3 * channels)
        self.outward = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C, h, w) features of the same shape."""
        n, c, h, w = x.shape
        tokens = self.inward(self.norm(x.flatten(2).transpose(1, 2)))
        split = tokens.view(n, h * w, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(split[0], split[1], split[2])
        mixed = self.outward(mixed.transpose(1, 2).reshape(n, h * w, c))
        return x + mixed.transpose(1, 2).view(n, c, h, w)


def colour_bins(step: float) -> Tensor:
    """Return the (Q, 2) points of an a*, b* grid that sRGB reaches at some L*."""
    line = np.arange(-7, 8, dtype=np.float32) * step
    a, b = (plane.ravel() for plane in np.meshgrid(line, line))
    levels = np.repeat(np.arange(5, 100, 5, dtype=np.float32)[:, None], len(a), axis=1)
    lab = np.stack([levels, *np.broadcast_arrays(a, b, levels)[:2]], axis=-1)
    kept = np.abs(to_lab(from_lab(lab)) - lab).max(axis=-1) < 0.5
    return torch.from_numpy(np.stack([a, b], axis=-1)[kept.any(axis=0)])


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def load(path: Path) -> Colorizer:
    """Build the network that a safetensors file describes, with its weights."""
    config, state = read_network(path)
    net = Colorizer(**config)
    net.load_state_dict(state)
    net.eval()
    return net


def tiny() -> Colorizer:
    """Return a tiny network with random but fixed weights, for tests."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Colorizer(width=8, growth=8, layers=1, step=32.0, descriptor=8)
    net.eval()
    return net
