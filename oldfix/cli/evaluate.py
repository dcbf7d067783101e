"""``oldfix eval``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from oldfix.cli.blind import BlindFlags, compare
from oldfix.cli.console import say, say_json, say_table, tell
from oldfix.cli.options import AsJson, Device, Seed
from oldfix.errors import UsageError


def evaluate(
    name: Annotated[
        str, typer.Argument(metavar="[SET|all|blind]", help="All sets are listed if none.")
    ] = "",
    blind: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[A B PHOTO...]",
            help="For blind: two pipelines, or folders of finished pictures, and photographs.",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FOLDER", help="Pictures to measure on.")
    ] = None,
    out: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER")] = Path("out/eval"),
    seed: Seed = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pictures.")] = None,
    rivals: Annotated[
        Path | None,
        typer.Option(
            "--rivals", metavar="FOLDER", help="Published networks to measure too [$OLDFIX_RIVALS]."
        ),
    ] = None,
    score: Annotated[
        list[Path] | None,
        typer.Option(
            "--score", metavar="VOTES", help="For blind: count a judge's votes; repeat for more."
        ),
    ] = None,
    device: Device = "auto",
    as_json: AsJson = False,
) -> None:
    """Measure the stages on a set of pictures.

    They stand beside doing nothing, classical methods and published networks. Writes tables and
    contact sheets.

    `eval blind A B PHOTO...` compares two results by eye: shuffled sheets and an empty ballot go
    to the folder `blind` below -o, and the key beside it; `eval blind --score VOTES` counts.
    """
    if name == "blind":
        compare(blind or [], score or [], BlindFlags(out, seed, device, as_json))
        return
    if blind or score:
        raise UsageError(f"eval {name}: takes one set; A, B, photos and --score go with 'blind'")
    if not name:
        _list(as_json=as_json)
        return
    if data is None:
        raise UsageError(f"eval {name}: needs photographs; add --data FOLDER")
    from oldfix.evaluation.evaluate import Evaluation, open_host
    from oldfix.evaluation.rivals import Rivals

    host = open_host(device=device, seed=seed)
    page = Evaluation(data, out, seed, limit, host, tell, Rivals.open(rivals)).run(name)
    if as_json:
        say_json(_tables(page.with_suffix(".json")))
        return
    say(page.read_text("utf-8"))
    say(str(page))


def _tables(file: Path) -> dict[str, Any]:
    """The tables that were written, by the name of their set."""
    content = json.loads(file.read_text("utf-8"))
    tables = content if isinstance(content, list) else [content]
    return {table["name"]: table for table in tables}


def _list(*, as_json: bool) -> None:
    from oldfix.evaluation.sets import load_sets

    sets = load_sets()
    if as_json:
        say_json([item.model_dump(mode="json") for item in sets.values()])
        return
    say_table(("set", "measures"), ((item.name, item.summary) for item in sets.values()))
