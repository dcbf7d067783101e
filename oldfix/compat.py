"""The one door to basicsr, facexlib and gfpgan.

basicsr 1.4.2 imports ``torchvision.transforms.functional_tensor``, which torchvision removed in
0.17. `load` installs a module of that name first, holding the one function basicsr takes from
it, and then imports what was asked for. Its StyleGAN2 networks need CUDA extensions that a
wheel does not hold; where they are missing, `load` gives them the same operations in plain torch.
Plugins, `oldfix.training` and `oldfix.evaluation` use
it; the host's run path never does.
"""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from typing import Any

from oldfix.errors import EnvironmentProblem

_PACKAGES = ("basicsr", "facexlib", "gfpgan")
_MISSING = "torchvision.transforms.functional_tensor"


def load(reference: str) -> Any:
    """Import ``"module"`` or ``"module:name"`` from basicsr, facexlib or gfpgan.

    Raises:
        ValueError: the module belongs to none of the three packages.
        EnvironmentProblem: the package, or something it needs, cannot be imported.
    """
    module_name, _, name = reference.partition(":")
    if module_name.split(".")[0] not in _PACKAGES:
        raise ValueError(f"{module_name}: only {', '.join(_PACKAGES)} are reached through here")
    try:
        _install_functional_tensor()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their own deprecations, which nobody here can mend
            module = importlib.import_module(module_name)
    except ImportError as error:
        raise EnvironmentProblem(
            f"{module_name}: cannot be imported ({error}); run 'oldfix doctor'"
        ) from error
    _give_plain_operations()
    return getattr(module, name) if name else module


def _install_functional_tensor() -> None:
    """Give basicsr the module that torchvision removed, once."""
    if _MISSING in sys.modules:
        return
    from torchvision.transforms import functional

    alias = types.ModuleType(_MISSING)
    alias.rgb_to_grayscale = functional.rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[_MISSING] = alias


def _give_plain_operations() -> None:
    """Give basicsr's StyleGAN2 networks operations in plain torch where its own are missing."""
    archs = sys.modules.get("basicsr.archs.stylegan2_arch")
    fused = sys.modules.get("basicsr.ops.fused_act.fused_act")
    resampling = sys.modules.get("basicsr.ops.upfirdn2d.upfirdn2d")
    if archs is None or fused is None or resampling is None:
        return
    if not hasattr(fused, "fused_act_ext"):
        fused.fused_leaky_relu = _biased_leaky_relu  # type: ignore[attr-defined]
        archs.fused_leaky_relu = _biased_leaky_relu  # type: ignore[attr-defined]
    if not hasattr(resampling, "upfirdn2d_ext"):
        archs.upfirdn2d = _resampled(resampling)  # type: ignore[attr-defined]


def _biased_leaky_relu(
    x: Any, bias: Any, negative_slope: float = 0.2, scale: float = 2**0.5
) -> Any:
    """``leaky_relu(x + bias) * scale``, the bias along axis 1."""
    from torch.nn.functional import leaky_relu

    shape = (1, -1) + (1,) * (x.ndim - 2)
    return leaky_relu(x + bias.view(shape), negative_slope) * scale


def _resampled(module: Any) -> Any:
    """basicsr's own resampling in plain torch, on every device.

    Where nothing is enlarged it is one convolution of every channel by itself: the same sums, at
    a twentieth of the time of basicsr's, which makes a picture of every channel.
    """

    def upfirdn2d(
        x: Any, kernel: Any, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)
    ) -> Any:
        if up == 1 and min(pad) >= 0:
            return _filtered(x, kernel, down, pad)
        return module.upfirdn2d_native(x, kernel, up, up, down, down, *pad, *pad)

    return upfirdn2d


def _filtered(x: Any, kernel: Any, down: int, pad: tuple[int, int]) -> Any:
    """Convolve each channel of (N, C, H, W) with one kernel, padded alike along both axes."""
    from torch.nn.functional import conv2d, pad as padded

    channels = x.shape[1]
    weight = kernel.flip((0, 1)).to(x.dtype)[None, None].expand(channels, 1, -1, -1)
    return conv2d(padded(x, (*pad, *pad)), weight, stride=down, groups=channels)
