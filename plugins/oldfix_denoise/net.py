"""The denoiser of the diffusion: a U-Net that guesses the clean picture from the state at t."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix import TimedUNet, load_network

#: A network of the size that arXiv 2305.04457 may have used: full resolution, four levels. The
#: paper's own widths could not be verified, so this stands for its kind, not for its table.
PAPER = {"widths": [48, 96, 192, 384], "blocks": [2, 2, 2, 2], "factor": 1}


class PixelDenoiser(TimedUNet):
    """``S(x_t, t)``, a U-Net in pixels (arXiv 2305.04457), without norms: its reach is finite.

    It is shown ``x_t`` and ``t`` alone: from ``x_t`` and ``x_T`` together ``x_0`` follows by
    algebra, and a network that may do so learns nothing about pictures. Its last layer estimates
    the whole of the damage, ``x_T - x_0``, of which ``x_t`` holds the share t:
    ``S(x_t, t) = x_t - t * damage``. So ``S(x_0, 0) = x_0`` exactly, and the layer's target has
    the same size at every t.

    Args:
        widths: channels of the levels, finest first.
        blocks: residual blocks of the levels on the way down; as many on the way up, but for
            the coarsest.
        factor: pictures are first folded by so much, factor^2 pixels into the channels of one;
            2 quarters the work.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = (32, 64, 96),
        blocks: tuple[int, ...] = (2, 2, 2),
        factor: int = 2,
    ) -> None:
        super().__init__(3 * factor * factor, 3 * factor * factor, widths, blocks)
        self.config = {"widths": list(widths), "blocks": list(blocks), "factor": factor}
        self.factor = factor

    def forward(self, x: Tensor, t: Tensor | float = 1.0) -> Tensor:
        """Guess ``x_0``.

        Args:
            x: (N, 3, H, W), ``x_t``, sRGB-encoded in [0, 1]; H and W are multiples of
                ``factor * 2 ** (levels - 1)``.
            t: (N,) or one number for all, in [0, 1]; 1 is the photograph as found.

        Returns:
            (N, 3, H, W) float32, not clipped.
        """
        t = torch.as_tensor(t, dtype=torch.float32, device=x.device).expand(x.shape[0])
        folded = functional.pixel_unshuffle(x - 0.5, self.factor)
        damage = functional.pixel_shuffle(self.said(folded, t), self.factor)
        return x - t[:, None, None, None] * damage


def load(path: Path) -> PixelDenoiser:
    """Read a `PixelDenoiser` from a weights file.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, PixelDenoiser, "a denoiser of pixels")


def tiny() -> PixelDenoiser:
    """Return the same class with a few thousand parameters and some effect, seeded, for tests."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = PixelDenoiser(widths=(8, 12), blocks=(1, 1))
        nn.init.normal_(net.exit.weight, std=0.05)
    net.eval()
    return net
