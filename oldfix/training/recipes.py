"""Recipes of training as data: one table for each network and kind of machine.

A plugin keeps them in a TOML file::

    [my-net.cpu]
    minutes = 60
    network = { width = 32 }

    [my-net.cpu.phases.whole]
    batch = 16
    learning_rate = 5e-4

A recipe of several phases gives each its ``share`` of the time.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from oldfix.errors import UsageError
from oldfix.options import did_you_mean
from oldfix.training.settings import Settings, TrainRequest


class Phase(BaseModel):
    """A part of a run with settings of its own.

    Attributes:
        share: its part of the time box.
        settings: how it trains.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(1.0, gt=0, le=1)
    settings: Settings

    @model_validator(mode="before")
    @classmethod
    def _settings_beside_share(cls, table: Any) -> Any:
        if not isinstance(table, Mapping) or "settings" in table:
            return table
        share = {"share": table["share"]} if "share" in table else {}
        return {**share, "settings": {k: v for k, v in table.items() if k != "share"}}


class TrainingRecipe(BaseModel):
    """How a network is trained on one kind of machine.

    Attributes:
        minutes: time box, unless the user gives another.
        network: keyword arguments of the network, where they differ from its defaults.
        goes_on: whether it goes on with a network that is there, and ``init`` must name it.
        start: what is done to the network of ``init`` before it is trained; the network's own
            training says what it may hold, and most know nothing of it.
        phases: in the order in which they run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    minutes: float = Field(gt=0)
    network: dict[str, Any] = Field(default_factory=dict)
    goes_on: bool = False
    start: dict[str, Any] = Field(default_factory=dict)
    phases: dict[str, Phase] = Field(min_length=1)

    def part(self, request: TrainRequest, phase: str) -> TrainRequest:
        """Return the request of one phase: its share of the time, and a folder of its own.

        Only the first phase starts from ``init``; a single one needs no folder.
        """
        minutes = (request.minutes or self.minutes) * self.phases[phase].share
        first = phase == next(iter(self.phases))
        out = request.out / phase if len(self.phases) > 1 else request.out
        return replace(request, out=out, minutes=minutes, init=request.init if first else None)


def read_recipe(file: Path, network: str, request: TrainRequest) -> TrainingRecipe:
    """Read the recipe that a request names.

    Args:
        file: the plugin's TOML.
        network: name of the first table.
        request: its ``recipe`` is the name of the second.

    Raises:
        UsageError: there is no such recipe, it is not complete, or it goes on with a network
            that the request does not name.
    """
    tables = tomllib.loads(file.read_text("utf-8")).get(network, {})
    if request.recipe not in tables:
        cure = did_you_mean(request.recipe, tables) or f"; there are: {', '.join(tables) or 'none'}"
        raise UsageError(f"train {network}: no recipe {request.recipe!r}{cure}")
    try:
        recipe = TypeAdapter(TrainingRecipe).validate_python(tables[request.recipe])
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()
        )
        raise UsageError(f"{file}: recipe {network}.{request.recipe}: {problems}") from None
    if recipe.goes_on and request.init is None:
        raise UsageError(
            f"train {network}: the recipe {request.recipe!r} goes on with a network that is there; "
            "name it by --init"
        )
    return recipe
