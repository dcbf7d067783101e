"""The published networks as functions of their files' tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    Image = NDArray[np.float32]
    State = Mapping[str, Tensor]


def read_state(path: Path, device: torch.device) -> dict[str, Tensor]:
    """Tensors of a file, as float32 on a device; no code in it is run."""
    import torch

    state: Mapping[str, Any] = torch.load(path, map_location=device, weights_only=True)
    state = state.get("params", state)
    return {
        name.removeprefix("module."): value.float() if value.is_floating_point() else value
        for name, value in state.items()
    }


def to_tensor(image: Image, device: torch.device, multiple_of: int = 1) -> Tensor:
    """(H, W, C) in [0, 1] to (1, C, H', W'), bottom and right repeated up to the grid."""
    import torch

    down, right = (-side % multiple_of for side in image.shape[:2])
    padded = np.pad(image, ((0, down), (0, right), (0, 0)), mode="edge")
    return torch.from_numpy(np.ascontiguousarray(padded)).permute(2, 0, 1)[None].to(device)


def to_image(tensor: Tensor, size: tuple[int, ...]) -> Image:
    """(1, C, H', W') to (H, W, C) within [0, 1]."""
    array = tensor[0].permute(1, 2, 0).clamp(0, 1).cpu().numpy()
    return np.ascontiguousarray(array[: size[0], : size[1]], np.float32)


def plain_stack(state: State, x: Tensor) -> Tensor:
    """3 x 3 convolutions with ReLUs between: DnCNN and FFDNet without batch normalisation."""
    for number in range(0, 2 * len(state), 2):
        if number:
            x = x.relu()
        x = _conv(state, f"model.{number}", x)
        if f"model.{number + 2}.weight" not in state:
            break
    return x


def dust_net(state: State, x: Tensor) -> Tensor:
    """U-Net of four levels, (N, 3, H, W), sides multiples of 8, to (N, 1, H, W) in [0, 1].

    Without running means in its tensors it normalises by the picture's own.
    """
    import torch
    import torch.nn.functional as F

    kept = []
    for level in range(3):
        kept.append(_dust_block(state, f"down_path.{level}", x))
        x = F.max_pool2d(kept[-1], 2)
    x = _dust_block(state, "down_path.3", x)
    for level in range(3):
        name = f"up_path.{level}"
        x = F.conv_transpose2d(x, state[f"{name}.up.weight"], state[f"{name}.up.bias"], stride=2)
        x = _dust_block(state, f"{name}.conv_block", torch.cat([x, kept.pop()], dim=1))
    return F.conv2d(x, state["last.weight"], state["last.bias"]).sigmoid()


def tiny_encoder(state: State, x: Tensor) -> Tensor:
    """TAESD's encoder: pictures in [0, 1] to latents of an eighth of their size."""
    x = _tiny_block(state, "1", _conv(state, "0", x))
    for number in (2, 6, 10):
        x = _conv(state, str(number), x, stride=2)
        for inner in range(number + 1, number + 4):
            x = _tiny_block(state, str(inner), x)
    return _conv(state, "14", x)


def tiny_decoder(state: State, x: Tensor) -> Tensor:
    """TAESD's decoder: latents, drawn softly into [-3, 3], to pictures in [0, 1]."""
    import torch.nn.functional as F

    x = _conv(state, "1", 3 * (x / 3).tanh()).relu()
    for number in (3, 8, 13):
        for inner in range(number, number + 3):
            x = _tiny_block(state, str(inner), x)
        x = _conv(state, str(number + 4), F.interpolate(x, scale_factor=2))
    return _conv(state, "19", _tiny_block(state, "18", x))


def _conv(state: State, name: str, x: Tensor, stride: int = 1) -> Tensor:
    import torch.nn.functional as F

    bias = state.get(f"{name}.bias")
    return F.conv2d(x, state[f"{name}.weight"], bias, stride=stride, padding=1)


def _dust_block(state: State, name: str, x: Tensor) -> Tensor:
    """Twice a convolution with mirrored borders, ReLU and batch normalisation."""
    import torch.nn.functional as F

    for first in (1, 5):
        conv, norm = f"{name}.block.{first}", f"{name}.block.{first + 2}"
        mirrored = F.pad(x, (1, 1, 1, 1), mode="reflect")
        x = F.conv2d(mirrored, state[f"{conv}.weight"], state[f"{conv}.bias"]).relu()
        means = state.get(f"{norm}.running_mean"), state.get(f"{norm}.running_var")
        scale = state[f"{norm}.weight"], state[f"{norm}.bias"]
        x = F.batch_norm(x, *means, *scale, training=means[0] is None)
    return x


def _tiny_block(state: State, name: str, x: Tensor) -> Tensor:
    """TAESD's residual block; those that have a pool look at the whole picture first."""
    import torch.nn.functional as F

    if f"{name}.pool.0.weight" in state:
        wide = F.conv2d(x, state[f"{name}.pool.0.weight"])
        scale = state[f"{name}.pool.1.weight"], state[f"{name}.pool.1.bias"]
        x = x + F.conv2d(F.group_norm(wide, 4, *scale).relu(), state[f"{name}.pool.3.weight"])
    y = x
    for number in (0, 2):
        y = _conv(state, f"{name}.conv.{number}", y).relu()
    return (_conv(state, f"{name}.conv.4", y) + x).relu()
