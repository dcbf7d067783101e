"""The state of a training run, saved so that it goes on exactly where it stopped."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel

from oldfix.errors import EnvironmentProblem, UsageError, first_line


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: optimizer steps taken.
        seconds: training time so far, all parts of the run together.
        best_score: best validation score of the averaged network.
        best: the averaged network's tensors at that score.
        skipped: steps left out because their gradient was not finite.
    """

    step: int = 0
    seconds: float = 0.0
    best_score: float = float("-inf")
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    skipped: int = 0


@dataclass
class State:
    """Everything a step changes."""

    net: torch.nn.Module
    ema: AveragedModel
    optimizer: torch.optim.Optimizer
    progress: Progress


def save(path: Path, state: State, device: torch.device) -> None:
    """Write a checkpoint; replaced atomically, so that the last one survives a failure.

    Raises:
        EnvironmentProblem: it cannot be written (a full disk, say).
    """
    values: dict[str, Any] = {
        "net": state.net.state_dict(),
        "ema": state.ema.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "progress": vars(state.progress),
        "rng": torch.get_rng_state(),
    }
    if device.type == "cuda":
        values["cuda_rng"] = torch.cuda.get_rng_state(device)
    part = path.with_name(path.name + ".part")
    try:
        torch.save(values, part)
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch turns a full disk into a RuntimeError
        raise EnvironmentProblem(
            f"{path}: cannot be written ({error}); free some space, then go on with --resume"
        ) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def restore(path: Path, state: State, device: torch.device) -> None:
    """Read a checkpoint into ``state``.

    Raises:
        UsageError: the file is damaged, or belongs to another network.
    """
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        state.net.load_state_dict(values["net"])
        state.ema.load_state_dict(values["ema"])
        state.optimizer.load_state_dict(values["optimizer"])
        state.progress = Progress(**values["progress"])
        torch.set_rng_state(values["rng"])
    except Exception as error:  # torch and pickle raise whatever they stumble over
        raise UsageError(
            f"{path}: does not fit this network ({first_line(error)}); train without --resume, or "
            "into another folder"
        ) from error
    if device.type == "cuda" and "cuda_rng" in values:
        torch.cuda.set_rng_state(values["cuda_rng"], device)
