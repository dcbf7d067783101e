"""Colour in CIELAB: luminance kept exactly, chroma shrunk into the gamut, greyness told.

Lab means CIELAB under D65 from decoded sRGB (IEC 61966-2-1; CIE 15:2004): L* in [0, 100], a* and
b* about -110 to 110, zero for grey. Images are ``(H, W, 3)`` float32 RGB, sRGB-encoded, in [0, 1].
Pictures are worked on in bands of rows, so that the temporaries stay small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

#: Linear sRGB to CIE XYZ (D65); rows divided by the white point, so that grey has a* = b* = 0.
_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_FROM_RGB = (_XYZ / _XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
_TO_RGB = np.linalg.inv(_XYZ / _XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
_EPSILON, _DELTA = np.float32((6 / 29) ** 3), np.float32(6 / 29)
_SLOPE, _OFFSET = np.float32((29 / 6) ** 2 / 3), np.float32(4 / 29)
_BAND_PIXELS = 1 << 14  # few, so that the temporaries stay in the cache of the processor
_HALVINGS = 18
#: What rounding in float32 may leave outside [0, 1]; moves L* by less than 0.0005.
_ROUNDING = np.float32(5e-7)

#: Largest side at which `is_toned` looks, in pixels.
_TONED_SIDE = 256
#: Largest `tone_residual` and `colour_patches` of a grey or toned photograph. Fitted on 105 old
#: photographs looked at one by one. 91 are grey or toned: 88 are told so (their patches are 0.059
#: at most); two with strong stains and one beside a red cloth are not. All 14 in colour are told so
#: (0.074 at least). The residual speaks where a colour varies as smoothly as a stain.
TONED_RESIDUAL = 3.0
TONED_PATCHES = 0.066
#: Deviation of the blur before patches are judged, in pixels; percentile that is taken of them.
_PATCH_BLUR_PX, _PATCH_PERCENT = 2.0, 99
_AXIS_WEIGHTS = np.array([1, 1 / 3], np.float32)  # of a*, b*


def to_lab(image: Array) -> Array:
    """Convert RGB to CIELAB.

    Args:
        image: (H, W, 3) float32 RGB, sRGB-encoded, in [0, 1]. Not modified.

    Returns:
        (H, W, 3) float32: L*, a*, b*.
    """
    return _in_bands(_lab_band, image, 3)


def from_lab(lab: Array) -> Array:
    """Convert CIELAB to RGB; colours outside the sRGB gamut lose chroma, never luminance.

    Such a colour is moved straight towards the grey of its own L* until it fits (found by
    bisection), which keeps its hue angle in CIELAB; channels are never clipped one by one.

    Args:
        lab: (H, W, 3) float32: L* (held in [0, 100]), a*, b*. Not modified.

    Returns:
        (H, W, 3) float32 RGB, sRGB-encoded, in [0, 1], whose L* differs by at most 0.001.
    """
    return _in_bands(_rgb_band, lab, 3)


def luminance(image: Array) -> Array:
    """Return CIELAB L* of an (H, W, 3) image: (H, W) float32 in [0, 100]."""
    return _in_bands(_luminance_band, image, 1)[..., 0]


def grey_to_luminance(grey: Array) -> Array:
    """Return the L* of sRGB-encoded grey values in [0, 1], of any shape."""
    return np.asarray(116 * _response(_decoded(grey)) - 16, np.float32)


def luminance_to_grey(luminance: Array) -> Array:
    """Return the sRGB-encoded grey values of L* (held in [0, 100]), of any shape."""
    f = (np.clip(luminance, 0, 100) + 16) / 116
    linear = np.where(f > _DELTA, f * f * f, (f - _OFFSET) / _SLOPE)
    return _encoded(np.clip(linear, 0, 1))


def with_luminance_of(image: Array, source: Array) -> Array:
    """Return the colours of ``image`` with the L* of ``source``, both (H, W, 3) RGB.

    Raises:
        ValueError: the two have different sizes.
    """
    if image.shape != source.shape:
        raise ValueError(f"image and source must have one size, got {image.shape}, {source.shape}")
    lab = to_lab(image)
    lab[..., 0] = luminance(source)
    return from_lab(lab)


def is_toned(image: Array) -> bool:
    """Tell whether a photograph is grey or of a single tone (sepia, cyanotype, faded dyes).

    It is when its a* and b* can be predicted from L*, and no patch of it differs in a* from its
    surroundings as the colour of a thing does. Judged at a side of at most 256 pixels.

    Args:
        image: (H, W, 3) float32 RGB, sRGB-encoded, in [0, 1]. Not modified.
    """
    lab = to_lab(_shrunk(image, _TONED_SIDE))
    return _tone_residual(lab) <= TONED_RESIDUAL and _colour_patches(lab) <= TONED_PATCHES


def tone_residual(image: Array) -> float:
    """Return how far the colours lie from a smooth function of L*, in units of a*.

    The root mean square distance of (a*, b* / 3) from their cubic fit on L*: yellowing, foxing and
    sepia of uneven strength vary along b*, the colours of things along a* too.
    """
    return _tone_residual(to_lab(_shrunk(image, _TONED_SIDE)))


def colour_patches(image: Array) -> float:
    """Return how far the a* of patches lies from a smooth function of L* and of the place.

    The 99th percentile of the distance, over the range of L*, which fades as colours do. A wash of
    stain and a tone of uneven strength vary smoothly over the picture; a dress among leaves does
    not, and stands out even where a veil has left little of its colour.
    """
    return _colour_patches(to_lab(_shrunk(image, _TONED_SIDE)))


def _tone_residual(lab: Array) -> float:
    flat = lab.reshape(-1, 3)
    residual = _unexplained(flat[:, 1:], _cubic(flat[:, 0])) * _AXIS_WEIGHTS
    return float(np.sqrt(np.mean(np.sum(np.square(residual), axis=1))))


def _colour_patches(lab: Array) -> float:
    height, width = lab.shape[:2]
    flat = lab.reshape(-1, 3)
    y, x = (axis.ravel() for axis in np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j])
    level = flat[:, 0] / 50 - 1
    places = [x, y, x * x, x * y, y * y]
    smooth = [*places, x**3, x * x * y, x * y * y, y**3, *(place * level for place in places)]
    residual = _unexplained(flat[:, 1], np.column_stack([_cubic(flat[:, 0]), *smooth]))
    blurred = cv2.GaussianBlur(residual.reshape(height, width), (0, 0), _PATCH_BLUR_PX)
    darkest, lightest = np.percentile(flat[:, 0], [100 - _PATCH_PERCENT, _PATCH_PERCENT])
    return float(np.percentile(np.abs(blurred), _PATCH_PERCENT) / max(lightest - darkest, 1))


def _cubic(light: Array) -> Array:
    """Return the values of the cubic polynomials of (N,) L*, (N, 4)."""
    return np.asarray(np.polynomial.legendre.legvander(light / 50 - 1, 3), np.float32)


def _unexplained(values: Array, basis: Array) -> Array:
    """Return what the best linear combination of a basis leaves of the values.

    By the normal equations: a few columns of 65,536 rows need no orthogonal factors.
    """
    columns = basis.astype(np.float64)
    weights, *_ = np.linalg.lstsq(columns.T @ columns, columns.T @ values, rcond=None)
    return np.asarray(values - columns @ weights, np.float32)


def _shrunk(image: Array, side: int) -> Array:
    """Return the image scaled down (area average) to at most ``side`` pixels a side."""
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _in_bands(convert: Callable[[Array], Array], image: Array, channels: int) -> Array:
    """Run a (N, 3) -> (N, channels) function over bands of rows, their pixels in one line."""
    height, width = image.shape[:2]
    rows = max(1, _BAND_PIXELS // width)
    out = np.empty((height, width, channels), np.float32)
    for top in range(0, height, rows):
        band = out[top : top + rows]
        band[...] = convert(image[top : top + rows].reshape(-1, 3)).reshape(band.shape)
    return out


def _lab_band(image: Array) -> Array:
    f = _response(_decoded(image) @ _FROM_RGB.T)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def _luminance_band(image: Array) -> Array:
    return 116 * _response(_decoded(image) @ _FROM_RGB[1])[..., None] - 16


def _rgb_band(lab: Array) -> Array:
    planes = np.ascontiguousarray(lab.reshape(-1, 3).T)
    y = (np.clip(planes[0], 0, 100) + 16) / 116
    dx, dz = planes[1] / 500, planes[2] / -200
    linear = _linear(y, dx, dz)
    outside = np.flatnonzero(_outside(linear))
    if outside.size:
        linear[:, outside] = _shrunk_into_gamut(y[outside], dx[outside], dz[outside])
    return _encoded(np.clip(linear, 0, 1)).T.reshape(lab.shape)


def _shrunk_into_gamut(y: Array, dx: Array, dz: Array) -> Array:
    """Return (3, N) linear RGB with the largest share of its chroma that fits into sRGB."""
    fits, step = np.zeros_like(y), np.float32(0.5)
    for _ in range(_HALVINGS):
        share = fits + step
        fits = np.where(_outside(_linear(y, share * dx, share * dz)), fits, share)
        step /= np.float32(2)
    return _linear(y, fits * dx, fits * dz)


def _outside(linear: Array) -> NDArray[np.bool_]:
    """Mark the (3, N) linear colours with a channel outside [0, 1]."""
    outside: NDArray[np.bool_] = (linear.min(axis=0) < -_ROUNDING) | (
        linear.max(axis=0) > 1 + _ROUNDING
    )
    return outside


def _linear(y: Array, dx: Array, dz: Array) -> Array:
    """Convert f(Y) and its offsets to f(X), f(Z) to (3, N) linear RGB, not limited to [0, 1]."""
    f = np.stack([y + dx, y, y + dz])
    cube = f * f * f
    if f.min() <= _DELTA:
        cube = np.where(f > _DELTA, cube, (f - _OFFSET) / _SLOPE)
    return np.asarray(_TO_RGB @ cube, dtype=np.float32)


def _response(values: Array) -> Array:
    """CIE 15:2004's f(t): cube root with a linear foot."""
    return np.where(values > _EPSILON, np.cbrt(values), _SLOPE * values + _OFFSET)


def _decoded(encoded: Array) -> Array:
    """sRGB to linear light."""
    curve = ((encoded + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(encoded > 0.04045, curve, encoded / np.float32(12.92))


def _encoded(linear: Array) -> Array:
    """Linear light to sRGB."""
    curve = np.float32(1.055) * linear ** np.float32(1 / 2.4) - np.float32(0.055)
    return np.where(linear > 0.0031308, curve, linear * np.float32(12.92)).astype(np.float32)
