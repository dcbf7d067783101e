"""Colour profiles: the networks see sRGB, the file keeps its own colour space.

`to_srgb` and `from_srgb` work on uint16 rows with littlecms (relative colorimetric, black point
compensation). What they cost a sound pixel does not matter: `return_to_source` keeps the file's
own samples where the restoration changed nothing, bit for bit, colours outside sRGB included.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from oldfix.files.decoded import Samples

_SPACE = slice(16, 20)  # where a profile's header names its colour space
_COLORSPACE = {"GRAY": "gray", "RGB": "rgb", "CMYK": "cmyk"}
_NEAR_SRGB = 257  # one 8-bit step, in 16 bits
_CHANGED = 0.1 * 65535  # a change that makes a pixel another colour


def profile_space(icc: bytes | None) -> str:
    """Return "GRAY", "RGB", "CMYK", another name the profile states, or the empty string."""
    return icc[_SPACE].decode("latin-1").strip() if icc else ""


def usable(icc: bytes | None, samples: Samples) -> tuple[bool, str]:
    """Say whether a profile can and need be applied to samples.

    Returns:
        False for no profile, for one that means sRGB, and for one that does not fit or cannot be
        opened; in the last two cases with a note for the user.
    """
    if not icc:
        return False, ""
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    fitting = {1: ("GRAY", "RGB"), 3: ("RGB",), 4: ("CMYK",)}[channels]
    if profile_space(icc) not in fitting:
        return (
            False,
            f"its {profile_space(icc)} colour profile does not fit its pixels and was left out",
        )
    try:
        return not _means_srgb(icc), ""
    except (imagecodecs.CmsError, ValueError, RuntimeError):
        return False, "its colour profile is damaged and was left out"


@lru_cache(maxsize=16)
def _means_srgb(icc: bytes) -> bool:
    """Say whether a profile, whatever its name, turns colours into (nearly) themselves."""
    if profile_space(icc) == "CMYK":
        to_srgb(np.zeros((1, 1, 4), np.uint8), icc)  # raises if it cannot be opened
        return False
    axis = np.linspace(0, 65535, 9).round().astype(np.uint16)
    if profile_space(icc) == "GRAY":
        probe: Any = axis[None]
        wanted = np.repeat(probe[..., None], 3, axis=2)
    else:
        probe = wanted = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(1, -1, 3)
    difference = np.abs(to_srgb(probe, icc).astype(np.int32) - wanted)
    return int(difference.max()) <= _NEAR_SRGB


def to_srgb(samples: Samples, icc: bytes) -> NDArray[np.uint16]:
    """Convert (h, W), (h, W, 3) or (h, W, 4) samples of a profile's space to sRGB (h, W, 3)."""
    if samples.ndim == 2 and profile_space(icc) == "RGB":
        samples = np.repeat(samples[..., None], 3, axis=2)
    return _transform(samples, icc, _srgb(), profile_space(icc), "RGB")


def from_srgb(rgb: NDArray[np.uint16], icc: bytes) -> NDArray[np.uint16]:
    """Convert sRGB (h, W, 3) to a profile's space: (h, W) for grey, else (h, W, 3)."""
    return _transform(rgb, _srgb(), icc, "RGB", profile_space(icc))


def return_to_source(
    original: Samples, result: NDArray[np.uint16], icc: bytes
) -> NDArray[np.uint16]:
    """Bring restored rows back into the file's colour space.

    sRGB holds less than many profiles. What it could not hold of a pixel (its own samples less
    their way to sRGB and back) is added again where the pixel is unchanged, and less the more it
    changed: a colour painted over a scratch owes nothing to the scratch.

    Args:
        original: (h, W) or (h, W, 3) as read, in the profile's space.
        result: (h, W, 3) the restored rows, in sRGB.
        icc: the profile.

    Returns:
        16-bit rows in the profile's space; where ``result`` is what `to_srgb` gives for
        ``original``, exactly ``original`` (times 257 if that had 8 bits).
    """
    seen = to_srgb(original, icc)
    own = original.astype(np.float32) * (257 if original.dtype == np.uint8 else 1)
    back = from_srgb(seen, icc)
    lost = _like(own, back) - back
    change = np.abs(result.astype(np.float32) - seen).max(axis=2)
    weight = np.clip(1 - change / _CHANGED, 0, 1)
    wide = np.clip(from_srgb(result, icc) + lost * _like(weight, lost), 0, 65535)
    rounded: NDArray[np.uint16] = np.rint(wide).astype(np.uint16)
    return rounded


def _like(plane: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """Give a plane a channel axis if the other array has one."""
    return plane[..., None] if plane.ndim < other.ndim else plane


def plain_cmyk_to_rgb(samples: Samples) -> Samples:
    """Convert CMYK (0 = no ink) to RGB as if inks were ideal, for files without a profile."""
    top = int(np.iinfo(samples.dtype).max)
    light = top - samples.astype(np.uint32)
    rgb = (light[..., :3] * light[..., 3:] + top // 2) // top
    plain: Samples = rgb.astype(samples.dtype)
    return plain


@lru_cache(maxsize=1)
def _srgb() -> bytes:
    profile: bytes = imagecodecs.cms_profile("srgb")
    return profile


def _transform(
    rows: Samples, profile: bytes, outprofile: bytes, space: str, outspace: str
) -> NDArray[np.uint16]:
    converted: NDArray[np.uint16] = imagecodecs.cms_transform(
        np.ascontiguousarray(rows),
        profile,
        outprofile,
        colorspace=_COLORSPACE[space],
        outcolorspace=_COLORSPACE[outspace],
        outdtype="u2",
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
    )
    return converted
