"""From photographs to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from oldfix.errors import FileError
from oldfix.files import encode
from oldfix.files.atomic import atomic, refuse_existing
from oldfix.files.decoded import Samples
from oldfix.files.formats import FORMATS, Format, format_of_name, parse_format
from oldfix.files.icc import from_srgb, profile_space, return_to_source, usable
from oldfix.files.read import strips
from oldfix.keys import IMAGE
from oldfix.photo import Photo
from oldfix.resizing import resize_alpha


def write_photo(
    photo: Photo,
    path: str | Path,
    *,
    format: str | None = None,
    overwrite: bool = False,
    quality: int = 95,
) -> Path:
    """Write a photograph with everything its source said, whole or not at all.

    Grey stays grey and 16 bits stay 16 where the format can hold them. The colour profile of the
    source is kept, and pixels that the restoration did not change are the source's own, bit for
    bit (in lossless formats).

    Args:
        photo: the photograph.
        path: where to; its folder is made if missing.
        format: "jpeg", "png", "tiff" or "webp"; by default what the name's ending says.
        overwrite: replace an existing file. The photograph's own source is never replaced.
        quality: of JPEG (4:4:4, so colour keeps its resolution); the others are lossless.

    Returns:
        The path written.

    Raises:
        FileError: the file exists, is the source, cannot be written, or its format cannot hold
            the photograph (too large, or transparent).
        UsageError: an unknown format.
    """
    path = Path(path)
    kind = parse_format(format) if format else FORMATS[format_of_name(path)]
    check_writable(path, source=photo.meta.source, overwrite=overwrite)
    _check_fits(photo, path, kind)
    picture = _picture(photo, kind)
    with atomic(path, overwrite=overwrite) as file:
        encode.ENCODERS[kind.name](file, picture, quality)
    return path


def check_writable(path: Path, *, source: str = "", overwrite: bool = False) -> None:
    """Raise FileError if ``path`` is the source itself, or exists and may not be replaced."""
    if source and path.exists() and Path(source).exists() and path.samefile(source):
        raise FileError(f"{path}: is the input itself, which is never replaced; name another -o")
    refuse_existing(path, overwrite=overwrite)


def _check_fits(photo: Photo, path: Path, kind: Format) -> None:
    height, width = photo.size
    if max(height, width) > kind.max_side:
        raise FileError(
            f"{path}: {kind.name} holds at most {kind.max_side} pixels a side, the photograph has "
            f"{width} x {height}; write PNG or TIFF"
        )
    alpha = photo.meta.alpha
    if not kind.alpha and alpha is not None and float(alpha.min()) < 1.0:
        raise FileError(
            f"{path}: {kind.name} cannot hold the photograph's transparency; write PNG, TIFF or "
            "WebP"
        )


def _picture(photo: Photo, kind: Format) -> encode.Picture:
    """Everything that goes into the file, in the depth that both can hold."""
    pixels, icc = _samples(photo, deep=kind.deep and photo.meta.bits == 16)
    return encode.Picture(
        pixels=pixels,
        alpha=_alpha(photo, pixels.dtype) if kind.alpha else None,
        icc=icc,
        exif=photo.meta.exif,
        xmp=photo.meta.extra.get("xmp"),
        iptc=photo.meta.extra.get("iptc"),
        texts=photo.meta.extra.get("texts", ()),
        dpi=photo.meta.dpi,
    )


def _samples(photo: Photo, *, deep: bool) -> tuple[Samples, bytes | None]:
    """Turn the image into samples of the source's colour space, and name its profile."""
    image, meta = photo[IMAGE], photo.meta
    icc = meta.icc
    if not meta.grey and profile_space(icc) == "GRAY":
        icc = None  # a grey photograph that gained colour: sRGB, which needs no profile
    height, width = image.shape[:2]
    shape = (height, width) if meta.grey else (height, width, 3)
    pixels: Any = np.empty(shape, np.uint16 if deep else np.uint8)
    original = meta.extra.get("original")
    converts = icc is not None and usable(icc, image[:1, :, 0] if meta.grey else image[:1])[0]
    if original is not None and original.shape[:2] != (height, width):
        original = None  # resized: there are no own samples to return to
    for rows in strips(height, width):
        part = image[rows]
        if converts and icc:
            wide = _converted(None if original is None else original[rows], part, icc)
            wide = _one_channel(wide, grey=meta.grey)
            pixels[rows] = wide if deep else _narrowed(wide)
        else:
            plain = part.mean(axis=2) if meta.grey else part
            pixels[rows] = np.rint(plain * np.float32(np.iinfo(pixels.dtype).max))
    return pixels, icc


def _converted(original: Samples | None, part: Any, icc: bytes) -> Any:
    result = np.rint(part * np.float32(65535)).astype(np.uint16)
    if original is None:
        return from_srgb(result, icc)
    return return_to_source(original, result, icc)


def _one_channel(wide: Any, *, grey: bool) -> Any:
    if grey and wide.ndim == 3:
        return np.rint(wide.mean(axis=2)).astype(np.uint16)
    return wide


def _narrowed(wide: Any) -> Any:
    """Round 16 bits to 8, exactly for multiples of 257."""
    return ((wide.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _alpha(photo: Photo, dtype: Any) -> Samples | None:
    """Return the alpha channel in the result's size and depth, or None."""
    alpha = photo.meta.alpha
    if alpha is None:
        return None
    if alpha.shape != photo.size:
        alpha = resize_alpha(alpha, photo.size)
    scaled: Samples = np.rint(alpha * np.float32(np.iinfo(dtype).max)).astype(dtype)
    return scaled
