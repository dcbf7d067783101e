"""Aged photographs among old ones: shuffled pages and a key, to see what gives the aged away."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from oldfix.errors import UsageError
from oldfix.evaluation.changes import Image
from oldfix.evaluation.pages import Cell, Grid, Pixels, as_pixels, shrunk, write_pages
from oldfix.files import make_folder, write_text

if TYPE_CHECKING:
    from oldfix.degrade import Recipe

KEY_NAME = "aged-key.json"
_PAGES = "aged"
_GRID = Grid(side=320, columns=6, rows=4)


@dataclass(frozen=True)
class Mixed:
    """What was written.

    Attributes:
        pages: aged and old photographs in random order, numbered.
        key: which is which.
        each: number of photographs of each kind.
    """

    pages: tuple[Path, ...]
    key: Path
    each: int


def write_aged(
    sound: Sequence[Path],
    old: Sequence[Path],
    out: Path,
    *,
    recipe: str = "old-photo",
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> Mixed:
    """Age sound photographs and lay them among old ones, as many of each as there are of both.

    Each sound photograph has an old one as its partner. The longer sides of both are brought to
    the shorter of the two before ageing, so that neither size nor scale tells them apart; on the
    page they are shrunk alike. The first is aged with ``seed``, the next with ``seed + 1`` ….

    Args:
        sound: photographs to age.
        old: photographs that time has aged.
        out: folder that ``aged/`` and the key are written into.
        recipe: name or file of a recipe of damage.
        seed: of the damage and of the order.
        say: told in words what is being done.

    Raises:
        UsageError: nothing on one side, no such recipe, or the folder holds a mixture already.
        FileError: a photograph cannot be read.
    """
    from oldfix.degrade import load_recipe

    key = out / KEY_NAME
    if not sound or not old:
        raise UsageError("eval aged: needs sound photographs and old ones; name a folder of each")
    if key.exists():
        raise UsageError(f"{out}: holds a mixture already; choose another -o")
    make_folder(out)
    loaded = load_recipe(recipe)
    cells: list[tuple[Pixels, dict[str, Any]]] = []
    for number, pair in enumerate(zip(sound, old, strict=False)):
        say(f"aged: {pair[0]}, {pair[1]}")
        cells += _pair(*pair, loaded, seed + number)
    order = np.random.default_rng(seed).permutation(len(cells))
    shown = [cells[index] for index in order]
    pictures = [Cell(str(n), (picture,)) for n, (picture, _) in enumerate(shown, 1)]
    pages = write_pages(out / _PAGES / "page", pictures, _GRID)
    entries = {str(n): entry for n, (_, entry) in enumerate(shown, 1)}
    content = {"recipe": recipe, "seed": seed, "pictures": entries}
    write_text(key, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return Mixed(pages, key, len(cells) // 2)


def _pair(sound: Path, old: Path, recipe: Recipe, seed: int) -> list[tuple[Pixels, dict[str, Any]]]:
    """A sound photograph, aged, and its old partner, each with its entry in the key."""
    from oldfix.degrade import age
    from oldfix.files import read_image

    pictures = read_image(sound), read_image(old)
    side = min(max(picture.shape[:2]) for picture in pictures)
    young, partner = (_brought_to(side, picture) for picture in pictures)
    aged = age(young, rng=np.random.default_rng(seed), recipe=recipe).image
    return [
        (shrunk(as_pixels(aged), _GRID.side), {"photo": str(sound), "aged": True, "seed": seed}),
        (shrunk(as_pixels(partner), _GRID.side), {"photo": str(old), "aged": False}),
    ]


def _brought_to(side: int, picture: Image) -> Image:
    """The picture with its longer side shrunk to ``side`` pixels."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
