"""Look at a photograph at several sizes and join what a detector finds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import Context, Face, Model
from oldfix_faces.anchors import Found, decode, distinct, joined

Array = NDArray[np.float32]

#: Longer sides, in pixels, at which the whole photograph is looked at: large faces, then others.
WHOLE_PX = (160, 400, 1024)
#: Longer side at which a large scan is looked at in tiles, and the tiles.
TILED_PX, TILE_PX, OVERLAP_PX = 2048, 1024, 256
#: A small photograph is enlarged by at most this.
_LARGEST_SCALE = 2.0
_STRIDE = 32
#: Larger faces than this are left to a coarser view, in pixels of the view.
_LARGEST_PX = 200.0
#: A box this close to a tile's inner edge may be half a face.
_EDGE_PX = 4


@dataclass(frozen=True, eq=False)
class View:
    """A picture to run the detector on.

    Attributes:
        pixels: (h, w, 3) float32.
        scale: view pixels per photograph pixel.
        left, top: where it begins in the scaled photograph.
        whole: (width, height) of the scaled photograph.
        coarsest: no other view shows larger faces better.
    """

    pixels: Array
    scale: float
    left: int
    top: int
    whole: tuple[int, int]
    coarsest: bool = False


def find(model: Model, image: Array, ctx: Context, confidence: float) -> Found:
    """Run a detector over all views of a photograph.

    Args:
        model: a face detector.
        image: (H, W, 3) float32.
        ctx: the stage's context.
        confidence: smallest score.

    Returns:
        Faces in pixels of the photograph, best first, each once.
    """
    found = []
    for _, same in groupby(views(image), key=lambda view: view.pixels.shape):
        group = list(same)
        maps = ctx.apply_many(model, [padded(view.pixels) for view in group])
        found += [seen(view, folded, confidence) for view, folded in zip(group, maps, strict=True)]
    return distinct(joined(found))


def find_in_crops(
    model: Model, crops: Sequence[Array], ctx: Context, confidence: float
) -> list[Found]:
    """Run a detector over equally large pictures, each at its own size only."""
    maps = ctx.apply_many(model, [padded(crop) for crop in crops])
    return [distinct(decode(folded, confidence)) for folded in maps]


def as_faces(found: Found) -> tuple[Face, ...]:
    """Turn candidates into faces, largest first."""
    area = np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1)
    return tuple(
        Face(
            (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            float(found.scores[index]),
            found.points[index].copy(),
        )
        for index in np.argsort(-area, kind="stable")
        for box in [found.boxes[index]]
    )


def views(image: Array) -> Iterator[View]:
    """Yield the pictures to look at: the whole at two sizes, and tiles of a large scan."""
    longest = max(image.shape[:2])
    scales = [min(side / longest, _LARGEST_SCALE) for side in WHOLE_PX]
    for scale in dict.fromkeys(scales):
        pixels = scaled(image, scale)
        size = (pixels.shape[1], pixels.shape[0])
        yield View(pixels, scale, 0, 0, size, coarsest=scale == min(scales))
    if longest > 1.5 * WHOLE_PX[-1]:
        scale = min(1.0, TILED_PX / longest)
        pixels = scaled(image, scale)
        height, width = pixels.shape[:2]
        for top in starts(height):
            for left in starts(width):
                cut = pixels[top : top + TILE_PX, left : left + TILE_PX]
                yield View(cut, scale, left, top, (width, height))


def starts(length: int) -> list[int]:
    """Return where tiles begin so that they cover a length and overlap by `OVERLAP_PX`."""
    if length <= TILE_PX:
        return [0]
    count = ceil((length - OVERLAP_PX) / (TILE_PX - OVERLAP_PX))
    return [round(i * (length - TILE_PX) / (count - 1)) for i in range(count)]


def scaled(image: Array, scale: float) -> Array:
    """Scale a picture: area average down, bilinear up."""
    if scale == 1:
        return image
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), np.float32)


def padded(pixels: Array) -> Array:
    """Repeat the last row and column up to the detector's stride."""
    down, right = (-n % _STRIDE for n in pixels.shape[:2])
    return np.pad(pixels, ((0, down), (0, right), (0, 0)), mode="edge")


def seen(view: View, folded: Array, confidence: float) -> Found:
    """Decode what a view shows, in photograph pixels.

    What an inner edge cuts is left out, and so are faces that a coarser view shows better.
    """
    found = decode(folded, confidence)
    height, width = view.pixels.shape[:2]
    low = np.array([view.left > 0, view.top > 0])
    high = np.array([view.left + width < view.whole[0], view.top + height < view.whole[1]])
    cut = (low & (found.boxes[:, :2] < _EDGE_PX)) | (
        high & (found.boxes[:, 2:] > np.array([width, height]) - 1 - _EDGE_PX)
    )
    sides = (found.boxes[:, 2:] - found.boxes[:, :2]).max(axis=1)
    inside = np.flatnonzero(~cut.any(axis=1) & ((sides <= _LARGEST_PX) | view.coarsest))
    return found[inside].moved(view.scale, view.left, view.top)
