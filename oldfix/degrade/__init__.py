"""Synthetic damage of old photographs: procedural, seeded, with its ground truth.

Every kind of damage is a pure function ``f(image, *, rng, ...)`` on float32 ``(H, W, 3)``
sRGB-encoded pictures. Structural kinds return ``(damaged, mask)``, where the mask is the damage's
opacity ``(H, W)`` and the picture is untouched wherever it is zero; the others return the damaged
picture. `age` carries a picture through a recipe of such steps.
"""

from .ageing import Aged, age
from .kinds import KINDS, parameters_of
from .recipe import Range, Recipe, Step, load_recipe, recipe_names

__all__ = [
    "KINDS",
    "Aged",
    "Range",
    "Recipe",
    "Step",
    "age",
    "load_recipe",
    "parameters_of",
    "recipe_names",
]
