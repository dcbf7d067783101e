"""Examples to train the restorer with: aged crops, and masks with the faults that masks have."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import fill_marks
from oldfix.degrade import age
from oldfix.degrade.grain import grain
from oldfix.training import PhotoPool

#: Side of an example in pixels.
CROP = 128
#: Marked parts up to this width are filled before they are encoded.
FILL_PX = 16
#: How often each recipe is used. Real photographs are grainier than most of old-photo, and their
#: grain is coarser than white noise.
RECIPES = {
    "old-photo": 0.4,
    "film-scan": 0.25,
    "bopbtl": 0.15,
    "small-copy": 0.1,
    "gaussian-25": 0.04,
    "scratches": 0.06,
}
#: Share of sound examples with faint grain of their own, which is not damage.
_OWN_GRAIN = 0.5
_Image = NDArray[np.float32]


def make_example(
    pool: PhotoPool, rng: np.random.Generator, *, sound: bool
) -> tuple[_Image, _Image, _Image, _Image]:
    """Cut a crop, age it, and draw the mask a user or a detector might give.

    Returns:
        (aged, start, target, mask): (128, 128, 3) three times, and (128, 128, 1). ``start`` is
        ``aged`` with marked pixels filled. ``sound`` gives aged == target.
    """
    recipe = str(rng.choice(list(RECIPES), p=list(RECIPES.values())))
    clean = pool.crop(rng, CROP)
    if sound and rng.random() < _OWN_GRAIN:
        std, size_px = float(rng.uniform(0.5, 4)), float(rng.uniform(0.3, 1))
        clean = grain(clean, rng=rng, std=std, size_px=size_px)
    truth = age(clean, rng=rng, recipe=recipe)
    aged = truth.target if sound else truth.image
    mask = given_mask(np.zeros_like(truth.defects) if sound else truth.defects, rng)
    return aged, fill_marks(aged, mask > 0.5, FILL_PX), truth.target, mask[..., None]


def given_mask(defects: _Image, rng: np.random.Generator) -> _Image:
    """Turn the truth about the defects into a mask with the faults that masks have.

    Half of the masks are complete and grown a little, a quarter are the opacity itself or
    exact, the others miss parts, mark sound parts, or are empty.
    """
    kind = rng.random()
    if kind < 0.1:
        return np.zeros_like(defects)
    if kind < 0.2:
        return defects
    marked = (defects > 0.1).astype(np.float32)
    if kind < 0.35:
        return marked
    if kind > 0.8:
        marked = _with_errors(marked, rng)
    size = 2 * int(rng.integers(1, 4)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(marked, disc), np.float32)


def _with_errors(marked: _Image, rng: np.random.Generator) -> _Image:
    """Drop marks in some areas and add, in others, marks that belong elsewhere."""
    coarse = rng.random((5, 5), dtype=np.float32)
    field = np.asarray(cv2.resize(coarse, marked.shape[::-1], interpolation=cv2.INTER_CUBIC))
    moved = np.roll(marked[::-1], tuple(rng.integers(0, marked.shape[0], 2)), axis=(0, 1))
    found = np.where(field < rng.uniform(0.2, 0.6), 0, marked)
    return np.asarray(np.where(field > rng.uniform(0.6, 1.0), moved, found), np.float32)
