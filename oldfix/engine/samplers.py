"""Ways from a photograph as found, ``x_T``, to the restored one, ``x_0``.

All states lie on the line ``x_t = (1 - a) x_0 + a x_T`` with ``a = t / T``. A predictor
``S(x_t, a)`` guesses ``x_0``; the samplers differ in how they use imperfect guesses. With one
step all of them return ``S(x_T, 1)``. What the states are, pixels or a latent, is the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

State = NDArray[np.float32]
#: ``S(x_t, a)``: the clean state guessed from the state at ``a`` in (0, 1].
Predictor = Callable[[State, float], State]
#: An array or a tensor.
_T = TypeVar("_T")


def between(x_0: _T, x_T: _T, a: Any) -> _T:
    """``D(x_0, a) = (1 - a) x_0 + a x_T``, the forward process of arXiv 2305.04457.

    Args:
        x_0: the clean state, an array or a tensor.
        x_T: the state as found, of the same shape.
        a: ``t / T`` in [0, 1], one number or what spreads over the states.
    """
    mixed: _T = (1.0 - a) * x_0 + a * x_T
    return mixed


def sample_origin(predict: Predictor, x_T: State, steps: int) -> State:
    """Mix every guess with ``x_T`` again: ``x_{t-1} = D(S(x_t, t), t - 1)``.

    Algorithm 1 of Cold Diffusion (arXiv 2208.09392), the "origin sampling" of arXiv 2305.04457.
    As the number of steps grows the result drifts back towards ``x_T``.
    """
    x = x_T
    for t in range(steps, 0, -1):
        x_0 = predict(x, t / steps)
        x = between(x_0, x_T, (t - 1) / steps)
    return x


def sample_improved(predict: Predictor, x_T: State, steps: int) -> State:
    """Move by differences: ``x_{t-1} = x_t - D(S, t) + D(S, t - 1)``.

    Algorithm 2 of Cold Diffusion, the "improved sampling" of arXiv 2305.04457. Since
    ``D(S, t - 1) - D(S, t) = (S - x_T) / T``, the result is the mean of all guesses.
    """
    x = x_T
    for t in range(steps, 0, -1):
        x_0 = predict(x, t / steps)
        x = x - between(x_0, x_T, t / steps) + between(x_0, x_T, (t - 1) / steps)
    return x


def sample_indi(predict: Predictor, x_T: State, steps: int) -> State:
    """Go part of the way from where it stands: ``x_{t-1} = S / t + (1 - 1 / t) x_t``.

    Direct iteration, InDI (arXiv 2303.11435, equation 8, with ``delta / t = 1 / t`` for whole
    steps). Keeps more of the variance, that is more texture, at some cost in error.
    """
    x = x_T
    for t in range(steps, 0, -1):
        x = between(predict(x, t / steps), x, (t - 1) / t)
    return x


#: The samplers by name: ``(predict, x_T, steps) -> x_0``.
SAMPLERS: Mapping[str, Callable[[Predictor, State, int], State]] = {
    "origin": sample_origin,
    "improved": sample_improved,
    "indi": sample_indi,
}
