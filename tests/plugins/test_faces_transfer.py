"""The refiner's head started from a U-Net of the latent."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldfix import TimedUNet
from oldfix.training import PhotoPool
from oldfix_faces.detail import DetailHead
from oldfix_faces.transfer import linear_maps, start_head

WIDTHS = (8, 12, 16)


class Squares(nn.Module):
    """An autoencoder that loses nothing: squares of pixels less 0.5, turned and shifted."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.shift = shift
        generator = torch.Generator().manual_seed(3)
        self.turn = torch.linalg.qr(torch.randn(48, 48, generator=generator))[0]

    def encode(self, x: Tensor) -> Tensor:
        return torch.einsum("zp,nphw->nzhw", self.turn, F.pixel_unshuffle(x - 0.5, 4)) - self.shift

    def decode(self, z: Tensor) -> Tensor:
        return F.pixel_shuffle(torch.einsum("zp,nzhw->nphw", self.turn, z + self.shift), 4) + 0.5


def pool() -> PhotoPool:
    pictures = np.random.default_rng(0).integers(0, 256, (4, 160, 160, 3), dtype=np.uint8)
    return PhotoPool((tuple((str(n), picture) for n, picture in enumerate(pictures)),))


def random_unet(blocks: tuple[int, ...]) -> TimedUNet:
    torch.manual_seed(1)
    unet = TimedUNet(48 + 2, 48, WIDTHS, blocks)
    with torch.no_grad():
        for parameter in unet.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return unet


@torch.no_grad()
def test_the_head_says_what_the_unet_says_at_time_one() -> None:
    latent, unet, head = Squares(), random_unet((2, 2, 2)), DetailHead(WIDTHS)
    start_head(head, unet, latent, pool())
    faces = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    z = latent.encode(faces)
    said = unet.said(torch.cat([z, torch.zeros(2, 2, 16, 16)], dim=1), 1.0)
    wanted = latent.decode(z + said) - faces
    torch.testing.assert_close(head(faces, torch.zeros_like(faces)), wanted, atol=2e-4, rtol=0)
    assert wanted.abs().mean() > 0.01


@torch.no_grad()
def test_blocks_beyond_the_heads_are_left_out() -> None:
    unet, head = random_unet((2, 3, 3)), DetailHead(WIDTHS)
    start_head(head, unet, Squares(), pool())
    last = unet.down[2][1].second.weight
    torch.testing.assert_close(head.down[2][1].second.weight, last)


def test_linear_maps_are_exact_where_the_latent_is_linear() -> None:
    latent = Squares(shift=0.2)
    into, out = linear_maps(latent, pool())
    torch.testing.assert_close(into[-1], torch.full((48,), -0.2), atol=1e-4, rtol=0)
    torch.testing.assert_close(into[:-1], latent.turn.T, atol=1e-4, rtol=0)
    torch.testing.assert_close(out, latent.turn, atol=1e-4, rtol=0)
