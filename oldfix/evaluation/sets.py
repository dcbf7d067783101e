"""Fixed sets: which pictures, which crops, which damage, decided by data and a seed alone."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from oldfix.errors import UsageError
from oldfix.options import did_you_mean

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})


class Also(BaseModel):
    """A stage measured once more.

    Attributes:
        stage: its name; where it is not installed there is no row.
        options: with which it is run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    options: Mapping[str, Any]


class EvaluationSet(BaseModel):
    """One set of ``sets.toml``.

    Attributes:
        name: what ``oldfix eval`` calls it.
        summary: what it measures, in one line.
        note: conventions of its own, printed with the table.
        stages: roles or names of the stages measured.
        also: stages measured once more, with other options than their defaults.
        networks: roles of networks that are measured on their own.
        chain: switches with which the preset chain is measured too; empty leaves it out.
        rows: which classical and rival rows stand beside; empty for the name's first word.
        metrics: what is measured; the first decides what is best and worst.
        published: method -> figure that was not measured here.
        patterns: globs below the data folder.
        first, every: of a pattern's pictures, every so-manieth from this one on is a candidate; a
            number for each pattern, or none for all of them.
        pair: what the name of a question's file has, and what its answer's has instead.
        recipe: damage recipe of ``damage.toml``, or empty.
        without: kinds of damage left out of the recipe.
        sigma: deviation of white Gaussian noise, on the 0-255 scale, instead of a recipe.
        reference: photograph that references of a colour set are cut from: the same, or another.
        factor: how many times smaller than its answer a question is.
        crop: side of the square cut from each picture, in pixels; 0 takes the picture whole.
        count: number of pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    summary: str
    note: str = ""
    stages: tuple[str, ...] = ()
    also: tuple[Also, ...] = ()
    networks: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    rows: str = ""
    metrics: tuple[str, ...]
    published: Mapping[str, str] = Field(default_factory=dict)
    patterns: tuple[str, ...]
    first: int = Field(0, ge=0)
    every: tuple[Annotated[int, Field(ge=1)], ...] = ()
    pair: tuple[str, str] | None = None
    recipe: str = ""
    without: tuple[str, ...] = ()
    sigma: float = Field(0, ge=0)
    reference: Literal["same", "other"] = "same"
    factor: int = Field(1, ge=1)
    crop: int = Field(ge=0)
    count: int = Field(ge=1)

    @model_validator(mode="after")
    def _every_fits(self) -> Self:
        if self.every and len(self.every) != len(self.patterns):
            raise ValueError(f"{self.name}: every needs one number for each of its patterns")
        return self

    @property
    def family(self) -> str:
        """The first word of the name: what kind of question the set asks."""
        return self.name.partition("-")[0]

    @property
    def kind_of_rows(self) -> str:
        """Which classical and rival rows stand beside the stages."""
        return self.rows or self.family


def load_sets() -> dict[str, EvaluationSet]:
    """Read the sets that come with oldfix, by name."""
    tables = tomllib.loads(Path(__file__).with_name("sets.toml").read_text("utf-8"))
    return {name: EvaluationSet(name=name, **table) for name, table in tables.items()}


def load_set(name: str) -> EvaluationSet:
    """Return one set.

    Raises:
        UsageError: there is no set of exactly that name.
    """
    found = choose_sets(name)
    if found[0].name != name:
        parts = ", ".join(chosen.name for chosen in found)
        raise UsageError(f"eval: '{name}' is not one set; choose of {parts}")
    return found[0]


def choose_sets(name: str) -> list[EvaluationSet]:
    """Return the sets that a name means: one, those of which it is the first word, or "all".

    Raises:
        UsageError: it means none.
    """
    sets = load_sets()
    if name in sets:
        return [sets[name]]
    found = [chosen for chosen in sets.values() if name in (chosen.family, "all")]
    if not found:
        families = dict.fromkeys(chosen.family for chosen in sets.values())
        cure = did_you_mean(name, [*families, *sets]) or f"; there are: {', '.join(families)}, all"
        raise UsageError(f"eval: no set named '{name}'{cure}")
    return found


def pick_files(chosen: EvaluationSet, data: Path, limit: int | None = None) -> list[Path]:
    """Pick a set's pictures below a folder: at even distances in sorted order.

    Args:
        chosen: the set.
        data: folder of pictures; its patterns are tried first, then everything in it.
        limit: at most so many, if given.

    Raises:
        UsageError: there is no such folder, it holds no picture, or no pair where the set asks for
            pairs.
    """
    if not data.is_dir():
        raise UsageError(f"{data}: is no folder; check what is given as --data")
    strides = chosen.every or (1,) * len(chosen.patterns)
    found = [
        path
        for pattern, stride in zip(chosen.patterns, strides, strict=True)
        for path in _pictures(data, pattern)[chosen.first :: stride]
    ] or _pictures(data, "**/*")
    if not found:
        kinds = ", ".join(sorted(_SUFFIXES))
        raise UsageError(f"{data}: holds no picture ({kinds}); give --data a folder that does")
    if chosen.pair is not None:
        found = [path for path in found if answer_of(path, chosen.pair) is not None]
        if not found:
            asked, given = (f"X{end}" for end in chosen.pair)
            raise UsageError(f"{data}: holds no pair of files named {asked} and {given}; add some")
    count = min(chosen.count, len(found), limit or chosen.count)
    return [found[index * len(found) // count] for index in range(count)]


def answer_of(path: Path, pair: tuple[str, str]) -> Path | None:
    """The file beside a question's file that answers it, or None."""
    asked, given = pair
    if not path.stem.endswith(asked):
        return None
    answer = path.with_stem(path.stem.removesuffix(asked) + given)
    return answer if answer.is_file() else None


def _pictures(data: Path, pattern: str) -> list[Path]:
    return sorted(p for p in data.glob(pattern) if p.suffix.lower() in _SUFFIXES and p.is_file())
