"""``oldfix train``."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from oldfix.cli.console import say, tell
from oldfix.cli.options import Seed, flat
from oldfix.errors import UsageError
from oldfix.options import did_you_mean

if TYPE_CHECKING:
    from oldfix.training import TrainRequest
    from oldfix.weights.card import WeightsCard


@dataclass(frozen=True)
class TrainFlags:
    """How a network is trained, and where it goes."""

    out: Annotated[Path, typer.Option("-o", "--output", help="Folder of the run.")] = Path("runs")
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="Time box of the whole run, not the recipe's.")
    ] = None
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1 …")] = "cpu"
    seed: Seed = 0
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint.")] = False
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew where a run lies already.")
    ] = False
    init: Annotated[
        Path | None,
        typer.Option(metavar="FILE|NAME", help="Weights to start from: a file, or installed ones."),
    ] = None
    workers: Annotated[int, typer.Option(min=0, help="Processes that make samples.")] = 1
    recipe: Annotated[
        str | None,
        typer.Option(help="One of the network's recipes; by default cpu or gpu, as the device."),
    ] = None

    def request(self, card: WeightsCard, data: Iterable[Path]) -> TrainRequest:
        """Ask for a card's network, in a folder of its own.

        Raises:
            UsageError: a run lies there, and it is neither resumed nor overwritten, or it shall be
                both.
        """
        from oldfix.training import TrainRequest

        values = {name: value for name, value in vars(self).items() if name != "overwrite"} | {
            "out": self.out / card.id,
            "init": self.init and _weights(self.init),
            "recipe": self.recipe or ("cpu" if self.device == "cpu" else "gpu"),
        }
        request = TrainRequest(data=tuple(data), card=card, **values)
        if self.resume and self.overwrite:
            raise UsageError(f"train {card.id}: either --resume or --overwrite; leave one out")
        if not (self.resume or self.overwrite) and any(request.out.rglob(request.checkpoint.name)):
            raise UsageError(
                f"train {card.id}: {request.out} holds a run; go on with --resume, begin anew with "
                "--overwrite, or choose another folder with -o"
            )
        return request


@dataclass(frozen=True)
class PackFlags:
    """Writing the photographs into one file instead."""

    pack: Annotated[
        Path | None,
        typer.Option(help="Only write the photographs into this .zip, to be given as --data."),
    ] = None
    max_side: Annotated[
        int, typer.Option(min=64, help="With --pack: longer side of the photographs, in pixels.")
    ] = 1024


@flat
def train(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Weights that can be trained.")],
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="FOLDER", help="Photographs; repeat for more."),
    ],
    *,
    flags: TrainFlags,
    packing: PackFlags,
) -> None:
    """Train a small network on your photographs.

    The network, its card, its checkpoint and its log go into OUTPUT/NAME.
    """
    from oldfix.registry import discover

    trainable = {card.id: card for card in discover().cards.values() if card.train}
    if name not in trainable:
        cure = did_you_mean(name, trainable) or f"; there are: {', '.join(trainable) or 'none'}"
        raise UsageError(f"train {name}: no weights of this name can be trained{cure}")
    for path in data:
        if not path.exists():
            raise UsageError(f"train {name}: {path} does not exist; check the name")
    if packing.pack is not None:
        _pack(data, packing.pack, packing.max_side)
        return
    _train(trainable[name], flags.request(trainable[name], data), overwrite=flags.overwrite)


def _train(card: WeightsCard, request: TrainRequest, *, overwrite: bool) -> None:
    import torch

    from oldfix.checkout import commit
    from oldfix.keys import resolve
    from oldfix.training.loop import device_of

    device_of(request)
    commit()  # which one it is may change while the training goes on
    if overwrite:
        # Of a run with several phases too: a later --resume must not take an old one for finished.
        # Kept under another name, as what is asked for may still turn out not to be possible.
        for file in request.out.rglob(request.checkpoint.name):
            file.replace(file.with_suffix(".old"))
    minutes = request.minutes
    box = f"{minutes:g} minutes" if minutes else f"the minutes of recipe {request.recipe}"
    tell(f"training {card.id} for {box} on {request.device}; log and checkpoint in {request.out}")
    torch.manual_seed(request.seed)  # a network is built, with random values, before it is trained
    with _logged():
        say(str(resolve(card.train)(request)))


@contextmanager
def _logged() -> Iterator[None]:
    """Tell what a training logs while it runs."""
    log, handler = logging.getLogger("oldfix.training"), _Teller()
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


class _Teller(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tell(record.getMessage())


def _weights(init: Path) -> Path:
    """Return the file to start from; a name that is no file is that of installed weights."""
    from oldfix.registry import discover
    from oldfix.training import installed

    if init.is_file():
        return init
    cards = discover().cards
    if str(init) not in cards:
        cure = did_you_mean(str(init), cards) or "; give a file, or a name of 'oldfix weights list'"
        raise UsageError(f"train --init {init}: neither a file nor the name of weights{cure}")
    return installed(cards[str(init)])


def _pack(data: list[Path], file: Path, max_side: int) -> None:
    from oldfix.training import PhotoPool, pack

    if file.suffix != ".zip":
        raise UsageError(f"train --pack {file}: the name of a pack ends in .zip; give such a name")
    photographs = PhotoPool.read(data, max_side=max_side)
    quality = pack(photographs, file)
    size = file.stat().st_size / 2**20
    tell(f"{len(photographs)} photographs at WebP quality {quality}: {size:.1f} MiB")
    say(str(file))
