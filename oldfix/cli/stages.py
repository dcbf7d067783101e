"""``oldfix stages``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from oldfix.cli.console import say, say_json, say_table
from oldfix.cli.options import AsJson
from oldfix.options import describe_range

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from oldfix.registry import Registry
    from oldfix.stage import StageSpec


def stages(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Show this stage's options.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the stages, or show one with its options."""
    from oldfix.registry import discover

    registry = discover()
    if name:
        _show(registry.resolve(name), registry, as_json=as_json)
        return
    if as_json:
        say_json([describe(spec, registry) for spec in registry.stages.values()])
        return
    say_table(
        ("stage", "does", "roles", "plugin"),
        (
            (spec.name, spec.summary, ", ".join(sorted(spec.roles)), registry.owner(spec.name))
            for spec in registry.stages.values()
        ),
    )


def describe(spec: StageSpec, registry: Registry) -> dict[str, Any]:
    """Return a stage as data: what it does, takes and gives, and its options."""
    return {
        "name": spec.name,
        "summary": spec.summary,
        "plugin": registry.owner(spec.name),
        "roles": sorted(spec.roles),
        **{
            name: sorted(key.name for key in getattr(spec, name))
            for name in ("needs", "uses", "produces")
        },
        "resizes": spec.resizes,
        "colours": spec.colours,
        "weights": dict(spec.weights),
        "options": [_option(name, item) for name, item in spec.options.model_fields.items()],
    }


def _option(name: str, item: FieldInfo) -> dict[str, Any]:
    kind = getattr(item.annotation, "__name__", None)
    plain = kind if kind and "[" not in str(item.annotation) else str(item.annotation)
    return {
        "name": name,
        "type": plain.removeprefix("typing."),
        "default": None if item.is_required() else item.get_default(call_default_factory=True),
        "range": describe_range(item),
        "description": item.description or "",
    }


def _show(spec: StageSpec, registry: Registry, *, as_json: bool) -> None:
    content = describe(spec, registry)
    if as_json:
        say_json(content)
        return
    say(f"{spec.name}: {spec.summary}")
    for name in ("plugin", "roles", "needs", "uses", "produces"):
        value = content[name] if isinstance(content[name], str) else ", ".join(content[name])
        say(f"  {name:<9} {value or 'none'}")
    say_table(
        ("option", "type", "default", "range", "meaning"),
        (
            (item["name"], item["type"], item["default"], item["range"], item["description"])
            for item in content["options"]
        ),
    )
