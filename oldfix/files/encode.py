"""From samples to the bytes of a file, one function a format."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

import imagecodecs
import numpy as np
from PIL import Image

from oldfix.files import tiff_writer
from oldfix.files.captions import Texts, jpeg_segment
from oldfix.files.decoded import Samples
from oldfix.files.metadata import exif_block

_log = logging.getLogger(__name__)

_PNG_HEAD = 33  # signature and the first chunk; ours follow
_PNG_LEVEL = 4  # a third of the time of level 6, files a few per cent larger
_EXIF_PREFIX = b"Exif\x00\x00"
_METRE = 0.0254  # inches to metres
_JPEG_MOST = {"exif": 65_533, "xmp": 65_504}  # bytes that Pillow can write, into one segment


@dataclass(frozen=True, eq=False)
class Picture:
    """What a file shall hold.

    Attributes:
        pixels: (H, W) or (H, W, 3) uint8 or uint16.
        alpha: (H, W) of the same type, or None.
        icc, exif, xmp, iptc, dpi, texts: written where there is one and the format has a place.
    """

    pixels: Samples
    alpha: Samples | None
    icc: bytes | None
    exif: bytes | None
    xmp: bytes | None
    iptc: bytes | None
    texts: Texts
    dpi: tuple[float, float] | None

    def stacked(self) -> Samples:
        """Return the samples with alpha as last channel, if there is one."""
        if self.alpha is None:
            return self.pixels
        return np.dstack([self.pixels, self.alpha])

    def exif_block(self) -> bytes | None:
        """Return the EXIF block with the picture's size in it."""
        return exif_block(self.exif, (self.pixels.shape[0], self.pixels.shape[1]))

    def pillow_options(self) -> dict[str, Any]:
        """Return the metadata as options of Pillow's ``save``."""
        options = {"icc_profile": self.icc, "exif": self.exif_block(), "xmp": self.xmp}
        return {name: value for name, value in options.items() if value}


def write_jpeg(file: IO[bytes], picture: Picture, quality: int) -> None:
    """Write JPEG with colour at full resolution (4:4:4), and metadata that fit into a segment."""
    options = picture.pillow_options()
    for name, most in _JPEG_MOST.items():
        if len(options.get(name, b"")) > most:
            del options[name]
            _left_out(name)
    options["extra"] = jpeg_segment(picture.iptc)
    if picture.iptc and not options["extra"]:
        _left_out("iptc")
    if picture.dpi:
        options["dpi"] = tuple(round(value) for value in picture.dpi)
    image = Image.fromarray(picture.pixels)
    image.save(file, "JPEG", quality=quality, subsampling=0, optimize=True, **options)


def _left_out(name: str) -> None:
    _log.warning(
        "%s of the source is too long for a JPEG and was left out; TIFF and PNG have room for it",
        name.upper(),
    )


def write_webp(file: IO[bytes], picture: Picture, quality: int) -> None:
    """Write lossless WebP; it knows no grey, so grey becomes three equal channels."""
    colour = picture.pixels
    if colour.ndim == 2:
        colour = np.repeat(colour[..., None], 3, axis=2)
    image = Image.fromarray(colour if picture.alpha is None else np.dstack([colour, picture.alpha]))
    options = picture.pillow_options()
    image.save(file, "WEBP", lossless=True, exact=True, quality=20, method=1, **options)


def write_tiff(file: IO[bytes], picture: Picture, quality: int) -> None:
    """Write losslessly compressed TIFF."""
    tiff_writer.write(file, picture)


def write_png(file: IO[bytes], picture: Picture, quality: int) -> None:
    """Write PNG; metadata goes between the header and the pixels."""
    pixels = np.ascontiguousarray(picture.stacked())
    room = pixels.nbytes + pixels.nbytes // 64 + 16 * len(pixels) + 4096  # its guess is too small
    data = imagecodecs.png_encode(pixels, level=_PNG_LEVEL, out=room)
    file.write(data[:_PNG_HEAD])
    for name, content in _png_chunks(picture):
        body = name + content
        file.write(struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body)))
    file.write(memoryview(data)[_PNG_HEAD:])


def _png_chunks(picture: Picture) -> list[tuple[bytes, bytes]]:
    """Return the chunks of profile, resolution, EXIF, XMP and texts (PNG specification, 11)."""
    chunks = []
    if picture.icc:
        chunks.append((b"iCCP", b"ICC profile\x00\x00" + zlib.compress(picture.icc)))
    if picture.dpi:
        x, y = (round(value / _METRE) for value in picture.dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", x, y, 1)))
    exif = picture.exif_block()
    if exif:
        chunks.append((b"eXIf", exif.removeprefix(_EXIF_PREFIX)))
    if picture.xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\x00\x00\x00\x00\x00" + picture.xmp))
    return [*chunks, *picture.texts]


Encoder = Callable[[IO[bytes], Picture, int], None]
ENCODERS: dict[str, Encoder] = {
    "JPEG": write_jpeg,
    "PNG": write_png,
    "TIFF": write_tiff,
    "WEBP": write_webp,
}
