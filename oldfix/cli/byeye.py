"""What ``oldfix eval`` and its comparisons by eye share: options and finding photographs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated

import typer

from oldfix.cli.options import AsJson, Device, Seed
from oldfix.errors import UsageError

#: Options that mean something for some comparisons only: field -> (option, comparisons).
_ONLY_FOR = {
    "pipeline": ("-p", ("survey",)),
    "crops": ("--crops", ("survey",)),
    "recipe": ("--recipe", ("aged",)),
    "score": ("--score", ("blind", "survey")),
    "images": ("--images", ("curves", "seeds")),
    "target": ("--target", ("curves",)),
}


@dataclass(frozen=True)
class EvalFlags:
    """Where results go, on how much, and what the comparisons by eye are told."""

    out: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER")] = Path("out/eval")
    seed: Seed = 0
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures.")] = None
    pipeline: Annotated[
        str,
        typer.Option("-p", "--pipeline", metavar="FILE|NAME", help="For survey: what to look at."),
    ] = "restore"
    crops: Annotated[
        int, typer.Option(min=0, help="For survey: how many changed places at full size.")
    ] = 30
    recipe: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="For aged: what happens to photographs.")
    ] = "old-photo"
    score: Annotated[
        list[Path],
        typer.Option(
            "--score",
            metavar="FILE",
            help="For blind, survey: count what a judge filled in; repeat for more.",
        ),
    ] = field(default_factory=list)
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", metavar="FOLDER", help="For curves, seeds: pictures, if not in -o."
        ),
    ] = None
    target: Annotated[
        list[float],
        typer.Option(
            "--target", metavar="SCORE", help="For curves: the score wanted; repeat, one a curve."
        ),
    ] = field(default_factory=list)
    device: Device = "auto"
    as_json: AsJson = False

    def refuse_strays(self, name: str) -> None:
        """Refuse options that mean nothing for a set or a comparison.

        Raises:
            UsageError: names the first and where it belongs.
        """
        plain = EvalFlags()
        for item in fields(self):
            option, homes = _ONLY_FOR.get(item.name, ("", (name,)))
            if name not in homes and getattr(self, item.name) != getattr(plain, item.name):
                places = "' and '".join(homes)
                raise UsageError(f"eval {name}: {option} goes with '{places}' alone; leave it out")


def photographs(items: Iterable[str], limit: int | None = None) -> list[Path]:
    """The photographs that files, folders and globs name; at even distances if limited.

    Raises:
        UsageError: one of them gives nothing, or does not exist.
    """
    from oldfix.files.find import find_photos

    found, problems = find_photos(items)
    missing = [one.path for one in found if not one.path.exists()]
    if problems or missing:
        raise UsageError(str(problems[0] if problems else f"{missing[0]}: does not exist"))
    count = min(limit or len(found), len(found))
    return [found[index * len(found) // count].path for index in range(count)]
