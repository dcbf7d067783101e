"""Pipelines: an ordered list of steps, from TOML, flags or Python."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from oldfix.errors import PipelineError, UsageError
from oldfix.keys import IMAGE, Key
from oldfix.options import STEP_KEYS, did_you_mean

if TYPE_CHECKING:
    from oldfix.plan import Plan
    from oldfix.registry import Registry
    from oldfix.weights.store import Store


@dataclass(frozen=True)
class Step:
    """One step of a pipeline.

    Attributes:
        use: name of a stage, or of a role that a stage fills.
        id: unique in the pipeline; the stage's name unless given.
        options: the stage's options that differ from their defaults.
        blend: 0 keeps the picture as it was before the step, 1 takes the step's result.
        only: name of a mask key; the step changes the picture only where the mask is.
        when: name of a switch; the step runs only if it is on.
    """

    use: str
    id: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    blend: float = 1.0
    only: str = ""
    when: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.id or self.use)
        object.__setattr__(self, "options", dict(self.options))

    def to_table(self) -> dict[str, Any]:
        """The step as a TOML table, without what is at its default."""
        table = {name: value for name, value in asdict(self).items() if value not in ("", {})}
        if self.id == self.use:
            del table["id"]
        if self.blend == 1.0:
            del table["blend"]
        return table


@dataclass(frozen=True)
class Pipeline:
    """A named, ordered list of steps; checked only when planned."""

    steps: tuple[Step, ...]
    name: str = "pipeline"

    @classmethod
    def of(cls, *uses: str, name: str = "pipeline") -> Pipeline:
        """A pipeline of stages by name; a repeated stage gets ``-2``, ``-3`` … as its id."""
        seen: dict[str, int] = {}
        steps = []
        for use in uses:
            seen[use] = seen.get(use, 0) + 1
            steps.append(Step(use, id=use if seen[use] == 1 else f"{use}-{seen[use]}"))
        return cls(tuple(steps), name)

    @classmethod
    def from_toml(cls, text: str, *, where: str = "pipeline") -> Pipeline:
        """Read a pipeline from TOML text.

        Raises:
            PipelineError: not TOML, or not shaped like a pipeline; all problems at once.
        """
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise PipelineError(where, [f"is not TOML: {error}"]) from None
        return cls.from_table(table, where=where)

    @classmethod
    def from_table(cls, table: Mapping[str, Any], *, where: str = "pipeline") -> Pipeline:
        """Read a pipeline from a table (parsed TOML or JSON).

        Raises:
            PipelineError: not shaped like a pipeline; all problems at once.
        """
        problems = [
            f"no key named '{key}'; it has: name, step" for key in set(table) - {"name", "step"}
        ]
        steps = table.get("step", [])
        if not isinstance(steps, list) or not steps:
            problems.append('has no steps; write at least one [[step]] with use = "STAGE"')
            steps = []
        for number, step in enumerate(steps, 1):
            problems += [f"step {number}: {text}" for text in _shape_problems(step)]
        if problems:
            raise PipelineError(where, problems)
        return cls(tuple(Step(**step) for step in steps), str(table.get("name", where)))

    @classmethod
    def read(cls, path: Path | str) -> Pipeline:
        """Read a pipeline from a TOML file.

        Raises:
            UsageError: the file cannot be read.
            PipelineError: it is no pipeline.
        """
        try:
            text = Path(path).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path}: cannot be read as a pipeline ({error})") from error
        return cls.from_toml(text, where=str(path))

    def to_table(self) -> dict[str, Any]:
        """The pipeline as a table, ready for TOML or JSON."""
        return {"name": self.name, "step": [step.to_table() for step in self.steps]}

    def to_toml(self) -> str:
        """The pipeline as TOML text; `from_toml` gives an equal pipeline back."""
        return tomli_w.dumps(self.to_table())

    def set(self, where: str, value: Any) -> Pipeline:
        """Return a pipeline with ``"step.option"`` set.

        Raises:
            UsageError: no such step, or not of the form step.option.
        """
        step_id, dot, option = where.partition(".")
        ids = [step.id for step in self.steps]
        if not dot or not option:
            raise UsageError(f"'{where}': must be of the form step.option")
        if step_id not in ids:
            cure = did_you_mean(step_id, ids) or f"; it has: {', '.join(ids)}"
            raise UsageError(f"'{where}': {self.name} has no step '{step_id}'{cure}")
        return replace(
            self,
            steps=tuple(
                replace(step, options={**step.options, option: value})
                if step.id == step_id
                else step
                for step in self.steps
            ),
        )

    def switched(self, on: Iterable[str]) -> Pipeline:
        """Return a pipeline without the steps whose switch (``when``) is not on."""
        wanted = {"", *on}
        return replace(self, steps=tuple(step for step in self.steps if step.when in wanted))

    def plan(
        self,
        registry: Registry,
        *,
        given: Iterable[Key[Any]] = (IMAGE,),
        settings: Mapping[str, Mapping[str, str]] | None = None,
        store: Store | None = None,
    ) -> Plan:
        """Check the pipeline against what is installed; see `oldfix.plan.make_plan`."""
        from oldfix.plan import make_plan

        return make_plan(self, registry, given=given, settings=settings or {}, store=store)


def _shape_problems(step: Any) -> list[str]:
    """What keeps a table from being a step."""
    if not isinstance(step, dict) or not isinstance(step.get("use"), str) or not step["use"]:
        return ['needs use = "STAGE"']
    problems = [
        f"no key named '{key}'{did_you_mean(key, STEP_KEYS)}; options go into options = {{…}}"
        for key in set(step) - STEP_KEYS
    ]
    for key in ("id", "only", "when"):
        if not isinstance(step.get(key, ""), str):
            problems.append(f"{key} must be text, got {step[key]!r}")
    if not isinstance(step.get("options", {}), dict):
        problems.append(f"options must be a table, got {step['options']!r}")
    blend = step.get("blend", 1.0)
    if isinstance(blend, bool) or not isinstance(blend, int | float) or not 0 <= blend <= 1:
        problems.append(f"blend must be a number between 0 and 1, got {blend!r}")
    return problems
