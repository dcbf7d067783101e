"""The three domains: clean photographs y, their synthetic damage x, and real old photographs r."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from oldfix import UsageError
from oldfix.degrade import age
from oldfix.training import PhotoPool, stacked
from oldfix_triplet.marks import hidden

_Image = NDArray[np.float32]
#: Side of an example in pixels.
CROP = 96
#: How often each recipe makes x of y.
RECIPES = {"old-photo": 0.65, "bopbtl": 0.2, "scratches": 0.15}
#: One kind of degradation before all of them: where the diffusion's training begins.
FIRST = {str(Path(__file__).parent / "damage" / "blur-noise.toml"): 1.0}
#: What stands in for r where nobody gave real old photographs: damage of another kind than x's.
STAND_IN = "film-scan"
#: Share of pairs in which nothing is wrong with x.
_SOUND = 0.08


@dataclass(frozen=True)
class Domains:
    """Photographs of the three domains.

    Attributes:
        clean: sound photographs.
        real: real old photographs, or None: then sound ones, aged by `STAND_IN`, stand in.
    """

    clean: PhotoPool
    real: PhotoPool | None = None

    @classmethod
    def read(cls, data: Sequence[Path]) -> Domains:
        """Read training data; entries whose name begins with "real" are real old photographs.

        Raises:
            UsageError: an entry holds no photograph, or all of them are real old ones.
        """
        real = [entry for entry in data if entry.name.startswith("real")]
        clean = [entry for entry in data if entry not in real]
        if not clean:
            raise UsageError(
                "triplet: needs clean photographs beside the real old ones; "
                "add --data with a folder whose name does not begin with 'real'"
            )
        pools = [PhotoPool.read(part, max_side=1024) if part else None for part in (clean, real)]
        assert pools[0] is not None
        return cls(pools[0], pools[1])

    def split(self) -> tuple[Domains, Domains]:
        """Return (training, validation); every 20th photograph of each pool is kept back."""
        clean, held = self.clean.split()
        if self.real is None:
            return Domains(clean), Domains(held)
        real, held_real = self.real.split()
        return Domains(clean, real), Domains(held, held_real)

    def real_old(self, rng: np.random.Generator) -> _Image:
        """A crop of domain r, (CROP, CROP, 3)."""
        if self.real is not None:
            return self.real.crop(rng, CROP)
        return age(self.clean.crop(rng, CROP), rng=rng, recipe=STAND_IN).image

    def pair(
        self, rng: np.random.Generator, recipes: Mapping[str, float] = RECIPES
    ) -> tuple[_Image, _Image, _Image]:
        """A crop of domain x with its marked pixels hidden, its y, and the mask.

        Args:
            rng: source of all randomness.
            recipes: names or files of recipes of damage, and how often each is used.

        Returns:
            (CROP, CROP, 3) twice and (CROP, CROP, 1), the latter 0 or 1.
        """
        recipe = str(rng.choice(list(recipes), p=list(recipes.values())))
        truth = age(self.clean.crop(rng, CROP), rng=rng, recipe=recipe)
        if rng.random() < _SOUND:
            return truth.target, truth.target, np.zeros((CROP, CROP, 1), np.float32)
        mask = given_mask(truth.defects, rng)
        return hidden(truth.image, mask), truth.target, mask[..., None]


def given_mask(defects: _Image, rng: np.random.Generator) -> _Image:
    """The mask a user or a detector might give: none at times, else exact or grown a little."""
    kind = rng.random()
    if kind < 0.2:
        return np.zeros_like(defects)
    marked = (defects > 0.1).astype(np.float32)
    if kind < 0.4:
        return marked
    size = 2 * int(rng.integers(1, 3)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(marked, disc), np.float32)


def held_pairs(
    domains: Domains, number: int, recipes: Mapping[str, float] = RECIPES
) -> tuple[Tensor, Tensor, Tensor]:
    """So many pairs, always the same: x, y (N, 3, CROP, CROP) and mask (N, 1, CROP, CROP)."""
    rngs = (np.random.default_rng([7, i]) for i in range(number))
    x, y, mask = stacked(domains.pair(rng, recipes) for rng in rngs)
    return x, y, mask


def held_real(domains: Domains, number: int) -> Tensor:
    """So many crops of domain r, always the same, (N, 3, CROP, CROP)."""
    rngs = (np.random.default_rng([8, i]) for i in range(number))
    return stacked((domains.real_old(rng),) for rng in rngs)[0]
