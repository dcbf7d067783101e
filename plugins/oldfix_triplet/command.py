"""``oldfix import-triplet``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oldfix import UsageError


def import_triplet(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="global_checkpoints.zip, or a folder of it.")
    ],
    out: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="For the converted networks.")
    ] = Path("published"),
) -> None:
    """Convert the published networks of Bringing Old Photos Back to Life.

    Nothing is downloaded. Name the folder in OLDFIX_PLUGINS and OLDFIX_WEIGHTS, and
    restore-triplet takes them.
    """
    if not source.exists():
        raise UsageError(f"import-triplet: {source} does not exist; check the name")
    from oldfix_triplet.published import import_published

    for name in import_published(source, out):
        typer.echo(name)
    typer.echo(f"to use them: export OLDFIX_PLUGINS={out} OLDFIX_WEIGHTS={out}", err=True)
