"""Trains the Pik-Fix system, for ``oldfix train``: its halves on their own, then together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from oldfix.training import PhotoPool, TrainRequest, fit, publish, read_recipe, start_from
from oldfix_colorize.net import PikFix
from oldfix_colorize.tasks import ColourTask, JointTask, RestorationTask, Weights, system_of

NAME = "pikfix-s"
_RECIPES = Path(__file__).with_name("training.toml")


def train(request: TrainRequest) -> Path:
    """Train on colour photographs and write ``pikfix-s.safetensors``.

    The recipe's ``network`` holds the arguments of `PikFix`, and as ``weights`` those of
    `oldfix_colorize.tasks.Weights`. Returns the file; its validation figures lie beside it as JSON.

    Raises:
        UsageError: data or recipe that cannot be used, or ``init`` of another network.
    """
    recipe = read_recipe(_RECIPES, NAME, request)
    photographs = PhotoPool.read(request.data, max_side=480)
    table = dict(recipe.network)
    weights = Weights(**table.pop("weights", {}))
    net = PikFix(**table)
    if request.init is not None:
        start_from(net, request.init)
    # Phases that a recipe may have, in any order.
    tasks: dict[str, Callable[[PikFix, PhotoPool], RestorationTask | ColourTask]] = {
        "restoration": RestorationTask,
        "colour": partial(ColourTask, weights=weights),
        "joint": partial(JointTask, weights=weights),
    }
    figures: dict[str, float] = {}
    for name, phase in recipe.phases.items():
        task = tasks[name](net, photographs)
        part = replace(recipe.part(request, name), init=None)
        trained = fit(task, phase.settings, part)
        net.load_state_dict(system_of(trained).state_dict())
        with torch.inference_mode():
            told = task.validate(net.eval())
        figures |= {f"{name}_{key}": round(value, 4) for key, value in told.items()}
    return publish(net, request, NAME, recipe=recipe, figures=figures, photographs=photographs)
