"""The stage ``detect-faces``: find candidates, look at each again, place its landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oldfix import FACES, IMAGE, NO_WEIGHTS, Context, Photo
from oldfix_faces import DetectOptions
from oldfix_faces.anchors import Found
from oldfix_faces.detect import as_faces, find
from oldfix_faces.second_look import confirm, place_landmarks

#: Smallest score of a candidate that is looked at again.
_CANDIDATE = 0.25


def detect(photo: Photo, options: DetectOptions, ctx: Context) -> Photo:
    """Put the faces of a photograph under `FACES`, largest first.

    Every face is listed in the history with its box and score.
    """
    found = _found(photo[IMAGE], options, ctx)
    sides = (found.boxes[:, 2:] - found.boxes[:, :2]).min(axis=1)
    faces = as_faces(found[sides >= options.min_size_px])
    ctx.note(
        found=len(faces),
        faces=[
            {"box": [round(edge, 1) for edge in face.box], "score": round(face.score, 3)}
            for face in faces
        ],
    )
    return photo.put(FACES, faces)


def _found(image: NDArray[np.float32], options: DetectOptions, ctx: Context) -> Found:
    """Find candidates, confirm them, place their landmarks: as far as the options ask for it."""
    first = min(options.confidence, _CANDIDATE) if options.confirm else options.confidence
    with ctx.model(options.model) as model:
        found = find(model, image, ctx, first)
        if options.confirm:
            found = confirm(model, image, found, ctx)
            found = found[found.scores >= options.confidence]
    if options.landmarks == NO_WEIGHTS:
        return found
    with ctx.model(options.landmarks) as model:
        return place_landmarks(model, image, found, ctx)
