"""What the trainings of all stages do: start from weights, train a phase, measure the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from oldfix import UsageError, read_network
from oldfix.training import Task, TrainingRecipe, TrainRequest, fit

Game = TypeVar("Game", bound=nn.Module)


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


def trained(
    game: Game, task: Task, recipe: TrainingRecipe, request: TrainRequest, phase: str
) -> Game:
    """Train ``game``, which is the task's network with its discriminators, for one phase.

    Returns:
        The best average, on the device of the request.
    """
    part = replace(recipe.part(request, phase), init=None)
    best = fit(task, recipe.phases[phase].settings, part).to(request.device)
    assert isinstance(best, type(game))
    return best


def measured(task: Task, net: nn.Module) -> dict[str, float]:
    """Figures of a network in float32, where `fit` measures in reduced precision."""
    with torch.inference_mode():
        return dict(task.validate(net))
