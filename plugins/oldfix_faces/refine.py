"""The stage ``refine-faces``: align, refine, check, paste."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import FACES, IMAGE, NO_WEIGHTS, Context, Face, Model, Photo, is_toned
from oldfix_faces import RefineOptions
from oldfix_faces.align import Alignment, align, crop_face, on_grid
from oldfix_faces.gate import Verdict, compare
from oldfix_faces.paste import Patch, face_mask, grey_of, paste, softened
from oldfix_faces.texture import fitted, removed

Array = NDArray[np.float32]

#: Faces with nearer eyes hold nothing to refine.
_SMALLEST_EYES_PX = 5.0
#: Crop pixels per photograph pixel: below the first the photograph holds detail that the crop does
#: not, from the second on it does not.
_DETAIL_BELOW = (0.75, 1.0)
#: A face not accepted is tried once more at this blend.
_SECOND_TRY = 0.5


@dataclass(frozen=True, eq=False)
class Aligned:
    """A face on its way through the stage.

    Attributes:
        face: what was detected.
        alignment: from photograph to crop.
        crop: (size, size, 3) float32, grey for toned photographs.
        mask: (size, size) float32, where it may change.
        correction: (size, size, 3) float32, what to add to the crop.
        outcome: "refined", "refined at half blend" or "kept".
        verdict: the check behind the outcome.
    """

    face: Face
    alignment: Alignment
    crop: Array
    mask: Array
    correction: Array
    outcome: str = "kept"
    verdict: Verdict | None = None


def refine(photo: Photo, options: RefineOptions, ctx: Context) -> Photo:
    """Refine the faces of a photograph; pixels outside them stay exactly as they are.

    The history lists every face with what was done and why.
    """
    image = photo[IMAGE]
    toned = is_toned(image)
    large = [face for face in photo[FACES] if face.eye_distance >= _SMALLEST_EYES_PX]
    with ctx.model(options.model) as model:
        aligned = corrected(model, image, large, ctx, toned=toned)
    aligned = masked(aligned, options, ctx)
    with ctx.model(options.detector) as detector:
        checked = check(detector, aligned, ctx)
    ctx.note(
        toned=toned,
        refined=sum(item.outcome != "kept" for item in checked),
        too_small=len(photo[FACES]) - len(large),
        faces=[described(item) for item in checked],
    )
    changes = [item for item in checked if item.outcome != "kept"]
    if not changes or options.strength == 0:
        return photo
    return photo.put(IMAGE, pasted(image, changes, options.strength, toned=toned))


def corrected(
    model: Model,
    image: Array,
    faces: Sequence[Face],
    ctx: Context,
    *,
    toned: bool,
) -> list[Aligned]:
    """Cut the faces out and run the network over all of them; its corrections may go anywhere."""
    size = model.net.size
    alignments = [on_grid(align(face.points, size)) for face in faces]
    crops = [np.clip(crop_face(image, alignment), 0, 1) for alignment in alignments]
    if toned:
        crops = [grey_of(crop) for crop in crops]
    corrections = ctx.apply_many(model, crops)
    if toned:
        corrections = [np.repeat(raw.mean(axis=2, keepdims=True), 3, axis=2) for raw in corrections]
    everywhere = np.ones((size, size), np.float32)
    return [
        Aligned(face, alignment, crop, everywhere, raw)
        for face, alignment, crop, raw in zip(faces, alignments, crops, corrections, strict=True)
    ]


def masked(faces: Sequence[Aligned], options: RefineOptions, ctx: Context) -> list[Aligned]:
    """Limit the corrections to the faces, and fit them to tone and grain of the photograph.

    Where a face ends is told by a face parser if one is installed, else by the landmarks.
    """
    masks = [face_mask(i.alignment.to_crop(i.face.points), len(i.crop)) for i in faces]
    if options.parser != NO_WEIGHTS:
        refined = [np.clip(item.crop + item.correction, 0, 1) for item in faces]
        with ctx.model(options.parser) as parser:
            masks = parsed_masks(parser, refined, ctx)
    return [
        replace(item, mask=mask, correction=fitted(item.crop, item.correction, mask, options.grain))
        for item, mask in zip(faces, masks, strict=True)
    ]


def parsed_masks(parser: Model, faces: Sequence[Array], ctx: Context) -> list[Array]:
    """Return where a parser sees each aligned face, softened, zero at the border."""
    size = parser.net.size
    maps = ctx.apply_many(parser, [resized(face, size) for face in faces])
    return [softened(resized(m[..., 0], len(face))) for m, face in zip(maps, faces, strict=True)]


def resized(plane: Array, size: int) -> Array:
    """Scale a square (side, side) or (side, side, C) to another side."""
    how = cv2.INTER_AREA if size < len(plane) else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(plane, (size, size), interpolation=how), np.float32)


def check(detector: Model, faces: Sequence[Aligned], ctx: Context) -> list[Aligned]:
    """Accept each face, or accept it at half blend, or keep the original."""
    checked = judge(detector, faces, ctx, "refined")
    doubtful = [item for item in checked if item.outcome == "kept"]
    halved = [replace(i, correction=_SECOND_TRY * i.correction) for i in doubtful]
    again = iter(judge(detector, halved, ctx, "refined at half blend"))
    return [next(again) if item.outcome == "kept" else item for item in checked]


def judge(detector: Model, faces: Sequence[Aligned], ctx: Context, outcome: str) -> list[Aligned]:
    """Compare the faces before and after, and set the outcome of those accepted."""
    before = [item.crop for item in faces]
    after = [changed_crop(item) for item in faces]
    verdicts = compare(detector, before, after, [item.mask for item in faces], ctx)
    return [
        replace(item, verdict=verdict, outcome=outcome if verdict.accepted else "kept")
        for item, verdict in zip(faces, verdicts, strict=True)
    ]


def changed_crop(item: Aligned) -> Array:
    """Return the aligned face as it would look."""
    change = item.correction * item.mask[..., None]
    return np.asarray(np.clip(item.crop + change, 0, 1), np.float32)


def pasted(image: Array, faces: Sequence[Aligned], strength: float, *, toned: bool) -> Array:
    """Return the photograph with all corrections in it."""
    result = image.copy()
    covered = np.zeros(image.shape[:2], np.float32)
    for item in faces:
        patch = Patch(
            strength * item.correction,
            item.mask,
            item.alignment,
            item.crop,
            unseen=strength * unseen_share(item),
        )
        paste(result, patch, covered=covered, toned=toned)
    return result


def unseen_share(item: Aligned) -> float:
    """How much to take away of the texture that the crop does not hold.

    In a face larger than the crop that texture is detail, and stays.
    """
    low, high = _DETAIL_BELOW
    part = float(np.clip((item.alignment.scale - low) / (high - low), 0, 1))
    return part * removed(item.crop, item.correction, item.mask) if part else 0.0


def described(item: Aligned) -> dict[str, Any]:
    """What the history says of a face."""
    facts: dict[str, Any] = {
        "box": [round(edge, 1) for edge in item.face.box],
        "outcome": item.outcome,
    }
    verdict = item.verdict
    if verdict is not None:
        facts["landmarks_moved"] = None if verdict.moved is None else round(verdict.moved, 4)
        facts["values_changed"] = round(verdict.changed, 4)
        if not verdict.accepted:
            facts["reason"] = verdict.reason
    if item.alignment.scale < 1:
        facts["refined_at_scale"] = round(item.alignment.scale, 3)
    return facts
