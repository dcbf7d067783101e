"""The stage ``restore-triplet``."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oldfix import DEFECTS, IMAGE, NO_WEIGHTS, Context, Model, Photo, StageError
from oldfix_triplet import TripletOptions
from oldfix_triplet.bridge import walk
from oldfix_triplet.marks import hidden, marked_squares

_Array = NDArray[np.float32]


def restore(photo: Photo, options: TripletOptions, ctx: Context) -> Photo:
    """Encode the photograph as found, map its latent to a clean one, decode that.

    Marked pixels are hidden before they are encoded, and the mapping is told where they were.
    Without DEFECTS nothing counts as marked.

    Raises:
        StageError: the diffusion was asked for and its weights are not installed.
    """
    image = photo[IMAGE]
    mask = photo.get(DEFECTS)
    marked = np.zeros(image.shape[:2], np.float32) if mask is None else mask
    chosen = options.model if options.mapping == "network" else options.diffusion
    if chosen == NO_WEIGHTS:
        raise StageError(
            f"restore-triplet: no weights for mapping '{options.mapping}'; "
            "see 'oldfix weights list', or choose the other mapping"
        )
    with ctx.model(chosen) as mapping, ctx.model(mapping.card.requires[0]) as vaes:
        start = hidden(image, marked, options.fill_px, white=_wants_white(mapping.net))
        z_x = ctx.apply(vaes, start, part="encode")
        squares = marked_squares(marked, z_x.shape[:2])
        if options.mapping == "network":
            z_y = _mapped(ctx, mapping, z_x, squares)
        else:
            z_y = walk(
                lambda z, t: ctx.apply(mapping, z, squares, part="predict", t=t),
                z_x,
                options.steps,
            )
        height, width = image.shape[:2]
        decoded = ctx.apply(vaes, z_y, part="decode")[:height, :width]
    return photo.put(IMAGE, np.clip(decoded, 0.0, 1.0, dtype=np.float32))


def _wants_white(net: Any) -> bool:
    """Whether a network was trained, as the published one with a mask, on marks painted white."""
    return getattr(net, "published", False) and net.attention is not None


def _mapped(ctx: Context, mapping: Model, z: _Array, squares: _Array) -> _Array:
    """T(z): in and out in tiles, the partial nonlocal block over the whole picture between."""
    net = mapping.net
    features = ctx.apply(mapping, z, squares, part="enter")
    if net.attention is not None and squares.any():
        coarse = marked_squares(squares, features.shape[:2], net.shrink)
        features = ctx.apply(mapping, features, coarse, part="attend")
    out = ctx.apply(mapping, features, part="leave")[: z.shape[0], : z.shape[1]]
    return out if net.published else z + out
