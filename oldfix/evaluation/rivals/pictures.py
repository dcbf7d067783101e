"""Published networks that turn a picture into a picture or a map: one opener each.

An opener takes the network's files and a device and returns a function of (H, W, 3) float32 RGB
in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import compat
from oldfix.evaluation.classical import noise_level
from oldfix.evaluation.rivals import nets

if TYPE_CHECKING:
    import torch

Image = NDArray[np.float32]
Method = Callable[[Image], Any]


def open_dncnn(files: Sequence[Path], device: torch.device) -> Method:
    """DnCNN (Zhang et al. 2017), which predicts the noise."""
    state = nets.read_state(files[0], device)

    def run(image: Image) -> Image:
        x = nets.to_tensor(image, device)
        return nets.to_image(x - nets.plain_stack(state, x), image.shape)

    return run


def open_ffdnet(files: Sequence[Path], device: torch.device) -> Method:
    """FFDNet (Zhang et al. 2018), told the noise that is estimated from the picture."""
    import torch
    import torch.nn.functional as F

    state = nets.read_state(files[0], device)

    def run(image: Image) -> Image:
        x = F.pixel_unshuffle(nets.to_tensor(image, device, 2), 2)
        level = torch.full_like(x[:, :1], noise_level(image))
        y = nets.plain_stack(state, torch.cat([x, level], 1))
        return nets.to_image(F.pixel_shuffle(y, 2), image.shape)

    return run


def open_dncnn_grey(files: Sequence[Path], device: torch.device) -> Method:
    """DnCNN of one channel, given the first and answering for all."""
    return _on_one_channel(open_dncnn(files, device))


def open_ffdnet_grey(files: Sequence[Path], device: torch.device) -> Method:
    """FFDNet of one channel, given the first and answering for all."""
    return _on_one_channel(open_ffdnet(files, device))


def open_realesr(files: Sequence[Path], device: torch.device) -> Method:
    """realesr-general-x4v3 (Wang et al. 2021): four times larger, then averaged down again."""
    import torch.nn.functional as F

    net = _realesr(files, device)

    def run(image: Image) -> Image:
        large = F.avg_pool2d(net(nets.to_tensor(image, device)).clamp(0, 1), 4)
        return nets.to_image(large, image.shape)

    return run


def open_realesr_enlarger(files: Sequence[Path], device: torch.device) -> Method:
    """The same network's own result, four times larger than what it is given."""
    net = _realesr(files, device)

    def run(image: Image) -> Image:
        height, width = image.shape[:2]
        return nets.to_image(net(nets.to_tensor(image, device)), (4 * height, 4 * width))

    return run


def _realesr(files: Sequence[Path], device: torch.device) -> Any:
    kind = compat.load("basicsr.archs.srvgg_arch:SRVGGNetCompact")
    net = kind(num_feat=64, num_conv=32, upscale=4, act_type="prelu")
    net.load_state_dict(nets.read_state(files[0], device))
    return net.eval().requires_grad_(False).to(device)


def open_dust(files: Sequence[Path], device: torch.device) -> Method:
    """A film-dust U-Net (videogorillas/pytorch-unet-dust): a probability for every pixel."""
    return _dust(nets.read_state(files[0], device), device)


def open_dust_adapted(files: Sequence[Path], device: torch.device) -> Method:
    """The same normalised by each picture's statistics, as those of its film scans are others."""
    state = nets.read_state(files[0], device)
    return _dust({name: t for name, t in state.items() if ".running_" not in name}, device)


def _on_one_channel(method: Method) -> Method:
    return lambda image: np.repeat(method(image[..., :1]), 3, axis=2)


def _dust(state: nets.State, device: torch.device) -> Method:
    def run(image: Image) -> Image:
        found = nets.dust_net(state, nets.to_tensor(image, device, 8))
        return nets.to_image(found, image.shape)[..., 0]

    return run


def open_taef2(files: Sequence[Path], device: torch.device) -> Method:
    """TAEF2 (madebyollin/taesd): there and back through 32 channels at an eighth of the size."""
    encoder, decoder = (nets.read_state(file, device) for file in files)

    def run(image: Image) -> Image:
        latent = nets.tiny_encoder(encoder, nets.to_tensor(image, device, 8))
        return nets.to_image(nets.tiny_decoder(decoder, latent), image.shape)

    return run


def open_vaelight(files: Sequence[Path], device: torch.device) -> Method:
    """SD-light (Graphnull/VAElight) in OpenCV: four channels at an eighth, decoded as a preview."""
    import torch
    import torch.nn.functional as F

    encode, decode = (cv2.dnn.readNetFromONNX(str(file)) for file in files)

    def run(image: Image) -> Image:
        x = nets.to_tensor(image, torch.device("cpu"), 8) * 2 - 1
        encode.setInput(x.numpy())
        decode.setInput(encode.forward())
        parts = decode.forward(decode.getUnconnectedOutLayersNames())
        size = tuple(x.shape[2:])
        y = sum(F.interpolate(torch.from_numpy(part), size, mode="bilinear") for part in parts)
        return nets.to_image((y + 1) / 2, image.shape)

    return run
