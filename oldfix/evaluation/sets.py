"""Fixed sets: which pictures, which crops, which damage, decided by data and a seed alone."""

from __future__ import annotations

import tomllib
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from oldfix.colour import from_lab, to_lab
from oldfix.errors import UsageError
from oldfix.options import did_you_mean
from oldfix.photo import DEFECTS, FACES, REFERENCES, Face, Key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from oldfix.degrade import Aged

    Image = NDArray[np.float32]

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})
#: Five-point template of aligned faces, as fractions of the picture's side (FFHQ, 512 px).
_FACE_POINTS = np.array([[193, 240], [319, 240], [257, 314], [201, 371], [313, 371]]) / 512


class EvaluationSet(BaseModel):
    """One set of ``sets.toml``.

    Attributes:
        name: what ``oldfix eval`` calls it.
        summary: what it measures, in one line.
        stages: roles or names of the stages measured.
        chain: switches with which the preset chain is measured too; empty leaves it out.
        metrics: what is measured; the first decides what is best and worst.
        patterns: globs below the data folder.
        recipe: damage recipe of `oldfix.degrade`, or empty.
        without: kinds of damage left out of the recipe.
        crop: side of the square cut from each picture, in pixels; 0 takes the picture whole.
        count: number of pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str
    stages: tuple[str, ...]
    chain: tuple[str, ...] = ()
    metrics: tuple[str, ...]
    patterns: tuple[str, ...]
    recipe: str = ""
    without: tuple[str, ...] = ()
    crop: int = Field(ge=0)
    count: int = Field(ge=1)


@dataclass(frozen=True, eq=False)
class Sample:
    """One question of a set.

    Attributes:
        name: the picture's path below the data folder.
        image: what a row is given, (H, W, 3).
        truth: what it should give: a picture, a map of damage (H, W), or a tuple of faces.
        known: what is known besides: the true mask, the faces' landmarks, a reference.
    """

    name: str
    image: Image
    truth: Any
    known: Mapping[Key[Any], Any] = field(default_factory=dict)


def load_sets() -> dict[str, EvaluationSet]:
    """Read the sets that come with oldfix, by name."""
    tables = tomllib.loads(Path(__file__).with_name("sets.toml").read_text("utf-8"))
    return {name: EvaluationSet(name=name, **table) for name, table in tables.items()}


def load_set(name: str) -> EvaluationSet:
    """Return one set.

    Raises:
        UsageError: there is no set of that name.
    """
    sets = load_sets()
    if name not in sets:
        cure = did_you_mean(name, sets) or f"; there are: {', '.join(sets)}, all"
        raise UsageError(f"eval: no set named '{name}'{cure}")
    return sets[name]


def pick_files(chosen: EvaluationSet, data: Path, limit: int | None = None) -> list[Path]:
    """Pick a set's pictures below a folder: at even distances in sorted order.

    Args:
        chosen: the set.
        data: folder of pictures; its patterns are tried first, then everything in it.
        limit: at most so many, if given.

    Raises:
        UsageError: the folder holds no picture.
    """
    found = [path for pattern in chosen.patterns for path in _pictures(data, pattern)]
    found = found or _pictures(data, "**/*")
    if not found:
        kinds = ", ".join(sorted(_SUFFIXES))
        raise UsageError(f"{data}: holds no picture ({kinds}); give --data a folder that does")
    count = min(chosen.count, len(found), limit or chosen.count)
    return [found[index * len(found) // count] for index in range(count)]


def samples(
    chosen: EvaluationSet, data: Path, seed: int, limit: int | None = None
) -> Iterator[Sample]:
    """Yield a set's samples; one picture's crop and damage depend on the seed and its name alone.

    Raises:
        UsageError: the folder holds no picture.
        FileError: a picture cannot be read.
    """
    from oldfix.files import read_image

    make = _MAKERS.get(chosen.name, _make_plain)
    for path in pick_files(chosen, data, limit):
        name = path.relative_to(data).as_posix()
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        picture = read_image(path)
        yield make(name, picture, chosen, rng)


def _pictures(data: Path, pattern: str) -> list[Path]:
    return sorted(p for p in data.glob(pattern) if p.suffix.lower() in _SUFFIXES and p.is_file())


def _crop(picture: Image, side: int, rng: np.random.Generator) -> Image:
    """Cut a random square; a side smaller than asked for is taken whole."""
    if side == 0:
        return picture
    height, width = picture.shape[:2]
    top = int(rng.integers(max(height - side, 0) + 1))
    left = int(rng.integers(max(width - side, 0) + 1))
    return np.ascontiguousarray(picture[top : top + side, left : left + side])


def _aged(clean: Image, chosen: EvaluationSet, rng: np.random.Generator) -> Aged:
    from oldfix.degrade import age, load_recipe

    recipe = load_recipe(chosen.recipe)
    kept = tuple(step for step in recipe.step if step.kind not in chosen.without)
    return age(clean, rng=rng, recipe=recipe.model_copy(update={"step": kept}))


def _visible(opacity: Image) -> Image:
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
    return Sample(name, aged.image, truth=_visible(aged.defects))


def _make_restore(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    aged = _aged(_crop(picture, chosen.crop, rng), chosen, rng)
    return Sample(name, aged.image, truth=aged.target, known={DEFECTS: _visible(aged.defects)})


def _make_tone(
    name: str, picture: Image, chosen: EvaluationSet, rng: np.random.Generator
) -> Sample:
    clean = _crop(picture, chosen.crop, rng)
    return Sample(name, _aged(clean, chosen, rng).image, truth=clean)


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


_MAKERS = {
    "scratches": _make_scratches,
    "restore": _make_restore,
    "tone": _make_tone,
    "faces": _make_faces,
    "colour": _make_colour,
}
