"""Ways from the photograph as found, ``z_T``, to the restored one, ``z_0``.

All states lie on the line ``z_t = (1 - a) z_0 + a z_T`` with ``a = t / T``. A predictor
``S(z_t, a)`` guesses ``z_0``; the samplers differ in how they use imperfect guesses. With one
step all of them return ``S(z_T, 1)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

State = NDArray[np.float32]
#: ``S(z_t, a)``: the clean state guessed from the state at ``a`` in (0, 1].
Predictor = Callable[[State, float], State]


def sample_origin(predict: Predictor, z_T: State, steps: int) -> State:
    """Mix every guess with ``z_T`` again: ``z_{t-1} = D(S(z_t, t), t - 1)``.

    Algorithm 1 of Cold Diffusion (arXiv 2208.09392), the "origin sampling" of arXiv 2305.04457.
    As the number of steps grows the result drifts back towards ``z_T``.
    """
    z = z_T
    for t in range(steps, 0, -1):
        z_0 = predict(z, t / steps)
        z = _between(z_0, z_T, (t - 1) / steps)
    return z


def sample_improved(predict: Predictor, z_T: State, steps: int) -> State:
    """Move by differences: ``z_{t-1} = z_t - D(S, t) + D(S, t - 1)``.

    Algorithm 2 of Cold Diffusion, the "improved sampling" of arXiv 2305.04457. Since
    ``D(S, t - 1) - D(S, t) = (S - z_T) / T``, the result is the mean of all guesses.
    """
    z = z_T
    for t in range(steps, 0, -1):
        z_0 = predict(z, t / steps)
        z = z - _between(z_0, z_T, t / steps) + _between(z_0, z_T, (t - 1) / steps)
    return z


def sample_indi(predict: Predictor, z_T: State, steps: int) -> State:
    """Go part of the way from where it stands: ``z_{t-1} = S / t + (1 - 1 / t) z_t``.

    Direct iteration, InDI (arXiv 2303.11435, equation 8, with ``delta / t = 1 / t`` for whole
    steps). Keeps more of the variance, that is more texture, at some cost in error.
    """
    z = z_T
    for t in range(steps, 0, -1):
        z = _between(predict(z, t / steps), z, (t - 1) / t)
    return z


SAMPLERS: dict[str, Callable[[Predictor, State, int], State]] = {
    "origin": sample_origin,
    "improved": sample_improved,
    "indi": sample_indi,
}


def _between(z_0: State, z_T: State, a: float) -> State:
    """``D(z_0, a) = (1 - a) z_0 + a z_T``."""
    mixed: State = (1.0 - a) * z_0 + a * z_T
    return mixed
