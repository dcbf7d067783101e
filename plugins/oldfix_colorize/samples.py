"""Training samples: damaged luminance, what it should be, true chroma, a reference or none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import UsageError
from oldfix.colour import luminance, to_lab
from oldfix.degrade import Recipe, age, load_recipe
from oldfix.training import PhotoPool

Array = NDArray[np.float32]

#: Photographs whose mean chroma is below this are grey and teach nothing.
_LEAST_CHROMA = 3.0
#: Damage as Pik-Fix trains on it.
DAMAGE = Path(__file__).with_name("pik-fix.toml")


class Sample(NamedTuple):
    """One example, in the units of the network.

    Attributes:
        light: (S, S, 1) luminance as found.
        target: (S, S, 1) luminance repaired; its tone is as found.
        chroma: (S, S, 2) true colours.
        reference: (S, S, 4) luminance, chroma and 1; all zero where there is none.
        same: (1,) whether the reference shows the same scene.
    """

    light: Array
    target: Array
    chroma: Array
    reference: Array
    same: Array


@dataclass(frozen=True)
class Views:
    """Draws samples from a pool of colour photographs.

    Attributes:
        pool: the photographs.
        size: side of a sample in pixels.
        with_reference: how often a sample has a reference.
        foreign: how often that reference is another photograph.
        jittered: how often hue and saturation of photograph and reference change together, so
            that the colours can be told from the reference alone.
        damage: recipe of the damage done to luminance, a file beside this one.
    """

    pool: PhotoPool
    size: int = 128
    with_reference: float = 0.35
    foreign: float = 0.15
    jittered: float = 0.6
    damage: str = "ageing"

    @cached_property
    def recipe(self) -> Recipe:
        """The damage done to luminance."""
        return load_recipe(Path(__file__).with_name(f"{self.damage}.toml"))

    def draw(self, rng: np.random.Generator) -> Sample:
        """Return one example."""
        base = self.photo(rng)
        picture = self.view(base, rng, smallest=0.75, turn=5)
        chroma = to_lab(picture)[..., 1:] / np.float32(100)
        given = rng.random() < self.with_reference
        same = given and rng.random() >= self.foreign
        reference = np.zeros((self.size, self.size, 4), np.float32)
        if given:
            reference = self.reference(base if same else self.photo(rng), rng)
        if same and rng.random() < self.jittered:
            jitter = _jitter(rng)
            chroma, reference[..., 1:3] = chroma @ jitter, reference[..., 1:3] @ jitter
        aged = age(picture, rng=rng, recipe=self.recipe)
        light, target = luminance_of(aged.image), luminance_of(aged.target)
        return Sample(light, target, chroma, reference, np.array([same], np.float32))

    def photo(self, rng: np.random.Generator) -> Array:
        """Return a square photograph, a good deal larger than a sample."""
        return self.pool.crop(rng, self.size * 7 // 5, shrink=0.9)

    def reference(self, base: Array, rng: np.random.Generator) -> Array:
        """Return another view of a photograph, as planes: luminance, chroma, 1."""
        view = self.view(base, rng, smallest=0.6, turn=25)
        if rng.random() < 0.5:
            view = np.ascontiguousarray(view[:, ::-1])
        lab = to_lab(view) / 100
        lab[..., 0] = lab[..., 0] ** rng.uniform(0.75, 1.3)
        return np.concatenate([lab, np.ones_like(lab[..., :1])], axis=2)

    def view(self, base: Array, rng: np.random.Generator, *, smallest: float, turn: float) -> Array:
        """Cut a turned, sheared square out of a photograph."""
        side = base.shape[0]
        scale = self.size / (side * rng.uniform(smallest, 1.0))
        angle, shear = np.deg2rad(rng.uniform(-turn, turn)), rng.uniform(-turn, turn) / 250
        matrix = scale * np.array(
            [[np.cos(angle), shear - np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        )
        slack = max(0.0, side - self.size / scale) / 2
        centre = (side - 1) / 2 + rng.uniform(-slack, slack, 2)
        shift = (self.size - 1) / 2 - matrix @ centre
        moved = cv2.warpAffine(
            base,
            np.column_stack([matrix, shift]),
            (self.size, self.size),
            flags=cv2.INTER_AREA,
            borderMode=cv2.BORDER_REFLECT,
        )
        return np.asarray(np.clip(moved, 0, 1), np.float32)


def luminance_of(image: Array) -> Array:
    """Return the luminance of an RGB image in the units of the network: (H, W, 1)."""
    return luminance(image)[..., None] / np.float32(100)


def colourful(pool: PhotoPool) -> PhotoPool:
    """Return the pool without its grey photographs.

    Raises:
        UsageError: all of them are grey.
    """
    groups = (
        tuple(p for p in group if _mean_chroma(p[1]) >= _LEAST_CHROMA) for group in pool.groups
    )
    kept = tuple(group for group in groups if group)
    if not kept:
        raise UsageError(
            f"training data: none of the {len(pool)} photographs has colours; give colour ones"
        )
    return PhotoPool(kept)


def _mean_chroma(pixels: NDArray[np.uint8]) -> float:
    small = cv2.resize(pixels, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    return float(np.hypot(*np.moveaxis(to_lab(small)[..., 1:], -1, 0)).mean())


def _jitter(rng: np.random.Generator) -> Array:
    """Return a (2, 2) matrix that turns hue and scales saturation of (..., 2) chroma."""
    angle, gain = rng.normal(0, 1.0), rng.uniform(0.5, 1.2)
    cos, sin = gain * np.cos(angle), gain * np.sin(angle)
    return np.array([[cos, sin], [-sin, cos]], np.float32)
