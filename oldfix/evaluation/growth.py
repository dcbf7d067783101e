"""What more training would give: a curve of scores over minutes, and its continuation.

The family of curves is ``s(t) = c + b (1 - t^-p) / p``: a power law that flattens at ``c + b / p``,
with the logarithm, which never does, at ``p = 0``. A training's own scores do not tell one from
the other well, so the interval is over refits with resampled residuals, exponent and all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Numbers = NDArray[np.float64]
_EXPONENTS = np.linspace(0, 2, 41)
_REFITS = 400
#: Three parameters need more points than that to leave a residual.
FEWEST_POINTS = 5


@dataclass(frozen=True)
class Growth:
    """A fitted curve.

    Attributes:
        exponent, slope, offset: p, b and c of the module's formula; time in units of ``unit``.
        unit: minutes.
    """

    exponent: float
    slope: float
    offset: float
    unit: float

    def at(self, minutes: float) -> float:
        """Score after so many minutes."""
        place = _basis(np.array([minutes / self.unit]), self.exponent)[0]
        return float(self.offset + self.slope * place)

    def until(self, score: float) -> float:
        """Minutes after which the curve reaches a score; infinite if it never does."""
        if self.slope <= 0:
            return math.inf
        height = (score - self.offset) / self.slope
        if self.exponent == 0:
            return self.unit * math.exp(height) if height < 700 else math.inf
        left = 1 - self.exponent * height
        try:
            return self.unit * left ** (-1 / self.exponent) if left > 0 else math.inf
        except OverflowError:
            return math.inf


@dataclass(frozen=True)
class Forecast:
    """A fitted curve with its refits.

    Attributes:
        best: the curve with the least squared error.
        refits: curves through resampled residuals.
        error: root of the mean squared residual.
    """

    best: Growth
    refits: tuple[Growth, ...]
    error: float

    def interval(self, minutes: float) -> tuple[float, float]:
        """95 % interval of the curve after so many minutes."""
        low, high = np.quantile([refit.at(minutes) for refit in self.refits], [0.025, 0.975])
        return float(low), float(high)

    def until(self, score: float) -> tuple[float, float, float]:
        """Minutes to a score, and the 95 % interval; infinite where a curve never reaches it."""
        minutes = sorted(refit.until(score) for refit in self.refits)
        last = len(minutes) - 1
        low, high = minutes[round(0.025 * last)], minutes[round(0.975 * last)]
        return self.best.until(score), low, high


def forecast(minutes: Sequence[float], scores: Sequence[float], seed: int = 0) -> Forecast:
    """Fit the curve to scores.

    Residuals are resampled in runs of neighbours (circular block bootstrap), because neighbouring
    validations of one training err alike.

    Args:
        minutes: above zero, at least `FEWEST_POINTS`.
        scores: one for each.
        seed: of the resampling.

    Raises:
        ValueError: too few points, or a time that is not above zero.
    """
    times, values = np.asarray(minutes, np.float64), np.asarray(scores, np.float64)
    if len(times) < FEWEST_POINTS or times.min() <= 0:
        raise ValueError(f"a curve needs {FEWEST_POINTS} scores after some minutes")
    unit = float(times.max())
    (best,) = _fits(times, values[None], unit)
    fitted = np.array([best.at(t) for t in times])
    # Three fitted parameters make residuals smaller than errors are.
    residuals = (values - fitted) * math.sqrt(len(times) / (len(times) - 3))
    rng = np.random.default_rng(seed)
    drawn = np.stack([fitted + _resampled(residuals, rng) for _ in range(_REFITS)])
    error = float(np.sqrt(np.mean((values - fitted) ** 2)))
    return Forecast(best, tuple(_fits(times, drawn, unit)), error)


def _fits(times: _Numbers, values: _Numbers, unit: float) -> list[Growth]:
    """Least squares for each row of values (R, N): exponents are tried, the rest is solved for."""
    errors, lines = [], []
    for exponent in _EXPONENTS:
        places = _basis(times / unit, exponent)
        design = np.stack([places, np.ones_like(places)], axis=1)
        solved, *_ = np.linalg.lstsq(design, values.T)
        errors.append(np.square(design @ solved - values.T).sum(axis=0))
        lines.append(solved)
    best = np.argmin(errors, axis=0)
    chosen = ((float(_EXPONENTS[index]), lines[index][:, row]) for row, index in enumerate(best))
    return [Growth(p, float(slope), float(offset), unit) for p, (slope, offset) in chosen]


def _basis(times: _Numbers, exponent: float) -> _Numbers:
    result: _Numbers = np.log(times) if exponent == 0 else (1 - times**-exponent) / exponent
    return result


def _resampled(residuals: _Numbers, rng: np.random.Generator) -> _Numbers:
    count = len(residuals)
    length = max(1, round(count ** (1 / 3)))
    starts = rng.integers(count, size=-(-count // length))
    places = (starts[:, None] + np.arange(length)).ravel()[:count] % count
    drawn: _Numbers = residuals[places]
    return drawn
