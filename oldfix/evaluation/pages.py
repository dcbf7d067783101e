"""Pages of pictures in a grid, for looking through many photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow, ImageDraw, ImageFont

from oldfix.files.atomic import atomic

Pixels = NDArray[np.uint8]

_LABEL, _GAP = 20, 8


@dataclass(frozen=True, eq=False)
class Cell:
    """Pictures that belong together, side by side under a title.

    Attributes:
        title: what stands above them.
        pictures: (H, W, 3) uint8 RGB each.
    """

    title: str
    pictures: tuple[Pixels, ...]


@dataclass(frozen=True)
class Grid:
    """How cells are laid out.

    Attributes:
        side: of the square that each picture has, in pixels; larger ones are shrunk.
        columns, rows: of cells on a page.
    """

    side: int
    columns: int
    rows: int


def write_pages(stem: Path, cells: Sequence[Cell], grid: Grid) -> tuple[Path, ...]:
    """Write cells in order as STEM-01.png, STEM-02.png … and return the files."""
    share = grid.columns * grid.rows
    written: list[Path] = []
    for start in range(0, len(cells), share):
        path = stem.with_name(f"{stem.name}-{len(written) + 1:02}.png")
        with atomic(path, overwrite=True) as file:
            _page(cells[start : start + share], grid).save(file, "PNG")
        written.append(path)
    return tuple(written)


def as_pixels(image: NDArray[Any]) -> Pixels:
    """Round a picture in [0, 1] to 8 bits."""
    return np.asarray(np.rint(np.clip(image, 0, 1) * 255), np.uint8)


def shrunk(picture: Pixels, side: int) -> Pixels:
    """Return the picture with its longer side at most ``side``; smaller ones as they are."""
    if max(picture.shape[:2]) <= side:
        return picture
    small = Pillow.fromarray(picture)
    small.thumbnail((side, side), Pillow.Resampling.LANCZOS)
    return np.asarray(small)


def _page(cells: Sequence[Cell], grid: Grid) -> Pillow.Image:
    columns = min(grid.columns, len(cells))
    rows = -(-len(cells) // columns)
    width = max(len(cell.pictures) for cell in cells) * grid.side + _GAP
    height = grid.side + _LABEL + _GAP
    page = Pillow.new("RGB", (columns * width - _GAP, rows * height - _GAP), "white")
    for index, cell in enumerate(cells):
        row, column = divmod(index, columns)
        _draw(page, cell, (column * width, row * height), grid.side)
    return page


def _draw(page: Pillow.Image, cell: Cell, corner: tuple[int, int], side: int) -> None:
    left, top = corner
    font = ImageFont.load_default(14)
    longest = max(8, len(cell.pictures) * side // 9)  # characters of about 9 pixels at most
    title = cell.title if len(cell.title) <= longest else f"{cell.title[: longest - 1]}…"
    ImageDraw.Draw(page).text((left + 2, top + 2), title, "black", font)
    for number, picture in enumerate(cell.pictures):
        page.paste(Pillow.fromarray(shrunk(picture, side)), (left + number * side, top + _LABEL))
