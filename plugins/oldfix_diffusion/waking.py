"""Wake a restorer whose last activations have died, before it is trained on.

The penalty on dead activations (`oldfix.LivingSiLU`) keeps a network from falling silent, and opens
what is dead already, but what it opens is hardly used again. Where the inputs of the last
activation, and of the gate, are scaled down first, they come back to where slopes are.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from oldfix.training import TrainingRecipe, TrainRequest, start_from
from oldfix_diffusion.net import FACTOR
from oldfix_diffusion.restorer import Restorer


def started(net: Restorer, request: TrainRequest, recipe: TrainingRecipe) -> TrainRequest:
    """Do to the network of ``init`` what a recipe's ``start`` asks for, if anything.

    Returns:
        The request, without ``init`` where the network has its tensors by now.

    Raises:
        UsageError: ``init`` does not fit the network.
    """
    if not recipe.start or request.init is None:
        return request
    start_from(net, request.init)
    wake(net, **recipe.start)
    return replace(request, init=None)


def wake(net: Restorer, *, block: float, gate: float) -> None:
    """Scale what a restorer's last residual block adds, and what its gate is made of, in place.

    Args:
        net: the restorer.
        block: factor of the last residual block before the denoiser's last layer.
        gate: factor of the detail head's gate before its hard sigmoid.
    """
    unet = net.denoiser
    last = (unet.up or unet.down)[0][-1].second
    # The pixels of a square are channels beside each other: the gate's are the first.
    gates = slice(FACTOR * FACTOR)
    with torch.no_grad():
        for layer, rows, factor in ((last, slice(None), block), (net.head.exit, gates, gate)):
            layer.weight[rows] *= factor
            layer.bias[rows] *= factor
