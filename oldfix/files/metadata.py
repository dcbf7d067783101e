"""EXIF and XMP, freed of what would be wrong for the restored photograph."""

from __future__ import annotations

import re
from typing import Any

from PIL import Image

ORIENTATION = 0x0112
XMP_TAG = 0x02BC
EXIF_FOLDER, GPS_FOLDER = 0x8769, 0x8825
_WIDTH, _HEIGHT, _INTEROPERABILITY = 0xA002, 0xA003, 0xA005
#: Tags of the first folder that describe the photograph rather than the layout of its file:
#: description, maker, model, software, date, artist, host, copyright, rating, and Windows' five.
DESCRIPTIVE = (
    *(0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298),
    *(0x4746, 0x4749, 0x9C9B, 0x9C9C, 0x9C9D, 0x9C9E, 0x9C9F),
)
_XMP_ORIENTATION = re.compile(
    rb'\s*tiff:Orientation="\d+"|<tiff:Orientation>\s*\d+\s*</tiff:Orientation>'
)


def clean_exif(exif: Image.Exif) -> bytes | None:
    """Return the EXIF block without orientation, thumbnail and layout of the file.

    The orientation is left out because it has been applied, the thumbnail because it shows the
    photograph before its restoration.
    """
    kept = Image.Exif()
    for tag in DESCRIPTIVE:
        if tag in exif:
            kept[tag] = exif[tag]
    for folder in (EXIF_FOLDER, GPS_FOLDER):
        values = {k: v for k, v in exif.get_ifd(folder).items() if k != _INTEROPERABILITY}
        kept.get_ifd(folder).update(values)
    return kept.tobytes() if _has_content(kept) else None


def _has_content(exif: Image.Exif) -> bool:
    return bool(dict(exif) or exif.get_ifd(EXIF_FOLDER) or exif.get_ifd(GPS_FOLDER))


def parse_exif(block: bytes | None, size: tuple[int, int]) -> Image.Exif:
    """Read an EXIF block for writing, with the pixel sizes it states set right.

    Args:
        block: what `clean_exif` gave.
        size: (height, width) of the result.
    """
    exif = Image.Exif()
    if block:
        exif.load(block)
        folder = exif.get_ifd(EXIF_FOLDER)
        for tag, value in ((_WIDTH, size[1]), (_HEIGHT, size[0])):
            if tag in folder:
                folder[tag] = value
    return exif


def exif_block(block: bytes | None, size: tuple[int, int]) -> bytes | None:
    """Return an EXIF block with the pixel sizes it states set to (height, width)."""
    return parse_exif(block, size).tobytes() if block else None


def clean_xmp(xmp: Any) -> bytes | None:
    """Return an XMP packet without its orientation, or None."""
    packet = xmp.encode() if isinstance(xmp, str) else xmp
    return _XMP_ORIENTATION.sub(b"", packet) if packet else None
