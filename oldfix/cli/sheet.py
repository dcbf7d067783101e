"""Pictures side by side, for looking."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image as Pillow, ImageDraw, ImageFont

from oldfix.files.atomic import atomic

if TYPE_CHECKING:
    from oldfix.keys import Image, Mask

_LABEL = 28
_LARGEST = 1024  # side of a picture on a sheet
_RED = np.array([1.0, 0.1, 0.1], np.float32)


def marked(image: Image, mask: Mask) -> Image:
    """Return a picture with its damage in red; image (H, W, 3), mask (H, W), both in [0, 1]."""
    weight = mask[..., None] * np.float32(0.8)
    painted: Image = image * (1 - weight) + _RED * weight
    return painted


def write_sheet(path: Path, pictures: Mapping[str, Image]) -> Path:
    """Write labelled pictures in a row as PNG, replacing an earlier one.

    Args:
        path: where to.
        pictures: label -> (H, W, 3) in [0, 1]; large ones are shrunk.
    """
    cells = {label: _fitted(picture) for label, picture in pictures.items()}
    width = sum(cell.width for cell in cells.values())
    height = max(cell.height for cell in cells.values()) + _LABEL
    sheet = Pillow.new("RGB", (width, height), "white")
    draw, font, left = ImageDraw.Draw(sheet), ImageFont.load_default(16), 0
    for label, cell in cells.items():
        sheet.paste(cell, (left, _LABEL))
        draw.text((left + 6, 5), label, "black", font)
        left += cell.width
    with atomic(path, overwrite=True) as file:
        sheet.save(file, "PNG")
    return path


def _fitted(picture: Image) -> Pillow.Image:
    fitted = Pillow.fromarray(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8))
    fitted.thumbnail((_LARGEST, _LARGEST), Pillow.Resampling.LANCZOS)
    return fitted
