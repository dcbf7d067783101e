"""Writing TIFF through tifffile, which writes 16 bits a channel; Pillow does not."""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING, Any

import tifffile
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from oldfix.files.captions import IPTC_TAG
from oldfix.files.metadata import DESCRIPTIVE, EXIF_FOLDER, GPS_FOLDER, XMP_TAG, parse_exif

if TYPE_CHECKING:
    from oldfix.files.encode import Picture


def write(file: IO[bytes], picture: Picture) -> None:
    """Write a TIFF, losslessly compressed.

    Args:
        file: open for reading and writing, at its start.
        picture: what to write.
    """
    pixels = picture.stacked()
    exif = parse_exif(picture.exif, (pixels.shape[0], pixels.shape[1]))
    tifffile.imwrite(
        file,
        pixels,
        byteorder="<",
        photometric="minisblack" if picture.pixels.ndim == 2 else "rgb",
        planarconfig="contig" if pixels.ndim == 3 else None,
        extrasamples=None if picture.alpha is None else ["unassalpha"],
        compression="zlib",
        predictor=True,
        iccprofile=picture.icc,
        resolution=picture.dpi,
        resolutionunit=2 if picture.dpi else None,
        metadata=None,
        software=False,
        extratags=[*_descriptions(exif), *_packets(picture), *_placeholders(exif)],
    )
    _fill_placeholders(file, exif)


def _descriptions(exif: Image.Exif) -> list[tuple[Any, ...]]:
    tags: list[tuple[Any, ...]] = []
    for tag in DESCRIPTIVE:
        value = exif.get(tag)
        if isinstance(value, str):
            tags.append((tag, "s", 0, value.encode() + b"\0", True))
        elif isinstance(value, bytes):
            tags.append((tag, "B", len(value), value, True))
        elif isinstance(value, int):
            tags.append((tag, "H", 1, value, True))
    return tags


def _packets(picture: Picture) -> list[tuple[Any, ...]]:
    packets = ((XMP_TAG, picture.xmp), (IPTC_TAG, picture.iptc))
    return [(tag, "B", len(packet), packet, True) for tag, packet in packets if packet]


# tifffile writes no pointers to EXIF and GPS folders. Each gets a placeholder one number above
# its own (no known tag, and in the same place of the sorted list), renamed and filled afterwards.
def _placeholders(exif: Image.Exif) -> list[tuple[Any, ...]]:
    folders = (EXIF_FOLDER, GPS_FOLDER)
    return [(folder + 1, "I", 1, 0, True) for folder in folders if exif.get_ifd(folder)]


def _fill_placeholders(file: IO[bytes], exif: Image.Exif) -> None:
    file.seek(0)
    with tifffile.TiffFile(file) as written:
        tags = written.pages.first.tags
        places = {
            folder: (tags[folder + 1].offset, tags[folder + 1].valueoffset)
            for folder in (EXIF_FOLDER, GPS_FOLDER)
            if folder + 1 in tags
        }
    for folder, (entry, value) in places.items():
        end = file.seek(0, 2)
        start = end + end % 2
        directory = ImageFileDirectory_v2(prefix=b"II")
        for tag, content in exif.get_ifd(folder).items():
            directory[tag] = content
        file.write(b"\0" * (start - end) + directory.tobytes(start))
        for place, packed in (
            (entry, struct.pack("<H", folder)),
            (value, struct.pack("<I", start)),
        ):
            file.seek(place)
            file.write(packed)
