"""``oldfix faces``: the faces of photographs, each beside what refining made of it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Which(StrEnum):
    """Which of the faces found."""

    ALL = "all"
    CENTRE = "centre"
    LARGEST = "largest"


def faces(  # noqa: PLR0913 (a command's options)
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photographs.")],
    out: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER")] = Path("faces"),
    which: Annotated[Which, typer.Option(help="Which of the faces found.")] = Which.ALL,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="Each photograph is one aligned face already.")
    ] = False,
    model: Annotated[str, typer.Option(help="Weights of the refiner.")] = "auto",
    size: Annotated[int, typer.Option(min=64, max=2048, help="Side of a face, in pixels.")] = 512,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 …")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Cut faces out, aligned, as they are and as refined, side by side.

    The photographs themselves stay as they are; FOLDER receives NAME-1.png, NAME-2.png …, the
    largest face first.
    """
    # Help must not wait for what only running needs.
    from oldfix import IMAGE, PhotoError, Pipeline, Runner, Step, discover, read_photo
    from oldfix_faces.pairs import write_pairs

    plan = Pipeline(
        (
            Step("detect-faces", options={"which": which.value, "aligned": aligned}),
            Step("refine-faces", options={"model": model}),
        )
    ).plan(discover(), given={IMAGE})
    failed = False
    with Runner(device=device) as runner:
        for path in photos:
            try:
                written = None
                for written in write_pairs(runner, plan, read_photo(path), out, size, overwrite):
                    typer.echo(written)
                if written is None:
                    typer.echo(f"{path}: no face was found", err=True)
            except PhotoError as error:
                typer.echo(f"oldfix: {error}", err=True)
                failed = True
    if failed:
        raise typer.Exit(PhotoError.exit_code)
