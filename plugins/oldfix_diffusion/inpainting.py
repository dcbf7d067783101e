"""What inpainting starts from, and the holes that its network learns on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import fill_marks
from oldfix.degrade import age
from oldfix.training import PhotoPool
from oldfix_diffusion.squares import squares

#: Side of an example in pixels.
CROP = 128
#: Opacity from which on nothing of the picture counts as left.
_GONE = 0.1
_SIDE_PX = 192
_Array = NDArray[np.float32]


@dataclass(frozen=True)
class HoleBank:
    """Masks of damage, drawn once: a fold or a flake takes longer to draw than to learn from.

    Attributes:
        masks: (count, 192, 192) uint8, 1 where nothing of the picture is left.
    """

    masks: NDArray[np.uint8]

    @classmethod
    def drawn(cls, rng: np.random.Generator, count: int = 600) -> HoleBank:
        """Draw masks by the recipe "holes", each grown by up to three pixels."""
        grey = np.full((_SIDE_PX, _SIDE_PX, 3), 0.5, np.float32)
        masks: list[NDArray[np.uint8]] = []
        while len(masks) < count:
            gone = (age(grey, rng=rng, recipe="holes").defects >= _GONE).astype(np.uint8)
            size = int(rng.integers(1, 5))
            if 0.002 < gone.mean() < 0.5:
                masks.append(cv2.dilate(gone, np.ones((size, size), np.uint8)))
        return cls(np.stack(masks))

    def cut(self, rng: np.random.Generator) -> _Array:
        """Two masks together, turned, mirrored and cut at random: (128, 128) of 0 and 1."""
        parts = [self._cut_one(rng) for _ in range(2)]
        return np.maximum(*parts).astype(np.float32)

    def _cut_one(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        mask = self.masks[rng.integers(len(self.masks))]
        top, left = rng.integers(0, _SIDE_PX - CROP + 1, 2)
        part = np.rot90(mask[top : top + CROP, left : left + CROP], int(rng.integers(4)))
        return np.fliplr(part) if rng.random() < 0.5 else part


def make_example(
    pool: PhotoPool, holes: HoleBank, rng: np.random.Generator
) -> tuple[_Array, _Array, _Array]:
    """Cut a crop, cut holes into it, and fill them from their surroundings.

    Returns:
        (start, target, squares): (128, 128, 3) twice, and (32, 32, 16), the pixels of each latent
        position, 1 where a hole is.
    """
    target = pool.crop(rng, CROP)
    mask = holes.cut(rng)
    return fill_marks(target, mask > 0), target, squares(mask)
