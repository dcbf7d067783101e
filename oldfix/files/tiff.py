"""Reading TIFF through tifffile, which reads 16 bits a channel; Pillow does not."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
import tifffile
from PIL import Image

from oldfix.errors import FileError
from oldfix.files.captions import IPTC_TAG
from oldfix.files.decoded import Decoded, Samples, check_size, refuse_several, upright
from oldfix.files.formats import SAVE_AS
from oldfix.files.metadata import ORIENTATION, XMP_TAG, clean_exif, clean_xmp

_UNSIGNED = 1
_SPACES = {"MINISWHITE": 1, "MINISBLACK": 1, "RGB": 3, "YCBCR": 3, "SEPARATED": 4, "PALETTE": 1}
_JPEG = (6, 7)
_PER_INCH = {2: 1.0, 3: 2.54}


def read(file: IO[bytes], path: Path) -> Decoded:
    """Read a TIFF with one picture of 1 to 8 or 16 bits.

    Raises:
        FileError: several pictures, float or 32-bit samples, a colour space that is not read.
    """
    with tifffile.TiffFile(file) as opened:
        pages = [page.aspage() for page in opened.pages]
        page = pages[0]
        check_size(path, page.imagewidth, page.imagelength)
        refuse_several(path, sum(not page.is_reduced for page in pages))
        _check_samples(page, path)
        samples, alpha, notes = _samples(page)
        turn = _value(page, ORIENTATION) or 1
        file.seek(0)
        exif = Image.Exif()
        exif.load_from_fp(file)
        return Decoded(
            format="TIFF",
            samples=upright(samples, turn),
            alpha=None if alpha is None else upright(alpha, turn),
            icc=page.iccprofile or None,
            exif=clean_exif(exif),
            xmp=clean_xmp(_value(page, XMP_TAG)),
            iptc=_value(page, IPTC_TAG) or None,
            dpi=_dpi(page),
            notes=notes,
        )


def _value(page: Any, tag: int) -> Any:
    return page.tags[tag].value if tag in page.tags else None


def _check_samples(page: Any, path: Path) -> None:
    """Refuse what has no one meaning as a photograph, rather than guess a range."""
    kind = {2: "signed", 3: "floating-point"}.get(page.sampleformat, "unsigned")
    if page.sampleformat != _UNSIGNED or page.bitspersample not in (1, 2, 4, 8, 16):
        raise FileError(
            f"{path}: has {page.bitspersample}-bit {kind} samples, whose black and white are not "
            "stated; save it with 8 or 16 bits a channel"
        )
    space = getattr(page.photometric, "name", str(page.photometric))
    raw_ycbcr = space == "YCBCR" and int(page.compression) not in _JPEG
    if space not in _SPACES or raw_ycbcr or page.samplesperpixel < _SPACES[space]:
        raise FileError(f"{path}: has the colour space {space}, which is not read; {SAVE_AS}")


def _samples(page: Any) -> tuple[Samples, Samples | None, tuple[str, ...]]:
    """Decode one page into grey, RGB or CMYK, alpha, and notes."""
    space, bits = page.photometric.name, page.bitspersample
    pixels = page.asarray()
    if page.axes.startswith("S"):
        pixels = np.moveaxis(pixels, 0, -1)
    if space == "PALETTE":
        pixels = _from_palette(page.colormap, pixels)
    elif bits < 8:
        pixels = (pixels * np.uint8(255 // (2**bits - 1))).astype(np.uint8)
    if space == "MINISWHITE":
        pixels = np.iinfo(pixels.dtype).max - pixels
    if pixels.ndim == 2:
        return pixels, None, ()
    colours = 3 if space == "PALETTE" else _SPACES[space]
    colour = pixels[..., 0] if colours == 1 else pixels[..., :colours]
    return _with_extras(colour, pixels[..., colours:], [int(kind) for kind in page.extrasamples])


def _from_palette(colormap: Any, indices: Any) -> Samples:
    """Look up 16-bit palette colours; 8 bits when the palette says no more than that."""
    table = np.asarray(colormap, np.uint16).T
    coarse = bool((table % 257 == 0).all() or (table & 255 == 0).all())
    colours = table[np.asarray(indices, np.intp)]
    return (colours >> 8).astype(np.uint8) if coarse else colours


def _with_extras(
    colour: Samples, extra: Samples, kinds: list[int]
) -> tuple[Samples, Samples | None, tuple[str, ...]]:
    """Take alpha from the extra samples, and undo a premultiplication by it."""
    associated, unassociated = 1, 2
    place = next((i for i, kind in enumerate(kinds) if kind in (associated, unassociated)), None)
    left = extra.shape[-1] - (place is not None)
    notes = (f"{left} extra channels of unstated meaning are not carried over",) if left else ()
    if place is None:
        return colour, None, notes
    alpha = extra[..., place]
    if kinds[place] == associated and alpha.min() < np.iinfo(alpha.dtype).max:
        colour = _unmultiplied(colour, alpha)
    return colour, alpha, notes


def _unmultiplied(colour: Samples, alpha: Samples) -> Samples:
    top = np.iinfo(colour.dtype).max
    weight = np.maximum(alpha, 1).astype(np.float32)
    weight = weight if colour.ndim == 2 else weight[..., None]
    plain: Samples = np.minimum(np.rint(colour * (top / weight)), top).astype(colour.dtype)
    return plain


def _dpi(page: Any) -> tuple[float, float] | None:
    scale = _PER_INCH.get(int(_value(page, 296) or 1))
    if scale is None or 282 not in page.tags:
        return None
    horizontal, vertical = page.resolution
    return (horizontal * scale, vertical * scale) if min(horizontal, vertical) > 0 else None
