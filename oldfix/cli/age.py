"""``oldfix age``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oldfix.cli.console import say, tell
from oldfix.cli.options import Output, Overwrite, Photos, Seed
from oldfix.errors import PhotoError

if TYPE_CHECKING:
    from oldfix.degrade import Aged
    from oldfix.keys import Image
    from oldfix.photo import Photo

#: What ``--truth`` writes beside the picture, by the end of its name.
_TRUTHS = ("target.png", "defects.png", "steps.json")
Recipe = Annotated[str, typer.Option(metavar="NAME|FILE", help="What happens to the photograph.")]
Truth = Annotated[
    bool,
    typer.Option("--truth", help="Also write the mask of the damage, the target and the steps."),
]


def age(
    photos: Photos,
    recipe: Recipe = "old-photo",
    seed: Seed = 0,
    output: Output = None,
    truth: Truth = False,
    overwrite: Overwrite = False,
) -> None:
    """Damage sound photographs as time does."""
    from oldfix.cli.commands import leave
    from oldfix.cli.outputs import name_outputs, refuse_twins
    from oldfix.degrade import load_recipe
    from oldfix.files.find import find_photos

    load_recipe(recipe)
    found, problems = find_photos(photos)
    targets = name_outputs(found, output, word="aged")
    if truth:
        refuse_twins(found, [_beside(target)[_TRUTHS[0]] for target in targets])
    errors: list[PhotoError] = [*problems]
    for one, target in zip(found, targets, strict=True):
        try:
            _age_one(one.path, target, recipe, seed, truth=truth, overwrite=overwrite)
            say(f"{one.path} -> {target}")
        except PhotoError as error:
            errors.append(error)
    for problem in errors:
        tell(f"oldfix: {problem}")
    if errors:
        leave(PhotoError.exit_code)


def _age_one(
    source: Path, target: Path, recipe: str, seed: int, *, truth: bool, overwrite: bool
) -> None:
    import numpy as np

    from oldfix.degrade import age as age_image
    from oldfix.files import check_writable, read_photo, write_photo
    from oldfix.keys import IMAGE

    beside = _beside(target) if truth else {}
    for path in (target, *beside.values()):
        check_writable(path, source=str(source), overwrite=overwrite)
    photo = read_photo(source)
    aged = age_image(photo[IMAGE], rng=np.random.default_rng(seed), recipe=recipe)
    photo = photo.with_meta(replace(photo.meta, grey=photo.meta.grey and _is_grey(aged.image)))
    write_photo(photo.put(IMAGE, aged.image), target, overwrite=overwrite)
    if truth:
        _write_truth(photo, aged, beside, {"recipe": recipe, "seed": seed}, overwrite=overwrite)


def _beside(target: Path) -> dict[str, Path]:
    """Where the truth about an aged photograph goes."""
    return {name: target.with_name(f"{target.stem}.{name}") for name in _TRUTHS}


def _is_grey(image: Image) -> bool:
    """Ageing may stain and yellow a grey photograph."""
    return bool((image == image[..., :1]).all())


def _write_truth(
    photo: Photo,
    aged: Aged,
    beside: Mapping[str, Path],
    facts: Mapping[str, Any],
    *,
    overwrite: bool,
) -> None:
    import json

    from oldfix.files import write_photo, write_text
    from oldfix.keys import IMAGE
    from oldfix.photo import Photo

    write_photo(photo.put(IMAGE, aged.target), beside["target.png"], overwrite=overwrite)
    mask = Photo.from_array(aged.defects)
    write_photo(mask, beside["defects.png"], overwrite=overwrite)
    text = json.dumps({**facts, "steps": aged.steps}, indent=2) + "\n"
    write_text(beside["steps.json"], text, overwrite=overwrite)
