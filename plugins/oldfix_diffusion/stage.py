"""The stage ``restore-diffusion``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oldfix import DEFECTS, IMAGE, SAMPLERS, Context, Photo, fill_marks
from oldfix_diffusion import RestoreOptions
from oldfix_diffusion.squares import squares

_Array = NDArray[np.float32]


def restore(photo: Photo, options: RestoreOptions, ctx: Context) -> Photo:
    """Fill the marked defects and take away grain, blur and JPEG damage.

    Marked pixels get a first guess from their surroundings. The photograph is then encoded,
    walked back from "as found" to "clean" in the latent, decoded, and given back its own fine
    detail where that is sound. Each of these runs over the picture on its own, in tiles. Without
    DEFECTS nothing counts as marked.
    """
    image = photo[IMAGE]
    mask = photo.get(DEFECTS)
    marked = np.zeros(image.shape[:2], np.float32) if mask is None else mask
    holes = squares(marked)
    with ctx.model(options.model) as restorer, ctx.model(restorer.card.requires[0]) as latent:

        def predict(z: _Array, t: float) -> _Array:
            return ctx.apply(restorer, z, holes, part="denoise", t=t)

        start = fill_marks(image, marked > 0.5, options.fill_px)
        z_found = ctx.apply(latent, start, part="encode")
        z_clean = SAMPLERS[options.sampler](predict, z_found, options.steps)
        height, width = image.shape[:2]
        decoded = ctx.apply(latent, z_clean, part="decode")[:height, :width]
        result = ctx.apply(restorer, image, decoded, marked, part="detail")
    return photo.put(IMAGE, np.clip(result, 0.0, 1.0, dtype=np.float32))
