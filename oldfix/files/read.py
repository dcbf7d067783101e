"""From files to photographs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from oldfix.files.decode import decode
from oldfix.files.decoded import Decoded, Samples
from oldfix.files.icc import plain_cmyk_to_rgb, to_srgb, usable
from oldfix.keys import IMAGE
from oldfix.photo import Meta, Photo

if TYPE_CHECKING:
    from oldfix.keys import Image, Mask

_STRIP = 2**20  # pixels converted at once, so that no second copy of a large scan is made


def read_photo(path: str | Path) -> Photo:
    """Read a photograph with everything its file says.

    The image is float32 (H, W, 3), RGB, [0, 1], sRGB-encoded, upright. A colour profile other
    than sRGB is applied, and the file's own samples are kept in ``meta.extra["original"]`` so
    that `oldfix.write_photo` can return to them. ``meta.extra["notes"]`` says what was converted.

    Raises:
        FileError: missing, a folder, empty, damaged, no photograph, with several pictures,
            too large, or with samples of a kind that is not read; one line saying what to do.
    """
    path = Path(path)
    decoded = decode(path)
    has_profile, note = usable(decoded.icc, decoded.samples)
    notes = [*decoded.notes, *([note] if note else [])]
    is_cmyk = decoded.samples.ndim == 3 and decoded.samples.shape[2] == 4
    if is_cmyk:
        notes.append("converted from CMYK to sRGB; the result is written as RGB")
    extra: dict[str, Any] = {"notes": tuple(notes)}
    if has_profile and not is_cmyk:
        extra["original"] = _frozen(decoded.samples)
    meta = Meta(
        source=str(path),
        format=decoded.format,
        bits=8 * decoded.samples.dtype.itemsize,
        grey=decoded.samples.ndim == 2,
        alpha=None if decoded.alpha is None else _alpha(decoded.alpha),
        icc=None if is_cmyk or note else decoded.icc,
        exif=decoded.exif,
        dpi=decoded.dpi,
        extra=extra | _written_about(decoded),
    )
    return Photo({IMAGE: _image(decoded, apply_profile=has_profile)}, meta=meta)


def _written_about(decoded: Decoded) -> dict[str, Any]:
    found = {"xmp": decoded.xmp, "iptc": decoded.iptc, "texts": decoded.texts}
    return {name: value for name, value in found.items() if value}


def read_image(path: str | Path) -> Image:
    """Read only the picture: float32 (H, W, 3), RGB, [0, 1], sRGB-encoded, upright, read-only.

    Raises:
        FileError: as `read_photo`.
    """
    return read_photo(path)[IMAGE]


def _image(decoded: Decoded, *, apply_profile: bool) -> Image:
    """Turn samples into the working form, a strip of rows at a time."""
    samples = decoded.samples
    height, width = samples.shape[:2]
    image = np.empty((height, width, 3), np.float32)
    for rows in strips(height, width):
        part: Samples = samples[rows]
        if apply_profile and decoded.icc:
            part = to_srgb(part, decoded.icc)
        elif part.ndim == 3 and part.shape[2] == 4:
            part = plain_cmyk_to_rgb(part)
        top = np.float32(np.iinfo(part.dtype).max)
        np.divide(part if part.ndim == 3 else part[..., None], top, out=image[rows])
    return image


def strips(height: int, width: int) -> Iterator[slice]:
    """Yield slices of rows that cover a picture, about a megapixel each."""
    step = max(1, _STRIP // width)
    for start in range(0, height, step):
        yield slice(start, min(height, start + step))


def _alpha(alpha: Samples) -> Mask:
    value = alpha.astype(np.float32)
    value /= np.iinfo(alpha.dtype).max
    value.flags.writeable = False
    return value


def _frozen(samples: Samples) -> Samples:
    own = np.ascontiguousarray(samples)
    own.flags.writeable = False
    return own
