"""Blind comparisons: shuffled side-by-side sheets, and a key that is kept from the judges."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow, ImageDraw, ImageFont

from oldfix.errors import FileError, UsageError
from oldfix.files import make_folder

Image = NDArray[np.float32]

KEY_NAME = "blind-key.json"
VOTES_NAME = "votes.csv"
_SHEETS = "blind"
_LONGEST, _LABEL, _GAP = 1200, 28, 12


@dataclass(frozen=True)
class Contestant:
    """One side of a comparison.

    Attributes:
        name: what the key calls it.
        picture: from a photograph's path to its finished picture, (H, W, 3).
    """

    name: str
    picture: Callable[[Path], Image]


@dataclass(frozen=True)
class Written:
    """What a blind comparison wrote.

    Attributes:
        folder: the sheets and an empty ballot, for the judges.
        key: what stands where, kept from them.
        sheets: number of sheets.
        same: photographs left out because both sides gave the same picture.
    """

    folder: Path
    key: Path
    sheets: int
    same: tuple[str, ...]


def write_blind(
    sides: tuple[Contestant, Contestant],
    photos: Sequence[Path],
    out: Path,
    *,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> Written:
    """Write one sheet a photograph, in random order and with the sides in random order.

    A sheet shows the photograph as it is and the two results, named 1 and 2, at the photograph's
    size, or smaller where its longer side is above 1200 pixels.

    Args:
        sides: A and B.
        photos: photographs to compare on.
        out: folder that ``blind/`` and the key are written into.
        seed: of both orders.
        say: told in words what is being done.

    Raises:
        UsageError: no photograph, the folder holds a comparison already, or nothing to compare.
        FileError: a photograph or a result cannot be read.
    """
    key, folder = out / KEY_NAME, out / _SHEETS
    if not photos:
        raise UsageError("eval blind: needs photographs; name files or folders after A and B")
    if key.exists() or folder.exists():
        raise UsageError(f"{out}: holds a blind comparison already; choose another -o")
    make_folder(out)
    with tempfile.TemporaryDirectory(dir=out) as unfinished:
        sheets = Path(unfinished) / _SHEETS
        entries, same = _write_sheets(sheets, sides, photos, np.random.default_rng(seed), say)
        if not entries:
            raise UsageError("eval blind: A and B give the same pictures; nothing to compare")
        ballot = "sheet,choice\n" + "".join(f"{name},\n" for name in entries)
        (sheets / VOTES_NAME).write_text(ballot, "utf-8")
        content = {"A": sides[0].name, "B": sides[1].name, "seed": seed, "sheets": entries}
        key.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
        sheets.rename(folder)
    return Written(folder, key, len(entries), tuple(same))


def _write_sheets(
    folder: Path,
    sides: tuple[Contestant, Contestant],
    photos: Sequence[Path],
    rng: np.random.Generator,
    say: Callable[[str], None],
) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Write the sheets; returns the key's entries, and photographs without a difference."""
    entries: dict[str, dict[str, str]] = {}
    same: list[str] = []
    for index in rng.permutation(len(photos)):
        photo, order = photos[index], [int(i) for i in rng.permutation(2)]
        say(f"blind: {photo}")
        original, *shown = _pictures(photo, [sides[i] for i in order])
        if np.array_equal(shown[0], shown[1]):
            same.append(str(photo))
            continue
        name = f"sheet-{len(entries) + 1:03}"
        _write_sheet(folder / f"{name}.png", name, [original, *shown])
        entries[name] = {"photo": str(photo), "1": "AB"[order[0]], "2": "AB"[order[1]]}
    return entries, same


def finished_pictures(folder: Path) -> Contestant:
    """A side whose results are files: ``NAME.*`` or ``NAME.restored.*`` for a photograph NAME."""
    from oldfix.files import read_image
    from oldfix.files.formats import SUFFIXES

    pictures = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]

    def picture(photo: Path) -> Image:
        names = (photo.stem, f"{photo.stem}.restored")
        fitting = [path for path in pictures if path.stem in names]
        if len(fitting) != 1:
            found = ", ".join(path.name for path in fitting) or "none"
            raise FileError(f"{folder}: needs one picture named {photo.stem}.*, found {found}")
        return read_image(fitting[0])

    return Contestant(str(folder), picture)


def _pictures(photo: Path, sides: Sequence[Contestant]) -> Iterator[NDArray[np.uint8]]:
    """The photograph and each side's result as 8-bit pictures of one size."""
    from oldfix.files import read_image

    original = read_image(photo)
    height, width = original.shape[:2]
    scale = min(1.0, _LONGEST / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    for picture in (original, *(side.picture(photo) for side in sides)):
        shown = Pillow.fromarray(np.rint(picture * 255).astype(np.uint8))
        if shown.size != size:
            shown = shown.resize(size, Pillow.Resampling.LANCZOS)
        yield np.asarray(shown)


def _write_sheet(path: Path, name: str, pictures: Sequence[NDArray[np.uint8]]) -> None:
    height, width = pictures[0].shape[:2]
    sheet = Pillow.new("RGB", (3 * width + 2 * _GAP, height + _LABEL), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(16)
    labels = (f"{name}: as it is", "1", "2")
    for column, (label, picture) in enumerate(zip(labels, pictures, strict=True)):
        left = column * (width + _GAP)
        draw.text((left + 4, 4), label, "black", font)
        sheet.paste(Pillow.fromarray(picture), (left, _LABEL))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
