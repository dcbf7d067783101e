"""What a file holds, before it becomes a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from oldfix.errors import FileError
from oldfix.files.captions import Texts
from oldfix.files.formats import MAX_PIXELS

#: uint8 or uint16; the type is told by what a file holds, so it is known only when running.
Samples = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Decoded:
    """A file's content.

    Attributes:
        format: "JPEG", "PNG", "TIFF" or "WEBP".
        samples: uint8 or uint16, upright; (H, W) grey, (H, W, 3) RGB or (H, W, 4) CMYK (0 = no
            ink), in the file's own colour space.
        alpha: (H, W) of the same type, or None.
        icc, exif, xmp: as the file has them, less what is wrong for the result (orientation).
        iptc: the IPTC record of a JPEG or TIFF, or None.
        texts: the text chunks of a PNG.
        dpi: dots per inch, horizontal and vertical, or None.
        notes: what the user should know about the reading.
    """

    format: str
    samples: Samples
    alpha: Samples | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    texts: Texts = ()
    dpi: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def check_size(path: Path, width: int, height: int) -> None:
    """Raise FileError if a picture is empty or larger than `MAX_PIXELS`."""
    if width < 1 or height < 1:
        raise FileError(f"{path}: holds no pixels ({width} x {height}); copy it again")
    if width * height > MAX_PIXELS:
        raise FileError(
            f"{path}: has {width} x {height} pixels, more than the {MAX_PIXELS // 10**6} million "
            "that oldfix takes; cut it into parts or make it smaller"
        )


def refuse_several(path: Path, count: int) -> None:
    """Raise FileError for a film, or for several pages: restoring one would lose the others."""
    if count > 1:
        raise FileError(
            f"{path}: holds {count} pictures (animated or with pages); save each to its own file"
        )


def upright(samples: Samples, orientation: int) -> Samples:
    """Turn and mirror an array as the EXIF orientation (1 to 8) asks; a view, not a copy."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    return samples
