"""Options that commands share, as dataclasses; `flat` spreads their fields over a command."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

Photos = Annotated[
    list[str], typer.Argument(metavar="PHOTO", help="Files, folders or globs.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")]
Seed = Annotated[int, typer.Option(help="Of everything random.", min=0)]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FOLDER|FILE", help="A file only for one photograph."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")]


@dataclass(frozen=True)
class PresetFlags:
    """What ``oldfix restore`` does."""

    faces: Annotated[bool, typer.Option("--faces", help="Find faces and refine them.")] = False
    colorize: Annotated[bool, typer.Option("--colorize", help="Give colour.")] = False
    references: Annotated[
        list[str],
        typer.Option(
            "--reference",
            metavar="FILE|FOLDER",
            help="Take colours from it; from a folder, the best.",
        ),
    ] = field(default_factory=list)
    recolor: Annotated[
        bool, typer.Option("--recolor", help="Colorize photographs that have colour, too.")
    ] = False
    no_scratches: Annotated[
        bool, typer.Option("--no-scratches", help="Do not look for scratches.")
    ] = False
    no_tone: Annotated[bool, typer.Option("--no-tone", help="Leave fading and casts.")] = False


@dataclass(frozen=True)
class ChainFlags:
    """Which pipeline runs."""

    pipeline: Annotated[
        str, typer.Option("-p", "--pipeline", metavar="FILE|NAME", help="A TOML file, or a name.")
    ] = ""
    steps: Annotated[
        list[str], typer.Option("--step", metavar="STAGE", help="A stage; repeat for a chain.")
    ] = field(default_factory=list)


@dataclass(frozen=True)
class PlanFlags:
    """How a pipeline is adjusted."""

    settings: Annotated[
        list[str],
        typer.Option("--set", metavar="STEP.OPTION=VALUE", help="Set an option of a step."),
    ] = field(default_factory=list)
    given: Annotated[
        list[str],
        typer.Option(
            "--give", metavar="KEY=FILE|FOLDER", help="Give a mask, references; by stem in folders."
        ),
    ] = field(default_factory=list)


@dataclass(frozen=True)
class OutputFlags:
    """Where results go, and in which form."""

    output: Output = None
    format: Annotated[
        str, typer.Option("--format", metavar="NAME", help="jpeg, png, tiff or webp.")
    ] = ""
    overwrite: Overwrite = False
    keep_steps: Annotated[
        bool, typer.Option("--keep-steps", help="Write the picture after every step, too.")
    ] = False
    as_json: AsJson = False
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False


@dataclass(frozen=True)
class RunFlags:
    """On what, and how exactly."""

    device: Device = "auto"
    precision: Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")] = "auto"
    seed: Seed = 0
    tile: Annotated[
        int | None, typer.Option(min=32, help="Side of a tile in pixels; less needs less memory.")
    ] = None
    batch: Annotated[int | None, typer.Option(min=1, help="Tiles run at a time.")] = None


def flat(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take dataclasses: each parameter that is one becomes its fields."""
    groups: dict[str, Any] = {
        name: kind
        for name, kind in get_type_hints(command, include_extras=True).items()
        if is_dataclass(kind)
    }

    @functools.wraps(command)
    def spread(**values: Any) -> None:
        packed = {
            name: kind(**{item.name: values.pop(item.name) for item in fields(kind)})
            for name, kind in groups.items()
        }
        command(**values, **packed)

    parameters = list(_spread_parameters(command, groups))
    spread.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    spread.__annotations__ = {item.name: item.annotation for item in parameters}
    return spread


def _spread_parameters(
    command: Callable[..., None], groups: dict[str, Any]
) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(command, include_extras=True)
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            kind = inspect.Parameter.KEYWORD_ONLY
            yield parameter.replace(annotation=hints[name], kind=kind)
            continue
        types = get_type_hints(groups[name], include_extras=True)
        for item in fields(groups[name]):
            yield inspect.Parameter(
                item.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=item.default if item.default is not MISSING else [],
                annotation=types[item.name],
            )
