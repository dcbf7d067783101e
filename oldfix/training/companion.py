"""Finished networks that a training builds on: others, or the one that it goes on with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from torch import nn

from oldfix.engine.tensors import UNFIT, read_network
from oldfix.errors import UsageError, first_line
from oldfix.weights.card import WeightsCard
from oldfix.weights.store import Store


def installed(card: WeightsCard) -> Path:
    """Return the verified weights file of a card, as ``oldfix restore`` would find it.

    Raises:
        WeightsError: it is not installed, or is not the file the card describes.
    """
    return Store().verify(card)


def installed_network(card: WeightsCard) -> nn.Module:
    """Return the network of an installed card, frozen, on the CPU.

    Raises:
        WeightsError: it is not installed, is not the file the card describes, or does not open.
    """
    net: nn.Module = Store().network(card)
    return net.eval().requires_grad_(False)


def best_installed(cards: Iterable[WeightsCard], role: str) -> WeightsCard | None:
    """Return the card of a role with the highest rank of those whose file is there, or None."""
    return Store().best(cards, role)


def start_from(net: nn.Module, path: Path) -> None:
    """Give a network the tensors of a weights file, to be trained further.

    Raises:
        UsageError: the file cannot be read, or belongs to another network.
    """
    try:
        net.load_state_dict(read_network(path)[1])
    except UNFIT as error:
        raise UsageError(
            f"{path}: does not fit this network ({first_line(error)}); leave out --init"
        ) from error
