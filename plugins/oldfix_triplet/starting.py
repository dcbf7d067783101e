"""Weights that a training starts from."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from oldfix import UsageError, read_network


def start_from_file(net: nn.Module, path: Path | None) -> None:
    """Give a network the tensors of a weights file, if one is named.

    What is trained holds discriminators too, which a weights file does not; so this is done here,
    for the network alone, and not by `oldfix.training.fit`.

    Raises:
        UsageError: the file belongs to another network.
    """
    if path is None:
        return
    try:
        net.load_state_dict(read_network(path)[1])
    except RuntimeError as error:
        line = str(error).splitlines()[0]
        raise UsageError(f"{path}: does not fit this network ({line}); leave out --init") from None
