"""What the trainings of all stages do: train a phase, and measure the result."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import torch
from torch import nn

from oldfix.training import Task, TrainingRecipe, TrainRequest, fit

Game = TypeVar("Game", bound=nn.Module)


def trained(
    game: Game, task: Task, recipe: TrainingRecipe, request: TrainRequest, phase: str
) -> Game:
    """Train ``game``, which is the task's network with its discriminators, for one phase.

    The game holds more than a weights file does, so ``request.init`` is not for `fit`: whoever
    made the game has given it to the network within, see `oldfix.training.start_from`.

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
