"""Options of stages: pydantic models, with pydantic's errors put into our words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo

#: Names a pipeline step uses itself, so no option may have them.
STEP_KEYS = frozenset({"use", "id", "blend", "only", "when", "options"})


class OptionProblems(ValueError):
    """Options that do not fit a model.

    Attributes:
        problems: one line for each problem, each naming the option and its value.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class Options(BaseModel):
    """Base class of a stage's options: frozen, no unknown names, every field described.

    Subclass it with plain pydantic fields::

        class DustOptions(Options):
            radius_px: int = Field(2, ge=1, le=16, description="largest speck, in pixels")
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        reserved = STEP_KEYS & set(cls.__annotations__)
        if reserved:
            raise TypeError(f"{cls.__name__}: {sorted(reserved)} are names of step keys")

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, text: bool = False) -> Self:
        """Build the options from values of TOML or Python, or from text of ``--set``.

        Args:
            values: option names and values.
            text: read values as text ("0.4", "true"), as the command line gives them;
                otherwise types must fit exactly (an int passes for a float).

        Raises:
            OptionProblems: unknown names, wrong types or values out of range, all at once.
        """
        try:
            return cls.model_validate(dict(values), strict=not text)
        except ValidationError as error:
            raise OptionProblems(_explain(cls, problem) for problem in error.errors()) from None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or the empty string."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def describe_range(field: FieldInfo) -> str:
    """Return a field's limits in words (``"between 0 and 1"``), or the empty string."""
    limits = {
        name: getattr(item, name)
        for item in field.metadata
        for name in ("ge", "gt", "le", "lt")
        if getattr(item, name, None) is not None
    }
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if low is not None and high is not None:
        return f"between {low} and {high}"
    if low is not None:
        return f"at least {low}" if "ge" in limits else f"more than {low}"
    if high is not None:
        return f"at most {high}" if "le" in limits else f"less than {high}"
    return ""


def _explain(model: type[Options], problem: Mapping[str, Any]) -> str:
    """Turn one pydantic problem into a line: what is wrong, the value, what would do."""
    name = ".".join(str(part) for part in problem["loc"]) or "options"
    value = problem.get("input")
    if problem["type"] == "extra_forbidden":
        known = sorted(model.model_fields)
        cure = did_you_mean(name, known) or f"; it has: {', '.join(known) or 'no options'}"
        return f"no option named '{name}'{cure}"
    field = model.model_fields.get(name)
    limits = describe_range(field) if field is not None else ""
    if limits and problem["type"].startswith(("greater_than", "less_than")):
        return f"{name} must be {limits}, got {value!r}"
    text = str(problem["msg"])
    return f"{name}: {text[:1].lower()}{text[1:]}, got {value!r}"


__all__ = ["STEP_KEYS", "Field", "OptionProblems", "Options", "describe_range", "did_you_mean"]
