"""The face refiner: gfpgan's GFPGANv1Clean, giving the correction to add to a face.

Wang et al., "Towards Real-World Blind Face Restoration with Generative Facial Prior", CVPR 2021
(arXiv 2101.04061). The network itself is the package's; this module wraps it so that it can be
run by the host (channels-last memory, [0, 1] in, a correction out) and trained from scratch.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oldfix import compat, fill_from_checkpoint, load_network
from oldfix_faces.detail import FOLD, DetailHead

#: Constructor arguments of the published 512-pixel networks (versions 1.3 and 1.4).
PUBLISHED: dict[str, Any] = {
    "out_size": 512,
    "num_style_feat": 512,
    "channel_multiplier": 2,
    "decoder_load_path": None,
    "fix_decoder": False,
    "num_mlp": 8,
    "input_is_latent": True,
    "different_w": True,
    "narrow": 1,
    "sft_half": True,
}
#: Constructor arguments of a network trained from the start, for faces of 256 pixels: it works at
#: 64, a quarter as wide, with a style of 128 numbers, because one style for every layer is what
#: fills a narrow network; the head adds what only the full resolution can tell.
SMALL: dict[str, Any] = {
    **PUBLISHED,
    "out_size": 64,
    "num_style_feat": 128,
    "channel_multiplier": 1,
    "num_mlp": 0,
    "narrow": 0.25,
}
#: Widths of the head's levels.
_HEAD, _TINY_HEAD = (64, 112, 160), (8, 8)
_TINY: dict[str, Any] = {**SMALL, "out_size": 32, "num_style_feat": 8, "narrow": 0.03125}


class FaceRefiner(nn.Module):  # type: ignore[misc]
    """GFPGANv1Clean for aligned faces, as a correction.

    Attributes:
        size: width and height of the aligned crops, in pixels.
        residual: the network's output is the correction itself; otherwise it is the refined
            face in [-1, 1], as in the published networks.
        detail: None, or the head that finishes a correction made at a quarter of the size. A
            residual network's correction is added to the head's; a face that was painted is only
            shown to it.
    """

    def __init__(
        self, *, residual: bool = True, detail: Sequence[int] = (), **arguments: Any
    ) -> None:
        """Build with random weights.

        Args:
            residual: see the class. A residual network starts as the identity.
            detail: widths of the head's levels; none for no head. With a head the crops are
                four times ``out_size``.
            arguments: of ``GFPGANv1Clean``.
        """
        super().__init__()
        self.config = {"residual": residual, "detail": list(detail), **arguments}
        self.size = int(arguments["out_size"]) * (FOLD if detail else 1)
        self.residual = residual
        self.detail = DetailHead(tuple(detail)) if detail else None
        self.gfpgan = _gfpgan()(**arguments)
        for module in self.gfpgan.modules():
            if isinstance(module, _modulated()):
                module.__class__ = _modulated_by_input()
        # The style is read off this output with .view(), which channels-last memory cannot do.
        self.gfpgan.final_conv.register_forward_hook(_contiguous)
        if residual:
            self._start_as_identity()

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move as any module; a memory format is kept from the five-dimensional weights."""
        memory_format = kwargs.pop("memory_format", None)
        moved: Self = super().to(*args, **kwargs)
        if memory_format is not None:
            for parameter in moved.parameters():
                if parameter.ndim == 4:
                    parameter.data = parameter.data.contiguous(memory_format=memory_format)
        return moved

    def forward(self, faces: Tensor) -> Tensor:
        """Return what to add to aligned faces.

        Args:
            faces: (N, 3, size, size) RGB in [0, 1], sRGB-encoded, on the FFHQ template.

        Returns:
            (N, 3, size, size): correction in units of the input. The published networks'
            refined faces are held in [0, 1] before the input is taken off.
        """
        output = self.pyramid(faces)[-1]
        return self._correction(output, faces) if self.detail is None else output

    def pyramid(self, faces: Tensor) -> list[Tensor]:
        """Return the outputs from coarse to fine.

        They are the U-Net's side outputs from 8 pixels up, the decoder's, and the head's.
        """
        if self.detail is None:
            image, sides = self.gfpgan(faces * 2 - 1, randomize_noise=False)
            return [*sides, image]
        *outputs, coarse = self.coarse(faces)
        return [*outputs, self.finish(faces, coarse)]

    def coarse(self, faces: Tensor) -> list[Tensor]:
        """Return gfpgan's outputs at a quarter of the size; its correction last, at full size."""
        small = F.avg_pool2d(faces, FOLD)
        image, sides = self.gfpgan(small * 2 - 1, randomize_noise=False)
        correction = self._correction(image, small)
        enlarged = F.interpolate(
            correction, scale_factor=FOLD, mode="bilinear", align_corners=False
        )
        return [*sides, image, enlarged]

    def finish(self, faces: Tensor, coarse: Tensor) -> Tensor:
        """Return the head's correction of faces for gfpgan's, both (N, 3, H, W)."""
        assert self.detail is not None
        detail: Tensor = self.detail(faces, coarse)
        return coarse + detail if self.residual else detail

    def _correction(self, output: Tensor, faces: Tensor) -> Tensor:
        if self.residual:
            return output
        return ((output.float() + 1) / 2).clamp(0, 1) - faces.float()

    def _start_as_identity(self) -> None:
        for to_rgb in (self.gfpgan.stylegan_decoder.to_rgb1, *self.gfpgan.stylegan_decoder.to_rgbs):
            nn.init.zeros_(to_rgb.modulated_conv.weight)


def build(config: dict[str, Any]) -> FaceRefiner:
    """Build a refiner from the configuration kept beside its weights."""
    return FaceRefiner(**config)


def config_small() -> dict[str, Any]:
    """Configuration of the refiner that the recipes ``cpu`` and ``gpu`` train from the start."""
    return {"residual": True, "detail": list(_HEAD), **SMALL}


def load(path: Path) -> FaceRefiner:
    """Load a network written by `oldfix.write_network`.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, FaceRefiner, "a face refiner")


def load_published(path: Path) -> FaceRefiner:
    """Load a published GFP-GAN 1.3 or 1.4 file: a dictionary with the key ``params_ema``.

    Raises:
        WeightsError: the file holds something other than tensors, or another network.
    """
    return load_checkpoint(path, PUBLISHED)


def load_checkpoint(path: Path, arguments: dict[str, Any]) -> FaceRefiner:
    """Load a file in the published layout for a network of any size; tensors only, no code.

    Raises:
        WeightsError: the file holds something other than tensors, or another network.
    """
    net = FaceRefiner(residual=False, **arguments)
    fill_from_checkpoint(net.gfpgan, path, "a GFP-GAN file", lambda saved: saved["params_ema"])
    net.eval()
    return net


def tiny() -> FaceRefiner:
    """A refiner of 64-pixel faces with random weights whose correction is not zero, for tests."""
    torch.manual_seed(0)
    net = build({"residual": True, "detail": list(_TINY_HEAD), **_TINY})
    for to_rgb in net.gfpgan.stylegan_decoder.to_rgbs:
        nn.init.normal_(to_rgb.modulated_conv.weight, std=0.02)
    return net


def tiny_published() -> FaceRefiner:
    """The published form (not residual) at 32 pixels with random weights, for tests."""
    torch.manual_seed(0)
    return FaceRefiner(residual=False, **_TINY)


def _contiguous(_module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
    return output.contiguous()


@cache
def _gfpgan() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compat.load("gfpgan.archs.gfpganv1_clean_arch:GFPGANv1Clean")


@cache
def _modulated() -> Any:
    return compat.load("gfpgan.archs.stylegan2_clean_arch:ModulatedConv2d")


@cache
def _modulated_by_input() -> Any:
    class ModulatedByInput(_modulated()):  # type: ignore[misc]
        """Modulated convolution that scales its input and output instead of its weights.

        The same function (StyleGAN2, arXiv 1912.04958, section 2.2), but one convolution for the
        whole batch in any memory format, where the package runs one group for each example on
        weights of five dimensions.
        """

        def forward(self, x: Tensor, style: Tensor) -> Tensor:
            """Convolve (N, C, H, W) under a style (N, S)."""
            scale = self.modulation(style)
            weight = self.weight[0]
            x = x * scale[:, :, None, None]
            if self.sample_mode == "upsample":
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            elif self.sample_mode == "downsample":
                x = F.interpolate(x, scale_factor=0.5, mode="bilinear", align_corners=False)
            x = F.conv2d(x, weight, padding=self.padding)
            if not self.demodulate:
                return x
            energy = scale.float().square() @ weight.float().square().sum((2, 3)).T
            return x * torch.rsqrt(energy + self.eps).to(x.dtype)[:, :, None, None]

    return ModulatedByInput
