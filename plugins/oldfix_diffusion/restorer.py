"""The restorer: a denoiser of the latent, and the head that brings fine detail back in pixels."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix import LivingSiLU, Residual, load_network
from oldfix_diffusion.denoiser import Denoiser
from oldfix_diffusion.net import FACTOR

#: Slope of the gate in training where the hard sigmoid has none.
_LEAK = 0.02


class DetailHead(nn.Module):  # type: ignore[misc]
    """The learned skip around the latent: what of the photograph's own detail to keep.

    ``restored + gate * (x - restored) + correction``. The gate is one number in [0, 1] for each
    pixel, zero in marked defects. Where it is one the photograph passes untouched, so that sound
    pictures do not pay for the autoencoder. Telling grain from texture takes a wide view, so the
    head is a U-Net of two levels.

    Args:
        widths: channels of the two levels.
        blocks: residual blocks of the levels, the finer one's on the way down and again up.
    """

    def __init__(self, widths: tuple[int, int], blocks: tuple[int, int]) -> None:
        super().__init__()
        square = FACTOR * FACTOR
        fine, coarse = widths
        self.entry = nn.Conv2d(7 * square, fine, 3, padding=1)
        self.down = nn.Sequential(*(Residual(fine) for _ in range(blocks[0])))
        self.shrink = nn.Conv2d(fine, coarse, 2, stride=2)
        self.middle = nn.Sequential(*(Residual(coarse) for _ in range(blocks[1])))
        self.grow = nn.Conv2d(coarse, 4 * fine, 1)
        self.up = nn.Sequential(*(Residual(fine) for _ in range(blocks[0])))
        self.living = LivingSiLU()
        self.exit = nn.Conv2d(fine, 4 * square, 3, padding=1)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, x: Tensor, restored: Tensor, mask: Tensor) -> Tensor:
        """Finish a restoration.

        Args:
            x: (N, 3, H, W), the photograph; H and W are multiples of 8.
            restored: (N, 3, H, W), the decoded prediction.
            mask: (N, 1, H, W), the marked defects.

        Returns:
            (N, 3, H, W).
        """
        planes = torch.cat([x - 0.5, 4 * (restored - x), mask], dim=1)
        down = self.down(self.entry(functional.pixel_unshuffle(planes, FACTOR)))
        middle = self.grow(self.middle(self.shrink(down)))
        up = self.up(down + functional.pixel_shuffle(middle, 2))
        hidden = functional.pixel_shuffle(self.exit(self.living(up)).float(), FACTOR)
        gate, correction = hidden.split([1, 3], dim=1)
        gate = _gated(gate, leaking=self.training) * (1 - mask)
        return restored + gate * (x - restored) + correction


def _gated(x: Tensor, *, leaking: bool) -> Tensor:
    """Hard sigmoid; ``leaking`` lets some of the gradient through where it is flat.

    A gate that is wholly open or shut for some kind of picture could never change its mind.
    """
    leak = _LEAK * (x - x.detach()) if leaking else 0.0
    return functional.hardsigmoid(x) + leak


class Restorer(nn.Module):  # type: ignore[misc]
    """The denoiser and the detail head, trained together.

    Args:
        channels: channels of the latent it works in.
        widths: channels of the U-Net's levels, finest first.
        blocks: residual blocks of each level.
        head: channels, then residual blocks, of the detail head's two levels.
    """

    def __init__(
        self,
        channels: int = 16,
        widths: tuple[int, ...] = (64, 112, 160),
        blocks: tuple[int, ...] = (2, 3, 3),
        head: tuple[tuple[int, int], tuple[int, int]] = ((64, 112), (2, 3)),
    ) -> None:
        super().__init__()
        self.config = {
            "channels": channels,
            "widths": list(widths),
            "blocks": list(blocks),
            "head": [list(part) for part in head],
        }
        self.denoiser = Denoiser(channels, tuple(widths), tuple(blocks))
        self.head = DetailHead(*head)

    def denoise(self, z: Tensor, holes: Tensor, t: Tensor | float) -> Tensor:
        """Predict ``z_0`` (N, channels, h, w) from ``z_t``; see `Denoiser.forward`."""
        predicted: Tensor = self.denoiser(z, holes, t)
        return predicted

    def detail(self, x: Tensor, restored: Tensor, mask: Tensor) -> Tensor:
        """Bring back detail; see `DetailHead.forward`."""
        finished: Tensor = self.head(x, restored, mask)
        return finished


def holes_of(mask: Tensor) -> Tensor:
    """(N, 1, H, W) mask to (N, 16, H/4, W/4): each latent position's pixels as channels."""
    return functional.pixel_unshuffle(mask, FACTOR)


def load_restorer(path: Path) -> Restorer:
    """Read a `Restorer` from a weights file.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, Restorer, "a restorer")


def tiny_restorer() -> Restorer:
    """A `Restorer` of a few thousand parameters for the latent of ``tiny_autoencoder``."""
    torch.manual_seed(0)
    net = Restorer(channels=4, widths=(8, 12, 16), blocks=(1, 1, 1), head=((8, 8), (1, 1)))
    for layer in (net.denoiser.exit, net.head.exit):
        nn.init.normal_(layer.weight, std=0.02)
    net.eval()
    return net
