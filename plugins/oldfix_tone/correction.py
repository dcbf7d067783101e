"""What tone correction is: a curve for each channel and a gain of saturation.

`oldfix_tone.train` has the same arithmetic in torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oldfix_tone.texture import held, smoothed

Image = NDArray[np.float32]
Table = NDArray[np.float32]

#: Weights of luma (Rec. 601), of sRGB-encoded values.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_ENTRIES = 1 << 16
#: Values nearer to black or white than this are bent, so that nothing is cut off; up to as much
#: more again where they reach further beyond than `_REACH`.
_KNEE, _WIDER, _REACH = 0.06, 0.3, 0.3
#: Natural logarithms of the largest gain, exponent and saturation.
_LOG_GAIN, _LOG_EXPONENT, _LOG_SATURATION = np.log(3.0), np.log(1.8), np.log(2.5)
_OFFSET = 0.4
_BAND_PIXELS = 1 << 19


@dataclass(frozen=True)
class Correction:
    """How tone is mended: ``soft(gain * x - offset) ** exponent``, then saturation.

    Attributes:
        gain: (3,) factor of each channel, sRGB-encoded.
        offset: (3,) what is taken away after it.
        exponent: (3,) power of each channel afterwards.
        saturation: factor of the distance from luma.
    """

    gain: NDArray[np.float32]
    offset: NDArray[np.float32]
    exponent: NDArray[np.float32]
    saturation: float

    @classmethod
    def from_numbers(cls, numbers: NDArray[np.float32], strength: float = 1.0) -> Correction:
        """Read a network's ten numbers, each bent into its limits; zeros change nothing.

        Args:
            numbers: logarithms of gains, offsets, logarithms of exponents, of the saturation.
            strength: 0 gives the correction that changes nothing, 1 the whole of it.
        """
        bent = strength * np.tanh(np.asarray(numbers, np.float32).ravel())
        return cls(
            gain=np.exp(bent[0:3] * _LOG_GAIN).astype(np.float32),
            offset=(bent[3:6] * _OFFSET).astype(np.float32),
            exponent=np.exp(bent[6:9] * _LOG_EXPONENT).astype(np.float32),
            saturation=float(np.exp(bent[9] * _LOG_SATURATION)),
        )

    @staticmethod
    def limits() -> tuple[float, float, float, float]:
        """Largest log gain, offset, log exponent and log saturation."""
        return float(_LOG_GAIN), _OFFSET, float(_LOG_EXPONENT), float(_LOG_SATURATION)

    def tables(self) -> Table:
        """Curve of each channel at 65,536 evenly spaced inputs: (3, 65536), never falling."""
        inputs = np.linspace(0, 1, _ENTRIES, dtype=np.float32)
        moved = inputs * self.gain[:, None] - self.offset[:, None]
        ends = np.stack([-self.offset, self.gain - self.offset], axis=1)
        rows = [soft(row, low, high) for row, (low, high) in zip(moved, ends, strict=True)]
        return np.asarray(np.stack(rows) ** self.exponent[:, None], np.float32)

    def apply(self, image: Image) -> Image:
        """Return the corrected (H, W, 3) float32 image in [0, 1]."""
        tables = self.tables()

        def correct(band: Image) -> Image:
            out = np.stack([tables[c][_index(band[..., c])] for c in range(3)], axis=2)
            return with_saturation(out, self.saturation)

        return _in_bands(correct, image)

    def apply_to_lightness(self, image: Image, hold: float = 0.0) -> Image:
        """Return the image with its lightness corrected and its tone kept.

        The three channels are scaled alike, which keeps chromaticity (encoded values are close to
        a power of light, and a power of a ratio is a ratio).

        Args:
            image: (H, W, 3) float32 in [0, 1].
            hold: share of the amplification of fine texture that is held back; see
                `oldfix_tone.texture`.
        """
        table = self.tables().mean(axis=0)

        def correct(band: Image, wanted: Image) -> Image:
            luma = band @ LUMA
            return _fitted(band * (wanted / np.maximum(luma, 1 / 512))[..., None], wanted)

        if hold > 0:
            luma = image @ LUMA
            wanted = table[_index(luma)]
            still = held(luma, wanted, table[_index(smoothed(luma))])
            wanted += np.float32(hold) * (still - wanted)
            return _in_bands(correct, image, wanted)
        return _in_bands(lambda band: correct(band, table[_index(band @ LUMA)]), image)


def _index(values: Image) -> NDArray[np.uint16]:
    """Nearest entry of a table for values in [0, 1]."""
    return np.round(values * (_ENTRIES - 1)).astype(np.uint16)


def _in_bands(correct: Callable[..., Image], image: Image, *planes: Image) -> Image:
    """Correct a picture band by band, so that a large scan needs little memory besides."""
    out = np.empty_like(image)
    rows = max(1, _BAND_PIXELS // image.shape[1])
    for top in range(0, image.shape[0], rows):
        band = slice(top, top + rows)
        out[band] = correct(image[band], *(plane[band] for plane in planes))
    return out


def soft(values: Image, low: float, high: float) -> Image:
    """Bend values that reach beyond [0, 1] back into it, so that no detail is cut off.

    Between the knees nothing changes. Below the lower one, [low, knee] is laid into [0, knee] by
    a power that meets the straight part with its slope; above the upper one likewise. Where the
    values stay inside [0, 1] anyway, nothing is bent.

    Args:
        values: in [low, high].
        low: what black becomes.
        high: what white becomes.
    """
    bent = _toe(values, min(low, 0.0))
    return 1 - _toe(1 - bent, min(1 - high, 0.0))


def _toe(values: Image, low: float) -> Image:
    """Lay [low, knee], low <= 0, into [0, knee]: ``v = knee t^p`` with slope 1 at the knee.

    The further values reach, the wider the knee, so that p stays small and dark tones apart.
    """
    knee = _KNEE + _WIDER * low / (low - _REACH)
    part = np.clip((values - low) / (knee - low), 0, 1)
    return np.where(values < knee, knee * part ** ((knee - low) / knee), values)


def with_saturation(image: Image, factor: float) -> Image:
    """Scale each pixel's distance from its luma; one that would leave [0, 1] moves less."""
    if factor == 1:
        return image
    luma = (image @ LUMA)[..., None]
    stretched = np.asarray(luma + np.float32(factor) * (image - luma), np.float32)
    return _fitted(stretched, luma[..., 0])


def _fitted(image: Image, luma: Image) -> Image:
    """Draw pixels outside [0, 1] towards their luma until they fit; luma is kept."""
    middle = luma[..., None]
    away = image - middle
    room = np.where(away > 0, 1 - middle, middle)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(np.abs(away) > room, room / np.abs(away), 1).min(axis=2, keepdims=True)
    return np.asarray(np.clip(middle + away * share, 0, 1), np.float32)
