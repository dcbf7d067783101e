"""``oldfix bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oldfix.cli.console import say, tell
from oldfix.cli.options import AsJson

_DEFAULT_OUT = Path("out/bench")


def bench(
    megapixels: Annotated[float, typer.Option(min=0.01, help="Size of the portrait.")] = 1.0,
    scan_megapixels: Annotated[
        float, typer.Option("--scan", min=0, help="Size of the large scan; 0 leaves it out.")
    ] = 24.0,
    threads: Annotated[int | None, typer.Option(min=1, help="All processors if left out.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 …")] = "cpu",
    out: Annotated[Path, typer.Option("-o", "--output", metavar="FOLDER")] = _DEFAULT_OUT,
    as_json: AsJson = False,
) -> None:
    """Measure speed, memory and start-up here.

    Every stage and the whole chain, each in a process of its own. Writes benchmarks.md and
    benchmarks.json.
    """
    from oldfix.evaluation.bench import bench as measure

    page = measure(
        out, megapixels, threads, scan_megapixels=scan_megapixels, device=device, say=tell
    )
    if as_json:
        say(page.with_suffix(".json").read_text("utf-8").rstrip())
        return
    say(page.read_text("utf-8"))
    say(str(page))
