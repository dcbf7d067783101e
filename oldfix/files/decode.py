"""From a file to upright integer samples, with everything else the file says."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import imagecodecs
import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from oldfix.errors import FileError, first_line
from oldfix.files import captions, tiff
from oldfix.files.decoded import Decoded, Samples, check_size, refuse_several, upright
from oldfix.files.formats import SAVE_AS, format_of_file
from oldfix.files.metadata import ORIENTATION, clean_exif, clean_xmp

# Opening through these classes instead of Image.open leaves alone Pillow's global limit on pixels,
# which is meant for web servers and lower than large scans; ours is checked before decoding.
_OPENERS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
}
_AS_IS = {"L", "LA", "RGB", "RGBA", "CMYK"}
_CONVERTED = {"1": "L", "RGBX": "RGB", "YCbCr": "RGB", "PA": "RGBA"}
_PNG_BITS_AT = 24  # the bit depth in a PNG's first chunk


def decode(path: Path) -> Decoded:
    """Read a file.

    Raises:
        FileError: missing, empty, damaged, of no known format, larger than `MAX_PIXELS`, with
            several pictures, or with samples of a kind that is not read (float, 32 bits).
    """
    name = format_of_file(path)
    try:
        with path.open("rb") as file:
            return tiff.read(file, path) if name == "TIFF" else _read(file, path, name)
    except FileError:
        raise
    except MemoryError:
        raise FileError(f"{path}: does not fit into memory; make it smaller first") from None
    except Exception as error:  # decoders raise whatever they like on damaged files
        raise FileError(
            f"{path}: is damaged or cut short ({first_line(error)}); copy it again from its source"
        ) from error


def _read(file: IO[bytes], path: Path, name: str) -> Decoded:
    """Read JPEG, PNG or WebP."""
    with _OPENERS[name](file) as opened:
        check_size(path, *opened.size)
        refuse_several(path, getattr(opened, "n_frames", 1))
        exif = opened.getexif()
        icc, xmp = opened.info.get("icc_profile"), opened.info.get("xmp")
        dpi, notes = opened.info.get("dpi"), _notes(opened)
        samples, alpha = _read_deep_png(file) if _is_deep(file, name) else _pixels(opened, path)
        iptc = captions.iptc_of_jpeg(opened.info)
        texts = captions.read_texts(file) if name == "PNG" else ()
    turn = exif.get(ORIENTATION, 1)
    return Decoded(
        format=name,
        samples=upright(samples, turn),
        alpha=None if alpha is None else upright(alpha, turn),
        icc=icc or None,
        exif=clean_exif(exif),
        xmp=clean_xmp(xmp),
        iptc=iptc,
        texts=texts,
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None,
        notes=notes,
    )


def _is_deep(file: IO[bytes], name: str) -> bool:
    """Say whether a file has 16 bits a channel; Pillow would read it with 8 and say nothing."""
    place = file.tell()
    file.seek(_PNG_BITS_AT)
    bits = file.read(1)
    file.seek(place)
    return name == "PNG" and bits == b"\x10"


def _read_deep_png(file: IO[bytes]) -> tuple[Samples, Samples | None]:
    file.seek(0)
    return split_alpha(imagecodecs.png_decode(file.read()))


def _pixels(opened: ImageFile.ImageFile, path: Path) -> tuple[Samples, Samples | None]:
    """Decode 8 bits a channel, into grey, RGB or CMYK, and alpha."""
    mode = opened.mode
    image: Image.Image = opened
    if "transparency" in opened.info and mode in ("P", "L", "RGB"):
        image = opened.convert("LA" if mode == "L" else "RGBA")
    elif mode == "P":
        image = opened.convert("L" if _has_grey_palette(opened) else "RGB")
    elif mode in _CONVERTED:
        image = opened.convert(_CONVERTED[mode])
    elif mode not in _AS_IS:
        raise FileError(f"{path}: has pixels of kind '{mode}', which is not read; {SAVE_AS}")
    pixels = np.asarray(image)
    return (pixels, None) if image.mode == "CMYK" else split_alpha(pixels)


def _has_grey_palette(image: Image.Image) -> bool:
    colours = np.asarray(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def split_alpha(pixels: Samples) -> tuple[Samples, Samples | None]:
    """Take (H, W), (H, W, 1 to 4) apart into grey or RGB, and alpha if there is one."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if channels in (2, 4):
        colour = pixels[..., 0] if channels == 2 else pixels[..., :3]
        return colour, pixels[..., -1]
    return (pixels[..., 0] if pixels.ndim == 3 and channels == 1 else pixels), None


def _notes(opened: ImageFile.ImageFile) -> tuple[str, ...]:
    """Say so if a JPEG holds further pictures (previews, depth), which are not carried."""
    segments = getattr(opened, "applist", [])
    if any(kind == "APP2" and data.startswith(b"MPF\x00") for kind, data in segments):
        return ("further pictures inside the file (previews, depth) are not carried over",)
    return ()
