"""The mask in the form in which networks of the latent are told of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float32]
_FACTOR = 4


def squares(mask: _Array) -> _Array:
    """(H, W) to (ceil(H/4), ceil(W/4), 16): the pixels of each latent position, row by row."""
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % _FACTOR), (0, -width % _FACTOR)), mode="edge")
    rows, columns = (side // _FACTOR for side in padded.shape)
    squares = padded.reshape(rows, _FACTOR, columns, _FACTOR).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(squares.reshape(rows, columns, _FACTOR * _FACTOR))
