"""Losses that several trainings share."""

from __future__ import annotations

from torch import Tensor

#: Below it an error counts by its square.
_EPSILON = 1e-3


def charbonnier(error: Tensor) -> Tensor:
    """An absolute value that is smooth at zero, element by element: ``sqrt(e^2 + 0.001^2)``.

    Charbonnier et al., ICIP 1994; as a training loss Lai et al., CVPR 2017.
    """
    return (error.square() + _EPSILON * _EPSILON).sqrt()
