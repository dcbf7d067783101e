"""Pairs of noisy and clean crops to learn from, with noise as photographs have it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oldfix.degrade import Recipe, age, load_recipe
from oldfix.training import PhotoPool

#: Side of an example in pixels.
CROP = 64
#: How often each recipe of the folder ``noise`` is used.
SHARES = {"white": 0.3, "strong": 0.25, "film": 0.25, "camera": 0.2}
#: Share of examples without noise, which are to be left alone.
_SOUND = 0.06
#: Share of grey examples.
_GREY = 0.25
_Image = NDArray[np.float32]


def make_pair(
    pool: PhotoPool, rng: np.random.Generator, *, kind: str | None = None, size: int = CROP
) -> tuple[_Image, _Image]:
    """Cut a crop and add noise.

    Args:
        pool: photographs.
        rng: source of all randomness.
        kind: a key of `SHARES`; None draws one by `SHARES`, or no noise at all.
        size: side of the crop in pixels.

    Returns:
        (noisy, clean), (size, size, 3) float32 RGB in [0, 1]; a quarter are grey, both of them.
    """
    clean = pool.crop(rng, size)
    grey = rng.random() < _GREY
    if grey:
        clean = _repeated(clean.mean(axis=2))
    if kind is None and rng.random() < _SOUND:
        return clean.copy(), clean
    drawn = kind or str(rng.choice(list(SHARES), p=list(SHARES.values())))
    noisy = age(clean, rng=rng, recipe=recipe(drawn)).image
    # One channel of coloured noise has the strength that was drawn; their mean would have less.
    return (_repeated(noisy[..., 1]) if grey else noisy), clean


@cache
def recipe(kind: str) -> Recipe:
    """Return a recipe of the folder ``noise``.

    Raises:
        UsageError: there is none of this name.
    """
    return load_recipe(Path(__file__).parent / "noise" / f"{kind}.toml")


def _repeated(plane: _Image) -> _Image:
    return np.repeat(plane[..., None], 3, axis=2)
