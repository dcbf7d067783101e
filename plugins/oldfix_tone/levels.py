"""Black and white points of a faded grey or toned photograph, from its own histogram.

The blacks of a faded print are lifted everywhere; a hazy hill or a field has few blacks, but it has
some. So the points are looked for among the darkest and lightest thousandths of a picture that
is not shrunk so far that small dark things are averaged away. What a scene looked like cannot be
told from its histogram all the same, and so the middle of the picture is let fall less far than the
points alone would have it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from oldfix_tone.correction import LUMA, Correction, soft

Image = NDArray[np.float32]

#: Side of the square that the points are looked for in, in pixels.
LEVELS_SIDE = 256
#: Share of each side that is not looked at: edges of mounts and of scanner beds, torn corners.
_EDGE = 0.04
#: Percentiles taken as black and white, and where they should lie.
_PERCENT_BLACK, _PERCENT_WHITE, _BLACK, _WHITE = 0.25, 0.5, 0.08, 0.85
#: A range of luma from the first on is sound; from the second downwards it is mended in full.
_SOUND, _NEEDED = 0.75, 0.65
_LARGEST_GAIN = 2.2
#: Share of its fall that the median luma is spared.
_SPARED = 0.2
_DARKEST_MEDIAN = 1e-3


def levels(look: Image, strength: float) -> tuple[Correction, float]:
    """Estimate the lightness correction of a faded picture.

    Args:
        look: (h, w, 3) float32 RGB in [0, 1], the picture at `LEVELS_SIDE` without margins and
            damage.
        strength: 0 changes nothing, 1 makes the whole of the correction that is needed.

    Returns:
        The correction to make, and its share of the largest one, in [0, 1].
    """
    luma = _inner(look) @ LUMA
    black, middle, white = np.percentile(luma, [_PERCENT_BLACK, 50, 100 - _PERCENT_WHITE])
    low, high = min(black, _BLACK), max(white, _WHITE)
    gain = float(np.clip((high - low) / max(white - black, 1e-3), 1.0, _LARGEST_GAIN))
    # The middle of the range goes to the middle of where it should lie; with the gain at its
    # limit neither end is favoured.
    offset = gain * (black + white) / 2 - (low + high) / 2
    need = float(np.clip((_SOUND - (white - black)) / (_SOUND - _NEEDED), 0, 1))
    share = strength * need
    gain, offset = gain**share, float(offset) * share
    correction = Correction(
        gain=np.full(3, gain, np.float32),
        offset=np.full(3, offset, np.float32),
        exponent=np.full(3, _sparing(float(middle), gain, offset), np.float32),
        saturation=1.0,
    )
    return correction, share


def _inner(look: Image) -> Image:
    """Return the picture without its edges."""
    top, left = (round(_EDGE * side) for side in look.shape[:2])
    return look[top : look.shape[0] - top, left : look.shape[1] - left]


def _sparing(middle: float, gain: float, offset: float) -> float:
    """Exponent, at most 1, that gives a median which would fall a part of its fall back."""
    moved = np.array([gain * middle - offset], np.float32)
    fallen = max(float(soft(moved, -offset, gain - offset)[0]), _DARKEST_MEDIAN)
    if fallen >= middle:
        return 1.0
    return float(np.log(fallen + _SPARED * (middle - fallen)) / np.log(fallen))
