"""The similarity sub-network: which place of a reference looks like which of the photograph.

After Pik-Fix (arXiv 2205.01902, section 3.2) and its code: features of four scales become one
descriptor for every eighth pixel; all pairs of places are correlated; a softmax with a low
temperature carries the reference's colour histogram over, and the best correlation of each place
says how far it may be trusted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix_colorize.histogram import ColourHistogram, pooled
from oldfix_colorize.resnet import ResNetPyramid

_MASKED = -1e4
#: Most correlations held at a time where no gradient is wanted: 64 MB of them.
_MOST_PAIRS = 1 << 24


class Guidance(NamedTuple):
    """What references say of every eighth pixel; all zero where there is no reference.

    Attributes:
        histogram: (N, 2 * bins, h, w), the warped space-preserving histogram.
        colour: (N, 2, h, w), its mean chroma.
        similarity: (N, 1, h, w), the best correlation, in [-1, 1].
        given: (N, 1, h, w), 1 where a reference was given.
    """

    histogram: Tensor
    colour: Tensor
    similarity: Tensor
    given: Tensor


class Similarity(nn.Module):  # type: ignore[misc]
    """Matches photograph and references.

    Args:
        width: of the ResNet-34; 64 as published.
        frozen: the ResNet keeps the weights it has, as the published one those of ImageNet, and
            the temperature stays; else both are trained.
        describer: keyword arguments of `Describer`, where they differ from the published ones.
        known: channels of features from elsewhere, at an eighth, that are described too; 0 as
            published. The small system takes the colorization encoder's, which know what things
            are before a ResNet of few channels does.
        temperature: of the softmax to begin with; 0.005 as published.
        bins: of the histogram, for each channel.
    """

    def __init__(
        self,
        width: int = 64,
        *,
        frozen: bool = True,
        describer: Mapping[str, Any] | None = None,
        known: int = 0,
        temperature: float = 0.005,
        bins: int = 256,
    ) -> None:
        super().__init__()
        self.features = ResNetPyramid(width, trained=not frozen)
        self.describer = Describer(self.features.widths, **(describer or {}))
        joined = self.describer.channels
        self.theta = nn.Conv2d(joined, joined, 1)
        self.phi = nn.Conv2d(joined, joined, 1)
        self.known = _described(known, joined) if known else None
        self.histogram = ColourHistogram(bins)
        start = torch.tensor(float(temperature)).log()
        self.log_temperature = nn.Parameter(start, requires_grad=not frozen)

    def forward(
        self, light: Tensor, references: Sequence[Tensor], known: Tensor | None = None
    ) -> Guidance:
        """Carry the references' colours over.

        Args:
            light: (N, 1, H, W) luminance of the photograph.
            references: each (N, 4, H, W): luminance, chroma (2), and 1 where there is a picture.
            known: ((1 + references) * N, C, H/8, W/8) features from elsewhere, the photograph's
                first, if the network was made for them.
        """
        n = light.shape[0]
        stacked = torch.cat([light, *(reference[:, :1] for reference in references)])
        size = (light.shape[2] // 8, light.shape[3] // 8)
        described = self.describer(self.features(stacked), size)
        theta, phi = self.theta(described[:n]), self.phi(described[n:])
        if self.known is not None and known is not None:
            more = self.known(known)
            theta, phi = theta + more[:n], phi + more[n:]
        small = [pooled(reference) for reference in references]
        keys = [unit(part).flatten(2) for part in phi.chunk(len(references))]
        carried = [self.histogram(part[:, 1:3]).flatten(2) for part in small]
        valid = [part[:, 3].flatten(1) > 0.5 for part in small]
        histogram, best = warp(
            unit(theta),
            torch.cat(keys, dim=2),
            torch.cat(carried, dim=2),
            torch.cat(valid, dim=1),
            self.log_temperature.exp(),
        )
        given = torch.cat(valid, dim=1).any(dim=1).float().view(n, 1, 1, 1).expand_as(best)
        return Guidance(histogram, self.histogram.colours(histogram), best, given)

    def nothing(self, light: Tensor) -> Guidance:
        """The guidance of (N, 1, H, W) luminance without a reference."""
        n, _, height, width = light.shape
        shape = (height // 8, width // 8)
        planes = (2 * self.histogram.bins, 2, 1, 1)
        return Guidance(*(light.new_zeros(n, channels, *shape) for channels in planes))


class Describer(nn.Module):  # type: ignore[misc]
    """Joins the features of four scales into descriptors at an eighth of the size.

    Args:
        widths: channels of the features.
        branch: channels that each scale contributes.
        inner: channels between the two convolutions of a scale, for each of the four.
        residuals: residual blocks over the joined scales.
    """

    def __init__(
        self,
        widths: Sequence[int],
        branch: int = 64,
        inner: Sequence[int] = (128, 128, 256, 256),
        residuals: int = 3,
    ) -> None:
        super().__init__()
        self.channels = 4 * branch
        self.branches = nn.ModuleList(
            Branch(channels, between, branch, scale)
            for scale, (channels, between) in enumerate(zip(widths, inner, strict=True))
        )
        self.residuals = nn.Sequential(*(ResidualBlock(self.channels) for _ in range(residuals)))

    def forward(self, features: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Return (N, 4 * branch, h, w) descriptors, before theta and phi read them."""
        parts = [branch(scale) for branch, scale in zip(self.branches, features, strict=True)]
        fitted = [functional.interpolate(p, size) if p.shape[2:] != size else p for p in parts]
        described: Tensor = self.residuals(torch.cat(fitted, dim=1))
        return described


class Branch(nn.Sequential):  # type: ignore[misc]
    """Two convolutions with instance normalisation that bring a scale to an eighth of the size."""

    def __init__(self, channels: int, between: int, out: int, scale: int) -> None:
        layers: list[nn.Module] = [*_normed(channels, between)]
        if scale == 3:
            layers.append(nn.Upsample(scale_factor=2))
        layers += _normed(between, out, stride=2 if scale == 0 else 1)
        if scale >= 2:
            layers.append(nn.Upsample(scale_factor=2))
        super().__init__(*layers)


class ResidualBlock(nn.Module):  # type: ignore[misc]
    """Two convolutions with instance normalisation around a shortcut; one PReLU serves both."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="replicate")
        second = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="replicate")
        self.first = nn.Sequential(first, nn.InstanceNorm2d(channels))
        self.second = nn.Sequential(second, nn.InstanceNorm2d(channels))
        self.prelu = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return features of the same shape."""
        return self.prelu(x + self.second(self.prelu(self.first(x))))


def unit(descriptors: Tensor) -> Tensor:
    """Centre (N, D, h, w) descriptors over places and bring each to unit length."""
    centred = descriptors.float()
    centred = centred - centred.mean(dim=(2, 3), keepdim=True)
    return functional.normalize(centred, dim=1)


def warp(
    theta: Tensor, phi: Tensor, carried: Tensor, valid: Tensor, temperature: Tensor
) -> tuple[Tensor, Tensor]:
    """Move what lies at the references' places to the places that look like them.

    ``w_ij = softmax_j(theta_i . phi_j / temperature)``, ``out_i = sum_j w_ij carried_j``. Rows of
    the correlation are worked on a few at a time, so memory grows with the number of the
    references' places, not with its product with that of the photograph's.

    Args:
        theta: (N, D, h, w) descriptors of the photograph, of unit length.
        phi: (N, D, M) descriptors of the references' places, of unit length.
        carried: (N, C, M) what is moved.
        valid: (N, M) places that count.
        temperature: of the softmax.

    Returns:
        (N, C, h, w) moved values and (N, 1, h, w) best correlations; both zero for a photograph
        without any valid place.
    """
    n, _, height, width = theta.shape
    any_valid = valid.any(dim=1).float().view(n, 1, 1)
    queries = theta.flatten(2).float().transpose(1, 2)
    rows = queries.shape[1] if torch.is_grad_enabled() else _rows_at_once(n * phi.shape[2])
    moved, best = [], []
    for part in queries.split(rows, dim=1):
        correlation = part @ phi.float()
        correlation = correlation.masked_fill(~valid[:, None], _MASKED)
        weight = torch.softmax(correlation / temperature, dim=2)
        moved.append(carried.float() @ weight.transpose(1, 2))
        best.append(correlation.amax(dim=2)[:, None])
    planes = torch.cat([torch.cat(moved, dim=2), torch.cat(best, dim=2)], dim=1) * any_valid
    planes = planes.view(n, -1, height, width)
    return planes[:, :-1], planes[:, -1:]


def _rows_at_once(places: int) -> int:
    return max(1, _MOST_PAIRS // max(1, places))


def _described(known: int, joined: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(known, 2 * joined, 1),
        nn.ReLU(),
        nn.Conv2d(2 * joined, joined, 3, padding=1),
    )


def _normed(before: int, after: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(before, after, 3, stride=stride, padding=1, padding_mode="replicate")
    return [conv, nn.InstanceNorm2d(after), nn.PReLU()]
