"""The file formats that photographs are read from and written to, told by content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from oldfix.errors import FileError, UsageError
from oldfix.options import did_you_mean

#: Largest photograph read or written, in pixels: 20 000 x 20 000. Between stages it is 4.8 GB.
MAX_PIXELS = 400_000_000
#: What to do about a file that cannot be used, for messages.
SAVE_AS = "save it as JPEG, PNG, TIFF or WebP"


@dataclass(frozen=True)
class Format:
    """What one file format can hold.

    Attributes:
        name: "JPEG", "PNG", "TIFF" or "WEBP".
        suffixes: file name endings; the first is written.
        max_side: largest width or height that it can hold.
        deep: can hold 16 bits a channel.
        alpha: can hold transparency.
    """

    name: str
    suffixes: tuple[str, ...]
    max_side: int
    deep: bool
    alpha: bool


FORMATS = {
    item.name: item
    for item in (
        Format("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), 65_535, deep=False, alpha=False),
        Format("PNG", (".png",), 2_147_483_647, deep=True, alpha=True),
        Format("TIFF", (".tif", ".tiff"), 2_147_483_647, deep=True, alpha=True),
        Format("WEBP", (".webp",), 16_383, deep=False, alpha=True),
    )
}
#: Endings by which photographs are found in a folder.
SUFFIXES = frozenset(suffix for item in FORMATS.values() for suffix in item.suffixes)

_STRANGERS = (
    (b"GIF8", "a GIF file"),
    (b"BM", "a BMP file"),
    (b"%PDF", "a PDF file"),
    (b"8BPS", "a Photoshop file"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file"),
    (b"\xff\x0a", "a JPEG XL file"),
)
_TIFF_HEADS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def sniff(head: bytes) -> str:
    """Return the format's name told by a file's first bytes (16 suffice), or the empty string."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if head.startswith(_TIFF_HEADS):
        return "TIFF"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WEBP"
    return ""


def format_of_file(path: Path) -> str:
    """Return the format of a file, told by its content; its name does not matter.

    Raises:
        FileError: missing, a folder, empty, unreadable, or of no known format.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        raise FileError(f"{path}: not found; check the name") from None
    except IsADirectoryError:
        raise FileError(f"{path}: is a folder, not a photograph; name a file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"{path}: cannot be opened ({reason}); check its rights") from None
    if not head:
        raise FileError(f"{path}: is empty (0 bytes); copy it again from its source")
    name = sniff(head)
    if not name:
        raise FileError(f"{path}: is {_stranger(head)}; {SAVE_AS}")
    return name


def _stranger(head: bytes) -> str:
    """Say what a file of no known format seems to be."""
    if head[4:8] == b"ftyp":
        return "a HEIC or AVIF file" if head[8:12] != b"qt  " else "a film"
    for start, name in _STRANGERS:
        if head.startswith(start):
            return name
    return "not a photograph in a known format"


def format_of_name(path: Path) -> str:
    """Return the format that a file name's ending asks for.

    Raises:
        FileError: an ending that belongs to no format.
    """
    suffix = path.suffix.lower()
    for item in FORMATS.values():
        if suffix in item.suffixes:
            return item.name
    known = ", ".join(sorted(SUFFIXES))
    raise FileError(f"{path}: no format ends in '{suffix}'; use one of {known}")


def parse_format(text: str) -> Format:
    """Return the format a user names ("jpg", "tiff", "PNG").

    Raises:
        UsageError: no such format.
    """
    for item in FORMATS.values():
        if text.upper() == item.name or f".{text.lower().lstrip('.')}" in item.suffixes:
            return item
    names = [name.lower() for name in FORMATS]
    hint = did_you_mean(text.lower(), names) or f"; use one of {', '.join(names)}"
    raise UsageError(f"format: no format named '{text}'{hint}")
