"""Networks as safetensors files: float16 tensors with the network's configuration beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file


def write_network(path: Path, net: torch.nn.Module, *, config: dict[str, Any]) -> None:
    """Write a network's tensors as float16 safetensors, with its constructor arguments.

    Args:
        path: file to write; replaced atomically.
        net: the network.
        config: keyword arguments that construct it, JSON-serialisable.
    """
    tensors = {
        name: (value.half() if value.is_floating_point() else value).contiguous().cpu()
        for name, value in net.state_dict().items()
    }
    part = path.with_name(path.name + ".part")
    save_file(tensors, part, metadata={"config": json.dumps(config, sort_keys=True)})
    part.replace(path)


def read_network(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Read what `write_network` wrote: (constructor arguments, float32 state dict)."""
    with safe_open(path, framework="pt") as file:
        config = json.loads((file.metadata() or {}).get("config", "{}"))
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return config, {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
