"""Pictures of faces before and after, for `oldfix_faces.command`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oldfix import FACES, IMAGE, Face, Photo, Plan, Runner, write_photo
from oldfix_faces.align import align, crop_face

Array = NDArray[np.float32]

#: Between the two halves, as a part of their side.
_GAP = 1 / 64


def write_pairs(
    runner: Runner, plan: Plan, photo: Photo, out: Path, size: int, overwrite: bool
) -> Iterator[Path]:
    """Find and refine the faces of a photograph, and write a picture of each.

    Args:
        runner: runs the plan.
        plan: finds faces, then refines them.
        photo: the photograph.
        out: folder for the pictures; made if missing.
        size: side of a face in a picture, in pixels.
        overwrite: replace existing files.

    Yields:
        The files, largest face first.

    Raises:
        PhotoError: a step failed, or a file exists.
    """
    after = runner.run(plan, photo)
    stem = Path(photo.meta.source).stem
    faces: tuple[Face, ...] = after[FACES]
    for number, face in enumerate(faces, 1):
        picture = pair(photo[IMAGE], after[IMAGE], face.points, size)
        yield write_photo(
            Photo.from_array(picture), out / f"{stem}-{number}.png", overwrite=overwrite
        )


def pair(before: Array, after: Array, points: NDArray[np.floating], size: int) -> Array:
    """Return a face of two photographs of one size, aligned, side by side.

    Args:
        before, after: (H, W, 3) float32 in [0, 1].
        points: (5, 2) landmarks.
        size: side of a face, in pixels.

    Returns:
        (size, 2 size and a white gap, 3) float32 in [0, 1].
    """
    alignment = align(points, size)
    faces = [np.clip(crop_face(image, alignment), 0, 1) for image in (before, after)]
    gap = np.ones((size, max(2, round(_GAP * size)), 3), np.float32)
    return np.concatenate([faces[0], gap, faces[1]], axis=1)
