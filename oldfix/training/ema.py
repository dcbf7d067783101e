"""The exponential moving average of a network's weights."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel


def averaged(net: torch.nn.Module, decay: float) -> AveragedModel:
    """Return a moving average of ``net``; call ``update_parameters(net)`` after each step.

    The decay rises from 0.1 as ``(1 + n) / (10 + n)`` up to ``decay`` (as in TensorFlow's
    ExponentialMovingAverage), so that early averages do not keep the random start. The average
    is ``.module``.
    """

    def average(ema: Any, current: Any, count: Any) -> None:
        n = float(count)
        torch._foreach_lerp_(ema, current, 1.0 - min(decay, (1.0 + n) / (10.0 + n)))

    return AveragedModel(net, multi_avg_fn=average)
