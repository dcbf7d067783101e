"""The stage ``inpaint-diffusion``."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import DEFECTS, IMAGE, SAMPLERS, Context, Model, Photo, fill_marks
from oldfix_diffusion import InpaintOptions
from oldfix_diffusion.squares import squares

_Array = NDArray[np.float32]
#: Width inside the marks over which a published network's pixels take over from the fill.
_FEATHER_PX = 4.0
#: Steps where the option leaves them open: our own network's, a published one's.
_STEPS, _PUBLISHED_STEPS = 1, 50


def inpaint(photo: Photo, options: InpaintOptions, ctx: Context) -> Photo:
    """Paint the marked pixels anew; all others stay exactly as they are.

    Pixels with DEFECTS above 0.5 count as marked. A photograph without any passes, and so does,
    with a warning, one that has nothing else.
    """
    image, marked = photo[IMAGE], photo[DEFECTS] > 0.5
    if not marked.any():
        ctx.note(marked=0)
        return photo
    if marked.all():
        ctx.warn("inpaint-diffusion: every pixel is marked, nothing is left to go by; not changed")
        return photo
    ctx.note(marked=int(marked.sum()))
    start = fill_marks(image, marked)
    with ctx.model(options.model) as model:
        if model.card.layout:
            painted = _published(image, start, marked, model, options, ctx)
        else:
            painted = _own(start, marked, model, options, ctx)
    result = np.where(marked[..., None], np.clip(painted, 0.0, 1.0), image)
    return photo.put(IMAGE, np.asarray(result, np.float32))


def _own(
    start: _Array, marked: NDArray[np.bool_], model: Model, options: InpaintOptions, ctx: Context
) -> _Array:
    """The fill, and what the diffusion says is missing in it.

    Only the difference of two decoded latents is added, so nothing is lost to the autoencoder.
    """
    holes = squares(marked.astype(np.float32))
    with ctx.model(model.card.requires[0]) as latent:

        def predict(z: _Array, t: float) -> _Array:
            return ctx.apply(model, z, holes, t=t)

        z_filled = ctx.apply(latent, start, part="encode")
        z = SAMPLERS[options.sampler](predict, z_filled, options.steps or _STEPS)
        found, was = (ctx.apply(latent, value, part="decode") for value in (z, z_filled))
    missing = (found - was)[: start.shape[0], : start.shape[1]]
    return np.asarray(start + missing, np.float32)


def _published(
    image: _Array,
    start: _Array,
    marked: NDArray[np.bool_],
    model: Model,
    options: InpaintOptions,
    ctx: Context,
) -> _Array:
    """Sample the windows around the marks from noise, told everything else."""
    from oldfix_diffusion.walking import decoded, grid_of, in_windows, padded, sampled
    from oldfix_diffusion.windows import Window, joined, windows

    net = model.net
    factor = net.factor
    hidden = np.where(marked[..., None], np.float32(0.5), image)
    hidden = padded(hidden, factor * grid_of(net))
    size = (hidden.shape[0] // factor, hidden.shape[1] // factor)
    mask = np.zeros(hidden.shape[:2], np.float32)
    mask[: marked.shape[0], : marked.shape[1]] = marked
    touched = mask.reshape(size[0], factor, size[1], factor).max(axis=(1, 3))
    places = windows(touched > 0, net.unet.config.sample_size)
    pixels = [Window(*(factor * n for n in vars(place).values())) for place in places]
    latents = joined(in_windows(ctx, model, pixels, hidden, "encode"), places, size)
    known = np.concatenate([touched[..., None], latents], axis=2)
    steps = options.steps or _PUBLISHED_STEPS
    z = sampled(ctx, model, places, known, scheduler=options.scheduler, steps=steps)
    ctx.note(windows=len(places), steps=steps)
    painted = decoded(ctx, model, places, z)[: image.shape[0], : image.shape[1]]
    inside = cv2.distanceTransform(marked.astype(np.uint8), cv2.DIST_L2, 3)
    weight = np.clip(inside / np.float32(_FEATHER_PX), 0, 1)[..., None]
    return np.asarray(start + weight * (painted - start), np.float32)
