"""What adversarial training needs beside a discriminator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.func import functional_call


def judged_by(net: nn.Module) -> Callable[..., Any]:
    """The discriminator as a fixed judge: gradients pass to what it judges, not to itself.

    Both sides of the game can then share one loss and one optimizer.
    """
    fixed = {name: value.detach() for name, value in net.state_dict(keep_vars=True).items()}
    return lambda *args, **how: functional_call(net, fixed, args, how)
