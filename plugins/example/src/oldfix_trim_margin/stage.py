"""The work of ``trim-margin``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from oldfix import DEFECTS, FACES, IMAGE, Context, Face, Photo
from oldfix_trim_margin import TrimOptions

Box = tuple[int, int, int, int]


def trim(photo: Photo, options: TrimOptions, ctx: Context) -> Photo:
    """Crop the picture to what is not margin; mask, faces and transparency go with it."""
    box = print_box(photo[IMAGE], tolerance=options.tolerance, dust=options.dust)
    if box is None:
        ctx.warn("looks like nothing but margin; left as it is")
        return photo
    box = _widened(box, options.keep_px, photo.size)
    ctx.note(box=list(box))
    return photo if box == (0, 0, *photo.size) else _cropped(photo, box)


def print_box(image: NDArray[np.float32], *, tolerance: float, dust: float) -> Box | None:
    """Find the print within its margin.

    The margin's colour is the median of the outermost pixels. Lines are taken off each side as
    long as no more than a share of ``dust`` of their pixels differs from it.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].
        tolerance: largest difference of any channel from the margin's colour.
        dust: share of differing pixels that a line of margin may hold.

    Returns:
        (top, left, bottom, right) in pixels, bottom and right exclusive; None if nothing is left.
    """
    edge = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    differs = np.abs(image - np.median(edge, axis=0)).max(axis=2) > tolerance
    rows, columns = (np.flatnonzero(differs.mean(axis=axis) > dust) for axis in (1, 0))
    if not rows.size or not columns.size:
        return None
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _widened(box: Box, pixels: int, size: tuple[int, int]) -> Box:
    top, left, bottom, right = box
    height, width = size
    return (
        max(top - pixels, 0),
        max(left - pixels, 0),
        min(bottom + pixels, height),
        min(right + pixels, width),
    )


def _cropped(photo: Photo, box: Box) -> Photo:
    top, left, bottom, right = box
    inside = np.s_[top:bottom, left:right]
    cut = photo.put(IMAGE, np.ascontiguousarray(photo[IMAGE][inside]))
    if DEFECTS in photo:
        cut = cut.put(DEFECTS, np.ascontiguousarray(photo[DEFECTS][inside]))
    if FACES in photo:
        cut = cut.put(FACES, tuple(_moved(face, left, top) for face in photo[FACES]))
    if photo.meta.alpha is not None:
        cut = cut.with_meta(replace(photo.meta, alpha=photo.meta.alpha[inside]))
    return cut


def _moved(face: Face, left: int, top: int) -> Face:
    x0, y0, x1, y1 = face.box
    box = (x0 - left, y0 - top, x1 - left, y1 - top)
    return Face(box, face.score, face.points - np.array([left, top], np.float32))
