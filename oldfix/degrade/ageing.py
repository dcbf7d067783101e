"""Carry a clean picture through a recipe of damage, keeping the truth beside it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from .fields import join
from .kinds import KINDS
from .quantities import Image, Mask
from .recipe import Recipe, Step, load_recipe


@dataclass(frozen=True, eq=False)
class Aged:
    """A picture that was aged, and what is true about it.

    Attributes:
        image: the damaged picture, ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        target: the clean picture carried through the tone steps only: what a restorer of
            texture and structure should give.
        defects: opacity ``(H, W)`` of all structural damage together.
        steps: what happened, in order: kind, group and the parameters drawn.
    """

    image: Image
    target: Image
    defects: Mask
    steps: tuple[dict[str, Any], ...]


def age(
    image: Image, *, rng: np.random.Generator, recipe: Recipe | str | Path = "old-photo"
) -> Aged:
    """Age a clean picture.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1]; not modified.
        rng: source of all randomness; one generator state gives one result.
        recipe: a recipe, its name, or its file.

    Raises:
        UsageError: there is no such recipe.
        ValueError: the image has another shape or type.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.float32 or not image.size:
        found = f"{image.shape} {image.dtype}"
        raise ValueError(f"age: the image must be (H, W, 3) float32, got {found}; convert it")
    plan = recipe if isinstance(recipe, Recipe) else _cached(str(recipe))
    damaged = target = np.ascontiguousarray(image)
    defects = np.zeros(image.shape[:2], np.float32)
    steps = []
    for step in _happening(plan, rng):
        values = {name: values.draw(rng) for name, values in step.parameters.items()}
        seed = int(rng.integers(2**63))
        damaged, mask = _apply(step, damaged, values, seed)
        if step.group == "tone":
            target, _ = _apply(step, target, values, seed)
        if step.group == "structure" and mask is not None:
            defects = join(defects, mask)
        steps.append({"kind": step.kind, "group": step.group, **values})
    # No result may share memory with the caller's image or with the other result.
    damaged = (
        damaged.copy() if damaged is target or np.may_share_memory(damaged, image) else damaged
    )
    target = target.copy() if np.may_share_memory(target, image) else target
    return Aged(damaged, target, defects, tuple(steps))


def _happening(recipe: Recipe, rng: np.random.Generator) -> list[Step]:
    """Return the steps that happen this time, by the chances of groups and steps."""
    groups = {step.group for step in recipe.step}
    happens = {group: rng.random() < recipe.chance.get(group, 1.0) for group in sorted(groups)}
    drawn = rng.random(len(recipe.step))
    steps = [
        step
        for step, value in zip(recipe.step, drawn, strict=True)
        if happens[step.group] and value < step.probability
    ]
    return _shuffled(steps, rng) if rng.random() < recipe.shuffle else steps


def _shuffled(steps: list[Step], rng: np.random.Generator) -> list[Step]:
    """Return the steps with those of texture in another order; the others keep their places."""
    places = [index for index, step in enumerate(steps) if step.group == "texture"]
    mixed = list(steps)
    for place, source in zip(places, rng.permutation(places), strict=True):
        mixed[place] = steps[source]
    return mixed


def _apply(
    step: Step, image: Image, values: dict[str, float], seed: int
) -> tuple[Image, Mask | None]:
    """Do one step; its randomness depends on the seed alone."""
    result = KINDS[step.kind](image, rng=np.random.default_rng(seed), **values)
    if isinstance(result, tuple):
        return result
    return result, None


@lru_cache(maxsize=32)
def _cached(name: str) -> Recipe:
    return load_recipe(name)
