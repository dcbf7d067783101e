"""The stage ``detect-faces``: find candidates, look at each again, place its landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oldfix import FACES, IMAGE, NO_WEIGHTS, Context, Face, Photo, StageError
from oldfix_faces import DetectOptions
from oldfix_faces.align import template
from oldfix_faces.anchors import Found
from oldfix_faces.detect import as_faces, find
from oldfix_faces.second_look import confirm, place_landmarks

#: Smallest score of a candidate that is looked at again, and how many are at most.
_CANDIDATE, _MOST = 0.25, 300


def detect(photo: Photo, options: DetectOptions, ctx: Context) -> Photo:
    """Put the faces of a photograph under `FACES`, largest first.

    Every face is listed in the history with its box and score.

    Raises:
        StageError: ``aligned`` was asked for and the photograph is not square.
    """
    faces: tuple[Face, ...]
    if options.aligned:
        faces = (aligned_face(photo.size),)
    else:
        found = _found(photo[IMAGE], options, ctx)
        sides = (found.boxes[:, 2:] - found.boxes[:, :2]).min(axis=1)
        faces = chosen(as_faces(found[sides >= options.min_size_px]), options.which, photo.size)
    ctx.note(
        found=len(faces),
        faces=[
            {"box": [round(edge, 1) for edge in face.box], "score": round(face.score, 3)}
            for face in faces
        ],
    )
    return photo.put(FACES, faces)


def aligned_face(size: tuple[int, int]) -> Face:
    """Return the face of a photograph that is an aligned crop: the template's landmarks.

    Raises:
        StageError: (height, width) is not square.
    """
    height, width = size
    if height != width:
        raise StageError(
            f"is {width} x {height} pixels, and an aligned face is square; "
            "leave out aligned, and the face will be looked for"
        )
    inner = 0.2 * width, 0.2 * height, 0.8 * width, 0.9 * height
    return Face(inner, 1.0, template(width).astype(np.float32))


def chosen(faces: tuple[Face, ...], which: str, size: tuple[int, int]) -> tuple[Face, ...]:
    """Return all faces, or only the largest, or only the one nearest to the middle.

    Args:
        faces: largest first.
        which: "all", "largest" or "centre".
        size: (height, width) of the photograph.
    """
    if which == "all" or not faces:
        return faces
    if which == "largest":
        return faces[:1]
    middle = np.array([size[1] - 1, size[0] - 1]) / 2
    away = [float(np.hypot(*(np.reshape(f.box, (2, 2)).mean(axis=0) - middle))) for f in faces]
    return (faces[int(np.argmin(away))],)


def _found(image: NDArray[np.float32], options: DetectOptions, ctx: Context) -> Found:
    """Find candidates, confirm them, place their landmarks: as far as the options ask for it."""
    first = min(options.confidence, _CANDIDATE) if options.confirm else options.confidence
    with ctx.model(options.model) as model:
        found = find(model, image, ctx, first)
        if options.confirm:
            found = confirm(model, image, _most_likely(found, ctx), ctx)
            found = found[found.scores >= options.confidence]
    if options.landmarks == NO_WEIGHTS:
        return found
    with ctx.model(options.landmarks) as model:
        return place_landmarks(model, image, found, ctx)


def _most_likely(found: Found, ctx: Context) -> Found:
    """The best candidates, as many as are looked at again; the history tells how many are not."""
    if len(found) > _MOST:
        ctx.note(candidates_left_out=len(found) - _MOST)
    return found[np.argsort(-found.scores, kind="stable")[:_MOST]]
