"""The stage ``upscale-diffusion``."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import IMAGE, SAMPLERS, Context, Model, Photo, check_enlargement
from oldfix_diffusion import UpscaleOptions
from oldfix_diffusion.upscaling import enlarged, factor_plane

_Array = NDArray[np.float32]
#: Steps where the option leaves them open: our own network's, a published one's.
_STEPS, _PUBLISHED_STEPS = 1, 50
#: Noise level that a Stable-Diffusion upscaler is told, and its picture given (diffusers' default).
_NOISE_LEVEL = 20
#: Memory for each pixel made, at most: 46 with our own network, whose enlargement and two decoded
#: latents are held at once; 70 with published ones, whose windows overlap by half.
_BYTES_PER_PIXEL = 70


def upscale(photo: Photo, options: UpscaleOptions, ctx: Context) -> Photo:
    """Make the photograph two or four times larger; what else it carries follows in the host.

    Raises:
        StageError: the result would be larger than ``max_megapixels``.
    """
    check_enlargement(
        photo.size,
        options.factor,
        max_megapixels=options.max_megapixels,
        bytes_per_pixel=_BYTES_PER_PIXEL,
    )
    with ctx.model(options.model) as model:
        work = _published if model.card.layout else _own
        result = work(photo[IMAGE], model, options, ctx)
    return photo.put(IMAGE, np.clip(result, 0.0, 1.0, out=result))


def _own(image: _Array, model: Model, options: UpscaleOptions, ctx: Context) -> _Array:
    """The bicubic enlargement, and what the diffusion says is missing in it.

    Only the difference of two decoded latents is added, so nothing is lost to the autoencoder.
    """
    start = enlarged(image, options.factor)
    with ctx.model(model.card.requires[0]) as latent:
        z_start = ctx.apply(latent, start, part="encode")
        plane = factor_plane((z_start.shape[0], z_start.shape[1]), options.factor)

        def predict(z: _Array, t: float) -> _Array:
            return ctx.apply(model, z, plane, t=t)

        z = SAMPLERS[options.sampler](predict, z_start, options.steps or _STEPS)
        missing = ctx.apply(latent, z, part="decode")
        missing -= ctx.apply(latent, z_start, part="decode")
    start += missing[: start.shape[0], : start.shape[1]]
    return start


def _published(image: _Array, model: Model, options: UpscaleOptions, ctx: Context) -> _Array:
    """Sample a larger picture from noise, told the small one; its colours are the small one's."""
    from oldfix_diffusion.walking import decoded, grid_of, padded, sampled
    from oldfix_diffusion.windows import windows

    net = model.net
    small = padded(image, grid_of(net))
    known = 2 * small - 1
    extra = {}
    if net.noise_schedule is not None:
        known = noised(known, net.noise_schedule, ctx.rng)
        extra = {"noise_level": _NOISE_LEVEL}
    places = windows(np.ones(small.shape[:2], np.bool_), net.unet.config.sample_size)
    steps = options.steps or _PUBLISHED_STEPS
    z = sampled(ctx, model, places, known, scheduler=options.scheduler, steps=steps, **extra)
    ctx.note(windows=len(places), steps=steps)
    height, width = image.shape[:2]
    large = decoded(ctx, model, places, z)[: net.factor * height, : net.factor * width]
    if options.factor != net.factor:
        size = (width * options.factor, height * options.factor)
        large = cv2.resize(large, size, interpolation=cv2.INTER_AREA)
    return with_the_means_of(large, image)


def noised(known: _Array, schedule: object, rng: np.random.Generator) -> _Array:
    """Add the noise that a Stable-Diffusion upscaler was trained to see in the small picture."""
    import torch

    from oldfix_diffusion.walking import make_scheduler

    scheduler = make_scheduler("ddpm", dict(schedule))  # type: ignore[call-overload]
    noise = torch.from_numpy(rng.standard_normal(known.shape, np.float32))
    level = torch.tensor([_NOISE_LEVEL])
    return np.asarray(scheduler.add_noise(torch.from_numpy(known), noise, level).numpy())


def with_the_means_of(large: _Array, image: _Array) -> _Array:
    """Shift a larger picture so that, averaged down, it is the small one: no tone is invented."""
    height, width = image.shape[:2]
    means = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    size = (large.shape[1], large.shape[0])
    shifted = cv2.resize(image - means, size, interpolation=cv2.INTER_LINEAR)
    shifted += large
    return np.asarray(shifted, np.float32)
