"""Recipes of damage: data that says what happens to a picture, in which order, how often."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
import tomli_w
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from oldfix.errors import UsageError
from oldfix.options import did_you_mean

from .kinds import KINDS, parameters_of

Group = Literal["tone", "texture", "structure"]
Probability = Annotated[float, Field(ge=0, le=1, strict=True)]
_STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Range(BaseModel):
    """Where a parameter is drawn from.

    Attributes:
        low: smallest value.
        high: largest value; equal to ``low`` for a fixed value.
        log: draw the logarithm evenly, so that small values are as frequent as large ones.
    """

    model_config = _STRICT

    low: float = Field(strict=True)
    high: float = Field(strict=True)
    log: bool = Field(False, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"low": value, "high": value}
        if isinstance(value, list | tuple) and len(value) == 2:
            return {"low": value[0], "high": value[1]}
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError(f"a log range must begin above 0, not at {self.low:g}")
        return self

    def draw(self, rng: np.random.Generator) -> float:
        """Return one value."""
        if self.log:
            return float(np.exp(rng.uniform(np.log(self.low), np.log(self.high))))
        return float(rng.uniform(self.low, self.high))


def _check_limits(name: str, check: TypeAdapter[float], value: float) -> None:
    """Raise ValueError where the value is outside of what the parameter allows."""
    try:
        check.validate_python(value)
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Input ")
        raise ValueError(f"{name} {problem}, got {value:g}") from None


class Step(BaseModel):
    """One kind of damage within a recipe.

    Attributes:
        kind: name of the damage, a key of `KINDS`.
        group: "tone" steps also happen to the target; "structure" steps count as defects;
            "texture" is everything else a restorer should take away.
        probability: how often the step happens.
        parameters: ranges of the kind's parameters; those left out keep their defaults.
    """

    model_config = _STRICT

    kind: str
    group: Group
    probability: Probability = 1.0
    parameters: Mapping[str, Range] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.kind not in KINDS:
            raise ValueError(f"no damage named '{self.kind}'{did_you_mean(self.kind, KINDS)}")
        known = parameters_of(self.kind)
        for name, values in self.parameters.items():
            if name not in known:
                cure = did_you_mean(name, known) or f"; it has: {', '.join(known)}"
                raise ValueError(f"{self.kind} has no parameter '{name}'{cure}")
            for end in (values.low, values.high):
                _check_limits(f"{self.kind}.{name}", known[name], end)
        return self


class Recipe(BaseModel):
    """Ordered steps of damage.

    Attributes:
        name: what the recipe is called.
        summary: one line saying what it imitates.
        chance: how often a group happens at all, by group; 1 for those left out.
        shuffle: how often the texture steps happen in a random order instead.
        step: the steps, in the order in which they happen.
    """

    model_config = _STRICT

    name: str
    summary: str
    chance: Mapping[Group, Probability] = Field(default_factory=dict)
    shuffle: Probability = 0.0
    step: tuple[Step, ...] = Field(min_length=1)

    def to_toml(self) -> str:
        """Return the recipe as the text of a file that `load_recipe` reads back unchanged."""
        return tomli_w.dumps(self.model_dump(mode="json"))


#: Other names of recipes, which came first.
_ALIASES = {"face": "face-gfpgan"}
_WHITE_NOISE = "gaussian-"


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with oldfix.

    ``gaussian-SIGMA`` stands for all recipes of white noise, with any number.
    """
    folder = resources.files(__package__) / "recipes"
    files = [Path(entry.name).stem for entry in folder.iterdir() if entry.name[-5:] == ".toml"]
    return sorted([*files, f"{_WHITE_NOISE}25"])


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Return a recipe by its name, or from a TOML file.

    Raises:
        UsageError: there is no such recipe, or the file does not describe one.
    """
    if (noise := _white_noise(str(name_or_path))) is not None:
        return noise
    text, where = _read(name_or_path)
    try:
        return Recipe.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: not TOML ({error}); correct the file") from None
    except ValidationError as error:
        lines = "".join(f"\n  {_in_words(problem)}" for problem in error.errors())
        raise UsageError(f"{where}: not a recipe of damage; correct the file:{lines}") from None


def _white_noise(name: str) -> Recipe | None:
    """``gaussian-SIGMA``: white noise of that deviation, in 8-bit levels; None for other names."""
    text = name.removeprefix(_WHITE_NOISE)
    if text == name or name.endswith(".toml"):
        return None
    try:
        drawn = {"std": Range(low=float(text), high=float(text)), "colour": Range(low=1, high=1)}
        noise = Step(kind="gaussian_noise", group="texture", parameters=drawn)
    except ValueError:
        raise UsageError(
            f"recipe {name}: '{text}' is no deviation of noise; give a number of 8-bit levels, "
            "as in gaussian-25"
        ) from None
    summary = f"white Gaussian noise of deviation {text} in 8-bit levels"
    return Recipe(name=name, summary=summary, step=(noise,))


def _read(name_or_path: str | Path) -> tuple[str, str]:
    """Return a recipe's text and what to call it in messages."""
    name = _ALIASES.get(str(name_or_path), str(name_or_path))
    if not name.endswith(".toml"):
        if name in recipe_names():
            file = resources.files(__package__) / "recipes" / f"{name}.toml"
            return file.read_text(encoding="utf-8"), f"recipe {name}"
        cure = did_you_mean(name, recipe_names()) or f"; there are: {', '.join(recipe_names())}"
        if Path(name).exists():
            cure = "; the name of a recipe's file ends in .toml"
        raise UsageError(f"recipe {name}: there is none of this name{cure}")
    try:
        return Path(name).read_text(encoding="utf-8"), name
    except OSError as error:
        why = error.strerror or error
        raise UsageError(f"{name}: cannot be read ({why}); name a recipe or its file") from None
    except UnicodeDecodeError:
        raise UsageError(f"{name}: not UTF-8 text; name a recipe's TOML file") from None


def _in_words(problem: Mapping[str, Any]) -> str:
    """Return one line for one problem: where it is, what is wrong, and the value."""
    place = ".".join(str(part) for part in problem["loc"]) or "recipe"
    text = str(problem["msg"]).removeprefix("Value error, ")
    value = problem.get("input")
    shown = f", got {value!r}" if isinstance(value, str | int | float | bool) else ""
    return f"{place}: {text[:1].lower()}{text[1:]}{shown}"
