"""Networks as safetensors files: float16 tensors with the network's configuration beside them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from oldfix.errors import WeightsError, first_line

Net = TypeVar("Net", bound=torch.nn.Module)
#: What reading a file, building what it describes and filling that can raise.
UNFIT = (
    OSError,
    SafetensorError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    RuntimeError,
)


def write_network(path: Path, net: torch.nn.Module, *, config: dict[str, Any]) -> None:
    """Write a network's tensors as float16 safetensors, with its constructor arguments.

    Args:
        path: file to write; replaced atomically.
        net: the network.
        config: keyword arguments that construct it, JSON-serialisable.

    Raises:
        OSError: the file cannot be written; nothing half-written stays.
    """
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, value in net.state_dict().items()
    }
    data = save(tensors, metadata={"config": json.dumps(config, sort_keys=True)})
    part = path.with_name(path.name + ".part")
    try:
        # Not by safetensors' own function, whose files nobody else may read.
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_network(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read what `write_network` wrote: (constructor arguments, float32 state dict)."""
    with safe_open(path, framework="pt") as file:
        config = json.loads((file.metadata() or {}).get("config", "{}"))
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return config, {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def load_network(path: Path, build: Callable[..., Net], what: str) -> Net:
    """Build a network from a file that `write_network` wrote, ready to be used.

    Args:
        path: the file.
        build: makes the network; called with the file's configuration as keyword arguments.
        what: the network in words, for messages: "a face refiner".

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    try:
        config, state = read_network(path)
        net = build(**config)
        net.load_state_dict(state)
    except UNFIT as error:
        raise WeightsError(
            f"{path}: is not {what} ({first_line(error)}); get it anew, or train it again"
        ) from error
    net.eval()
    return net


def fill_from_checkpoint(
    net: torch.nn.Module,
    path: Path,
    what: str,
    pick: Callable[[Any], Mapping[str, torch.Tensor]] = dict,
) -> None:
    """Fill a network from a published file as torch saves it; no code in it is run.

    Args:
        net: the network; set to evaluation.
        path: the file.
        what: the file in words, for messages: "a ParseNet file".
        pick: takes the network's tensors out of what the file holds.

    Raises:
        WeightsError: the file holds something other than tensors, or another network.
    """
    try:
        net.load_state_dict(pick(torch.load(path, map_location="cpu", weights_only=True)))
    except Exception as error:  # torch raises whatever it likes on a stranger's file
        raise WeightsError(f"{path}: is not {what} ({first_line(error)}); pull it again") from error
    net.eval()
