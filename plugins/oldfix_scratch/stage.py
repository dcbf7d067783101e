"""The stages of this plugin, as functions ``(photo, options, ctx) -> Photo``."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import DEFECTS, IMAGE, Context, Model, Photo, StageError
from oldfix_scratch import ClassicalScratchOptions, FillOptions, ScratchOptions
from oldfix_scratch.classical import fill, line_response
from oldfix_scratch.masks import drop_small, drop_wide, grow, hysteresis, join
from oldfix_scratch.thin import thin_parts

Image = NDArray[np.float32]
Plane = NDArray[np.float32]

#: From this longer side on, the picture is also searched at half its size, and so on: marks
#: wider than the network sees at native resolution are found there. Below, marks may be too small
#: for the network, and the picture may be enlarged.
_WIDE_FROM_PX = 1600
#: Below this longer side a file is a small copy of a print, and what is wide in it is less wide.
_SMALL_BELOW_PX = 640


def detect(photo: Photo, options: ScratchOptions, ctx: Context) -> Photo:
    """Add DEFECTS: 1 where the network sees damage, after hysteresis, cleaning and growth.

    With the option ``soft``, DEFECTS are the probabilities as they are.
    """
    with ctx.model(options.model) as model:
        probability = probabilities(photo[IMAGE], model, ctx, enlarge=options.enlarge)
    if options.soft:
        return photo.put(DEFECTS, probability)
    widest_px = _widest(max(probability.shape), options.max_width_px)
    return _marked(photo, probability, options, ctx, widest_px)


def detect_classical(photo: Photo, options: ClassicalScratchOptions, ctx: Context) -> Photo:
    """Add DEFECTS: 1 on thin lines that stand out of the picture's own noise."""
    response = line_response(photo[IMAGE], width_px=options.width_px, length_px=options.length_px)
    return _marked(photo, response, options, ctx)


def fill_classical(photo: Photo, options: FillOptions, ctx: Context) -> Photo:
    """Replace the pixels where DEFECTS is at least 0.5 by OpenCV's inpainting.

    Raises:
        StageError: every pixel is marked.
    """
    mask = photo[DEFECTS]
    ctx.note(filled_percent=_percent(mask >= 0.5))
    if not (mask >= 0.5).any():
        return photo
    try:
        image = fill(photo[IMAGE], mask, method=options.method, radius_px=options.radius_px)
    except ValueError as error:
        raise StageError(
            f"{photo.meta.source}: fill-defects-classical: {error}; give a mask with fewer marks"
        ) from None
    return photo.put(IMAGE, image)


def probabilities(image: Image, model: Model, ctx: Context, *, enlarge: bool = False) -> Plane:
    """Probability of damage, (H, W) float32: the larger of native and reduced sizes.

    Thin scratches are only there at native resolution; in a large scan a crease or stain is
    wider than the network's view, so the scan is searched again at halves of its size.

    Args:
        image: (H, W, 3) float32.
        model: a `oldfix_scratch.net.ScratchNet`.
        ctx: the stage's context.
        enlarge: look at a small photograph at twice its size too, where specks are larger, and
            take the mean of the log-odds of both.
    """
    best = _look(image, model, ctx)
    size = (image.shape[1], image.shape[0])
    if enlarge and max(size) < _WIDE_FROM_PX:
        large = cv2.resize(image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        closer = _look(np.clip(large, 0, 1), model, ctx)
        odds = _log_odds(best) + cv2.resize(_log_odds(closer), size, interpolation=cv2.INTER_AREA)
        best = np.asarray(1 / (1 + np.exp(-odds / 2)), np.float32)
    small = image
    while max(small.shape[:2]) >= _WIDE_FROM_PX:
        half = (max(1, small.shape[1] // 2), max(1, small.shape[0] // 2))
        small = cv2.resize(small, half, interpolation=cv2.INTER_AREA)
        coarse = _look(small, model, ctx)
        best = np.maximum(best, cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR))
    return np.asarray(best, np.float32)


def _widest(side: int, max_width_px: int) -> int:
    """The option ``max_width_px`` in a picture of any size: a mark is as wide as the print says."""
    scale = min(1.0, side / _SMALL_BELOW_PX) if side < _WIDE_FROM_PX else side / _WIDE_FROM_PX
    return max(1, round(scale * max_width_px))


def _look(image: Image, model: Model, ctx: Context) -> Plane:
    """What the network says of a picture at its size, (H, W)."""
    return np.asarray(ctx.apply(model, image, thin_parts(image))[..., 0], np.float32)


def _log_odds(probability: Plane) -> Plane:
    kept = np.clip(probability, 1e-5, 1 - 1e-5)
    return np.asarray(np.log(kept / (1 - kept)), np.float32)


def _marked(
    photo: Photo,
    score: Plane,
    options: ScratchOptions | ClassicalScratchOptions,
    ctx: Context,
    widest_px: int | None = None,
) -> Photo:
    """Turn a map of scores into DEFECTS, and note how much is marked."""
    marks = hysteresis(score, low=options.low_threshold, high=options.threshold)
    if widest_px is not None:
        marks = drop_wide(marks, widest_px)
    marks = grow(drop_small(marks, options.min_area_px), options.grow_px)
    mask = join(marks, photo.get(DEFECTS) if options.mode == "join" else None)
    ctx.note(marked_percent=_percent(mask >= 0.5))
    return photo.put(DEFECTS, mask)


def _percent(marks: NDArray[np.bool_]) -> float:
    return round(100 * float(marks.mean()), 3)
