"""The questions of a set: what a row is given, what it should give, what is known besides."""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from oldfix.colour import from_lab, to_lab
from oldfix.errors import UsageError
from oldfix.evaluation.sets import EvaluationSet, answer_of, pick_files
from oldfix.keys import DEFECTS, FACES, LIBRARY, REFERENCES, Face, Key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from oldfix.degrade import Aged, Recipe

    Image = NDArray[np.float32]
    Maker = Callable[[str, Image, EvaluationSet, np.random.Generator], "Sample"]

#: Five-point template of aligned faces, as fractions of the picture's side (FFHQ, 512 px).
_FACE_POINTS = np.array([[193, 240], [319, 240], [257, 314], [201, 371], [313, 371]]) / 512
#: Weights of red, green and blue in the luma of ITU-R BT.601, to more digits than it states.
_LUMA = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])
#: A damaged pixel that differs by less than this from the undamaged picture cannot be seen.
_VISIBLE = 0.02
#: Opacity of damage from which on nothing of the picture beneath counts as left.
_GONE = 0.1


@dataclass(frozen=True, eq=False)
class Sample:
    """One question of a set.

    Attributes:
        name: the picture's path below the data folder.
        image: what a row is given, (H, W, 3).
        truth: what it should give: a picture, a map of damage (H, W), or a tuple of faces.
        known: what is known besides: the true mask, the faces' landmarks, a reference, others.
        unclipped: the question with its noise beyond [0, 1], for networks trained on such.
        landmark_shift: how far a published detector finds a picture's landmarks from the truth's.
        seen: for maps of damage, the pixels (H, W) that count where only visible damage does.
    """

    name: str
    image: Image
    truth: Any
    known: Mapping[Key[Any], Any] = field(default_factory=dict)
    unclipped: Image | None = None
    seen: NDArray[np.bool_] | None = None
    landmark_shift: Callable[[Image], float] | None = None


def samples(
    chosen: EvaluationSet, data: Path, seed: int, limit: int | None = None
) -> Iterator[Sample]:
    """Yield a set's samples; one picture's crop and damage depend on the seed and its name alone.

    Raises:
        UsageError: the folder holds no picture, or a single one for a colour set.
        FileError: a picture cannot be read.
    """
    from oldfix.files import read_image

    make = _MAKERS.get(chosen.name) or _MAKERS.get(chosen.family, _make_plain)
    everything = pick_files(chosen, data)
    for path in pick_files(chosen, data, limit):
        name = path.relative_to(data).as_posix()
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        if chosen.pair is not None and (answer := answer_of(path, chosen.pair)) is not None:
            yield Sample(name, read_image(path), truth=read_image(answer))
        else:
            sample = make(name, read_image(path), chosen, rng)
            if chosen.family == "colour":
                sample = _among(sample, path, everything, chosen, rng)
            yield sample


def recipe_of(chosen: EvaluationSet) -> Recipe:
    """The set's frozen recipe of damage, without the kinds that it leaves out.

    Raises:
        KeyError: ``damage.toml`` has no such recipe.
    """
    recipe = frozen_recipes()[chosen.recipe]
    kept = tuple(step for step in recipe.step if step.kind not in chosen.without)
    return recipe.model_copy(update={"step": kept})


@cache
def frozen_recipes() -> Mapping[str, Recipe]:
    """Return the recipes of damage of the fixed sets, which follow no change of others, by name."""
    from oldfix.degrade import Recipe

    tables = tomllib.loads(Path(__file__).with_name("damage.toml").read_text("utf-8"))
    return {name: Recipe.model_validate({"name": name, **table}) for name, table in tables.items()}


def _crop(picture: Image, side: int, rng: np.random.Generator) -> Image:
    """Cut a random square; a side smaller than asked for is taken whole."""
    if side == 0:
        return picture
    height, width = picture.shape[:2]
    top = int(rng.integers(max(height - side, 0) + 1))
    left = int(rng.integers(max(width - side, 0) + 1))
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def _aged(clean: Image, chosen: EvaluationSet, rng: np.random.Generator) -> Aged:
    from oldfix.degrade import age

    return age(clean, rng=rng, recipe=recipe_of(chosen))


def _damaged(opacity: Image) -> Image:
    """Damage as 0 or 1: what covers at least a fifth of the picture beneath."""
    return (opacity >= 0.2).astype(np.float32)


def _make_plain(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    image = _crop(picture, chosen.crop, rng)
    return Sample(name, image, truth=image)


def _make_scratches(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    aged = _aged(_crop(picture, chosen.crop, rng), chosen, rng)
    damage = _damaged(aged.defects)
    differs = np.abs(aged.image - aged.target).max(axis=2) >= _VISIBLE
    return Sample(name, aged.image, truth=damage, seen=differs | (damage < 0.5))


def _make_unmarked(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    image = _crop(picture, chosen.crop, rng)
    return Sample(name, image, truth=np.zeros(image.shape[:2], np.float32))


def _make_restore(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    aged = _aged(_crop(picture, chosen.crop, rng), chosen, rng)
    return Sample(name, aged.image, truth=aged.target, known={DEFECTS: _damaged(aged.defects)})


def _make_inpaint(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    """Damage a crop where its marks are, and nowhere else."""
    import cv2

    aged = _aged(_crop(picture, chosen.crop, rng), chosen, rng)
    gone = (aged.defects >= _GONE).astype(np.uint8)
    marks = cv2.dilate(gone, np.ones((3, 3), np.uint8)).astype(np.float32)
    image = np.where(marks[..., None] > 0, aged.image, aged.target)
    return Sample(name, image, truth=aged.target, known={DEFECTS: marks})


def _make_upscale(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    """Make a crop smaller by Pillow's bicubic kernel, which is antialiased, and round it."""
    from PIL import Image as Pillow

    clean = _crop(picture, chosen.crop, rng)
    height, width = (side // chosen.factor for side in clean.shape[:2])
    clean = np.ascontiguousarray(clean[: height * chosen.factor, : width * chosen.factor])
    planes = [
        np.asarray(Pillow.fromarray(plane).resize((width, height), Pillow.Resampling.BICUBIC))
        for plane in np.moveaxis(clean, 2, 0)
    ]
    small = np.rint(np.clip(np.stack(planes, axis=2), 0, 1) * 255) / 255
    return Sample(name, small.astype(np.float32), truth=clean)


def _make_denoise(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    clean = _crop(picture, chosen.crop, rng)
    noise = rng.standard_normal(clean.shape, np.float32)
    noisy = clean + np.float32(chosen.sigma / 255) * noise
    return Sample(name, np.clip(noisy, 0, 1), truth=clean, unclipped=noisy)


def _make_grey(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    """Noise on a grey picture, the same in all channels."""
    clean = _grey(_crop(picture, chosen.crop, rng))
    noise = rng.standard_normal(clean.shape[:2], np.float32)
    noisy = clean + np.float32(chosen.sigma / 255) * noise[..., None]
    return Sample(name, np.clip(noisy, 0, 1), truth=clean, unclipped=noisy)


def _grey(picture: Image) -> Image:
    """Luma in 8-bit levels in every channel; of CBSD68 it makes exactly the files of BSD68."""
    luma = np.round(picture * 255).astype(np.float64) @ _LUMA
    return np.repeat(np.floor(luma + 0.5)[..., None] / 255, 3, axis=2).astype(np.float32)


def _make_tone(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    clean = _crop(picture, chosen.crop, rng)
    return Sample(name, _aged(clean, chosen, rng).image, truth=clean)


def _make_tone_grey(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    return _make_tone(name, _grey(picture), chosen, rng)


def _make_sound_grey(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    return _make_plain(name, _grey(picture), chosen, rng)


def _make_faces(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    aged = _aged(_crop(picture, chosen.crop, rng), chosen, rng)
    height, width = aged.image.shape[:2]
    points = (_FACE_POINTS * [width, height] - 0.5).astype(np.float32)
    face = Face((0.2 * width, 0.2 * height, 0.8 * width, 0.9 * height), 1.0, points)
    return Sample(name, aged.image, truth=aged.target, known={FACES: (face,)})


def _make_colour(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    """Reduce one half of the picture to L*; the reference is from the other half, mirrored."""
    middle = picture.shape[1] // 2
    halves = [picture[:, :middle], picture[:, ::-1][:, :middle]]
    clean, reference = (_crop(halves[i], chosen.crop, rng) for i in rng.permutation(2))
    lab = to_lab(clean)
    lab[..., 1:] = 0
    return Sample(name, from_lab(lab), truth=clean, known={REFERENCES: (reference,)})


def _among(
    sample: Sample, path: Path, files: list[Path], chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    """Let a colour sample know the set's other photographs, and take its reference from one."""
    from oldfix.files import read_image

    others = tuple(file for file in files if file != path)
    if not others:
        raise UsageError(f"eval {chosen.name}: needs two pictures or more, found {path}; add some")
    known = {**sample.known, LIBRARY: others}
    if chosen.reference == "other":
        partner = files[(files.index(path) + len(files) // 2) % len(files)]
        known[REFERENCES] = (_crop(read_image(partner), chosen.crop, rng),)
    return replace(sample, known=known)


#: Set, or kind of question -> how a picture becomes one; elsewhere it is its own answer.
_MAKERS: Mapping[str, Maker] = {
    "sound-grey": _make_sound_grey,
    "sound-scratches": _make_unmarked,
    "tone-grey": _make_tone_grey,
    "scratches": _make_scratches,
    "restore": _make_restore,
    "inpaint": _make_inpaint,
    "upscale": _make_upscale,
    "denoise": _make_denoise,
    "grey": _make_grey,
    "tone": _make_tone,
    "faces": _make_faces,
    "colour": _make_colour,
}
