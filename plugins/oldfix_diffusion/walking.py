"""From noise to a latent over a whole picture, by a published network that sees windows of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from oldfix import Context, Model
from oldfix_diffusion.published import Published, diffusers
from oldfix_diffusion.windows import Window, joined

_Array = NDArray[np.float32]
#: Scheduler -> its class in diffusers.
_SCHEDULERS = {
    "ddpm": "DDPMScheduler",
    "ddim": "DDIMScheduler",
    "dpm": "DPMSolverMultistepScheduler",
}


def make_scheduler(name: str, schedule: Mapping[str, Any]) -> Any:
    """A scheduler of diffusers with the noise levels that a network was trained with.

    Latents are never clipped to [-1, 1], as they are not pictures.
    """
    kind = getattr(diffusers(), _SCHEDULERS[name])
    unclipped = {} if name == "dpm" else {"clip_sample": False}
    return kind.from_config(dict(schedule), **unclipped)


def walk(
    predict: Callable[[_Array, int], _Array],
    noise: _Array,
    known: _Array,
    scheduler: Any,
    *,
    steps: int,
    seed: int,
) -> _Array:
    """Walk from noise to a latent.

    The states of all windows are one canvas, and so is the noise that some schedulers add on the
    way: neighbouring windows cannot disagree about it.

    Args:
        predict: from the state with the known planes (h, w, C + K) and the time, to what the
            scheduler asks for, (h, w, C).
        noise: (h, w, C), standard normal.
        known: (h, w, K), what the network sees beside the state.
        scheduler: of diffusers; its steps are set here.
        steps: how many.
        seed: of the noise added on the way.

    Returns:
        (h, w, C) float32.
    """
    scheduler.set_timesteps(steps)
    generator = torch.Generator().manual_seed(seed)
    z = to_tensor(noise) * float(scheduler.init_noise_sigma)
    for t in scheduler.timesteps:
        state = to_plane(scheduler.scale_model_input(z, t))
        predicted = predict(np.concatenate([state, known], axis=2), int(t))
        z = scheduler.step(to_tensor(predicted), t, z, generator=generator).prev_sample
    return to_plane(z)


def in_windows(
    ctx: Context, model: Model, places: Sequence[Window], plane: _Array, part: str, **extra: Any
) -> list[_Array]:
    """Run a part of a network on every window of a plane."""
    pieces = [np.ascontiguousarray(place.of(plane)) for place in places]
    return ctx.apply_many(model, pieces, part=part, **extra)


def sampled(
    ctx: Context,
    model: Model,
    places: Sequence[Window],
    known: _Array,
    *,
    scheduler: str,
    steps: int,
    **extra: Any,
) -> _Array:
    """Sample a latent (h, w, C) that fits the known planes (h, w, K), where windows lie."""
    net: Published = model.net
    size = (known.shape[0], known.shape[1])
    noise = ctx.rng.standard_normal((*size, net.channels), np.float32)

    def predict(planes: _Array, t: int) -> _Array:
        return joined(in_windows(ctx, model, places, planes, "predict", t=t, **extra), places, size)

    chosen = make_scheduler(scheduler, net.schedule)
    return walk(predict, noise, known, chosen, steps=steps, seed=ctx.seed)


def decoded(ctx: Context, model: Model, places: Sequence[Window], z: _Array) -> _Array:
    """Decode a latent (h, w, C) to (factor h, factor w, 3), where windows lie."""
    pieces = in_windows(ctx, model, places, z, "decode")
    return joined(pieces, places, (z.shape[0], z.shape[1]), model.net.factor)


def padded(plane: _Array, multiple: int) -> _Array:
    """Repeat the lower and right border up to a multiple of a number of pixels."""
    down, right = (-side % multiple for side in plane.shape[:2])
    return np.pad(plane, ((0, down), (0, right), (0, 0)), mode="edge")


def grid_of(net: Published) -> int:
    """Sides of what the UNet sees are multiples of this many latent positions."""
    return int(2 ** (len(net.unet.config.block_out_channels) - 1))


def to_tensor(plane: _Array) -> torch.Tensor:
    """(h, w, C) to (1, C, h, w)."""
    return torch.from_numpy(np.ascontiguousarray(plane)).permute(2, 0, 1)[None]


def to_plane(z: torch.Tensor) -> _Array:
    """(1, C, h, w) on the CPU to (h, w, C) float32."""
    return np.ascontiguousarray(z[0].permute(1, 2, 0).float().numpy())
