"""Photographs in files: found, read, and written without losing anything.

JPEG, PNG, TIFF and WebP; 8 and 16 bits; grey and colour; alpha, EXIF, XMP, ICC profile and
resolution are carried from input to output, IPTC between JPEG and TIFF, texts from PNG to PNG.
Names are imported on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oldfix.files.atomic import make_folder, write_text
    from oldfix.files.find import Found, find_photos
    from oldfix.files.formats import MAX_PIXELS, format_of_name
    from oldfix.files.read import read_image, read_photo
    from oldfix.files.write import check_writable, write_photo

_HOMES = {
    "MAX_PIXELS": "formats",
    "Found": "find",
    "check_writable": "write",
    "find_photos": "find",
    "format_of_name": "formats",
    "make_folder": "atomic",
    "read_image": "read",
    "read_photo": "read",
    "write_photo": "write",
    "write_text": "atomic",
}
__all__ = [
    "MAX_PIXELS",
    "Found",
    "check_writable",
    "find_photos",
    "format_of_name",
    "make_folder",
    "read_image",
    "read_photo",
    "write_photo",
    "write_text",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'oldfix.files' has no attribute {name!r}")
    return getattr(importlib.import_module(f"oldfix.files.{_HOMES[name]}"), name)
