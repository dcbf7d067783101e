"""Losses that several trainings share."""

from __future__ import annotations

from torch import Tensor


def charbonnier(error: Tensor, epsilon: float = 1e-3) -> Tensor:
    """An absolute value that is smooth at zero, element by element: ``sqrt(e^2 + epsilon^2)``.

    Charbonnier et al., ICIP 1994; as a training loss Lai et al., CVPR 2017.
    """
    return (error.square() + epsilon * epsilon).sqrt()
