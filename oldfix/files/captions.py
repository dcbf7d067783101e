"""What people wrote about a photograph, besides EXIF and XMP: IPTC captions and PNG texts."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import IO, Any

#: TIFF's tag of an IPTC record.
IPTC_TAG = 0x83BB
#: PNG text chunks as they lie in the file: (type, content).
Texts = tuple[tuple[bytes, bytes], ...]

_RESOURCE = 0x0404  # of IPTC among Photoshop's image resources
_PHOTOSHOP = b"Photoshop 3.0\0"
_LONGEST_SEGMENT = 65_533
_SIGNATURE_BYTES = 8
_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
# XMP, EXIF and profiles are carried on their own; a thumbnail is of the photograph as it was.
_RAW = b"Raw profile type "
_NOT_CARRIED = (
    *(b"XML:com.adobe.xmp", b"exif:", b"Thumb::"),
    *(_RAW + kind for kind in (b"exif", b"APP1", b"app1", b"xmp", b"icc", b"icm")),
)


def iptc_of_jpeg(info: Mapping[Any, Any]) -> bytes | None:
    """Return the IPTC record among what Pillow found in a JPEG, or None."""
    return info.get("photoshop", {}).get(_RESOURCE) or None


def jpeg_segment(iptc: bytes | None) -> bytes:
    """Return the segment of a JPEG that holds an IPTC record; empty if it does not fit into one."""
    if not iptc:
        return b""
    resource = b"8BIM" + struct.pack(">HHI", _RESOURCE, 0, len(iptc)) + iptc
    body = _PHOTOSHOP + resource + b"\0" * (len(iptc) % 2)
    if len(body) > _LONGEST_SEGMENT:
        return b""
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


def read_texts(file: IO[bytes]) -> Texts:
    """Return the text chunks of a PNG, wherever they stand, as they are."""
    return tuple(chunk for chunk in _text_chunks(file) if not chunk[1].startswith(_NOT_CARRIED))


def _text_chunks(file: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    file.seek(_SIGNATURE_BYTES)
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in _TEXT_CHUNKS:
            yield kind, file.read(length)
            length = 0
        file.seek(length + 4, 1)  # the content left unread, and its checksum
