"""How tests of trainings look whether something is learnt."""

from __future__ import annotations

from typing import Any

import torch


def losses_on(
    task: Any, batch: tuple[torch.Tensor, ...], *, rate: float, steps: int
) -> list[float]:
    """Train a task on one batch; return the loss of every step.

    Whatever a loss draws (times, noise) is the same at every step.
    """
    learning = [p for p in task.net.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learning, rate)
    losses = []
    for _ in range(steps):
        torch.manual_seed(1)
        loss, _ = task.loss(task.net, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    return losses
