"""``oldfix train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oldfix.cli.console import say, tell
from oldfix.cli.options import Seed
from oldfix.errors import UsageError
from oldfix.options import did_you_mean


def train(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Weights that can be trained.")],
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="FOLDER", help="Photographs; repeat for more."),
    ],
    out: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.")] = Path("runs"),
    minutes: Annotated[float, typer.Option(min=0.01, help="Time box of the whole run.")] = 40,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 …")] = "cpu",
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False,
    init: Annotated[Path | None, typer.Option(help="Weights to start from.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that make samples.")] = 1,
) -> None:
    """Train a small network on your photographs.

    The network, its checkpoint and its log go into OUTPUT/NAME.
    """
    from oldfix.photo import resolve
    from oldfix.registry import discover
    from oldfix.training import TrainRequest

    trainable = {card.id: card for card in discover().cards.values() if card.train}
    if name not in trainable:
        cure = did_you_mean(name, trainable) or f"; there are: {', '.join(trainable) or 'none'}"
        raise UsageError(f"train {name}: no weights of this name can be trained{cure}")
    for path in (*data, *([init] if init else [])):
        if not path.exists():
            raise UsageError(f"train {name}: {path} does not exist; check the name")
    folder = out / name
    request = TrainRequest(tuple(data), folder, minutes, device, seed, resume, init, workers)
    tell(f"training {name} for {minutes:g} minutes on {device}; log and checkpoint in {folder}")
    say(str(resolve(trainable[name].train)(request)))
