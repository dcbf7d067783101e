"""Contact sheets: the best, the median and the worst sample of a table, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow, ImageDraw, ImageFont

from oldfix.files.atomic import atomic

_CELL = 384
_LABEL = 18
_MARK = (255, 80, 0)


def write_sheet(path: Path, lines: Sequence[tuple[str, Mapping[str, NDArray[np.uint8]]]]) -> Path:
    """Write a sheet as PNG: one line of labelled pictures for each chosen sample.

    Args:
        path: file to write.
        lines: (what the line shows, label -> (H, W, 3) uint8 RGB); larger than 384 px is shrunk.
    """
    width = max(len(cells) for _, cells in lines) * _CELL
    height = len(lines) * (_CELL + 2 * _LABEL)
    sheet = Pillow.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(12)
    for row, (title, cells) in enumerate(lines):
        top = row * (_CELL + 2 * _LABEL)
        draw.text((4, top + 2), title, "black", font)
        for column, (label, picture) in enumerate(cells.items()):
            left = column * _CELL
            sheet.paste(_fitted(picture), (left, top + 2 * _LABEL))
            draw.text((left + 4, top + _LABEL + 2), _shortened(label), "black", font)
    with atomic(path, overwrite=True) as file:
        sheet.save(file, "PNG")
    return path


def picture_of(output: Any, image: NDArray[Any]) -> NDArray[np.uint8]:
    """Make a row's output visible: a picture, a map as grey, faces as boxes on the image.

    Args:
        output: (H, W, 3) or (H, W) in [0, 1], or faces, or None.
        image: (H, W, 3) the sample's picture, drawn on for faces.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    if isinstance(output, np.ndarray):
        values = output if output.ndim == 3 else np.repeat(output[..., None], 3, axis=2)
        return np.asarray(np.rint(np.clip(values, 0, 1) * 255), np.uint8)
    canvas = Pillow.fromarray(np.rint(image * 255).astype(np.uint8))
    draw = ImageDraw.Draw(canvas)
    for face in output or ():
        draw.rectangle(face.box, outline=_MARK, width=max(2, max(canvas.size) // 200))
    return np.asarray(canvas)


def best_median_worst(gains: Sequence[float]) -> dict[str, int]:
    """Indices of the best, median and worst gain, each sample once; nan is left out."""
    order = [int(i) for i in np.argsort(gains) if np.isfinite(gains[i])]
    if not order:
        return {}
    chosen: dict[str, int] = {}
    for name, index in (
        ("best", order[-1]),
        ("worst", order[0]),
        ("median", order[len(order) // 2]),
    ):
        if index not in chosen.values():
            chosen[name] = index
    return chosen


def _fitted(picture: NDArray[np.uint8]) -> Pillow.Image:
    fitted = Pillow.fromarray(picture)
    fitted.thumbnail((_CELL, _CELL), Pillow.Resampling.LANCZOS)
    return fitted


def _shortened(label: str) -> str:
    return label if len(label) <= 60 else f"{label[:59]}…"
