"""The stages ``denoise-diffusion`` and ``denoise-baseline``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oldfix import IMAGE, SAMPLERS, Context, Photo
from oldfix_denoise import BaselineOptions, DenoiseOptions

_Array = NDArray[np.float32]


def denoise(photo: Photo, options: DenoiseOptions, ctx: Context) -> Photo:
    """Take away noise and grain by walking back from the photograph as found to a clean one.

    Every step runs over the picture on its own, in tiles. A grey photograph comes back exactly
    grey: after each step its channels are averaged, so that rounding cannot part them.
    """
    image = photo[IMAGE]
    grey = _is_grey(image)
    with ctx.model(options.model) as model:

        def predict(x: _Array, t: float) -> _Array:
            clean = ctx.apply(model, x, t=t)
            return _averaged(clean) if grey else clean

        clean = SAMPLERS[options.sampler](predict, image, options.steps)
    return photo.put(IMAGE, np.clip(clean, 0.0, 1.0, dtype=np.float32))


def denoise_at_once(photo: Photo, options: BaselineOptions, ctx: Context) -> Photo:
    """Take away noise in one pass; a grey photograph comes back exactly grey."""
    image = photo[IMAGE]
    with ctx.model(options.model) as model:
        clean = ctx.apply(model, image)
    clean = _averaged(clean) if _is_grey(image) else clean
    return photo.put(IMAGE, np.clip(clean, 0.0, 1.0, dtype=np.float32))


def _is_grey(image: _Array) -> bool:
    """Whether all channels are the same."""
    return bool((image == image[..., :1]).all())


def _averaged(image: _Array) -> _Array:
    """Return the mean of the channels in each of them."""
    return np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
