"""The stage ``upscale``."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import FACES, IMAGE, NO_WEIGHTS, Context, Photo, StageError, check_enlargement
from oldfix_upscale import UpscaleOptions
from oldfix_upscale.faces import spare

Array = NDArray[np.float32]

#: Factor -> method of `oldfix_upscale.enlarger.Enlarger`, as the cards list them.
_PARTS = {2: "twice", 4: "four_times"}
#: Memory for each pixel made: the result, what is being joined or clipped, and the small picture.
_BYTES_PER_PIXEL = 28


def upscale(photo: Photo, options: UpscaleOptions, ctx: Context) -> Photo:
    """Enlarge the picture; the host brings masks, faces and transparency to the new size.

    Raises:
        StageError: the result would be larger than ``max_megapixels``, or the network chosen is
            not made for the factor.
    """
    image, factor = photo[IMAGE], options.factor
    check_enlargement(
        photo.size,
        factor,
        max_megapixels=options.max_megapixels,
        bytes_per_pixel=_BYTES_PER_PIXEL,
    )
    if options.model == NO_WEIGHTS:
        ctx.note(method="Lanczos", factor=factor)
        return photo.put(IMAGE, lanczos(image, factor))
    with ctx.model(options.model) as model:
        part = _PARTS[factor]
        if part not in model.card.parts:
            raise StageError(
                f"{model.card.id}: cannot enlarge {factor} times, only twice; set factor = 2, or "
                "choose another model (see 'oldfix weights list')"
            )
        ctx.note(method=model.card.id, factor=factor)
        enlarged = ctx.apply(model, image, part=part)
    if options.spare_faces:
        faces = photo.get(FACES, ())
        ctx.note(spared_faces=len(faces))
        plain = lanczos(image, factor) if faces else enlarged
        for face in faces:
            spare(enlarged, plain, (face.points + 0.5) * factor - 0.5)
    return photo.put(IMAGE, np.clip(enlarged, 0, 1))


def lanczos(image: Array, factor: int) -> Array:
    """Enlarge (H, W, 3) in [0, 1] by Lanczos over 8x8 pixels, held in [0, 1]."""
    enlarged = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LANCZOS4)
    return np.asarray(np.clip(enlarged, 0, 1, out=enlarged), np.float32)
