"""What adversarial training needs beside a discriminator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn
from torch.func import functional_call


def judged_by(net: nn.Module) -> Callable[..., Any]:
    """The discriminator as a fixed judge: gradients pass to what it judges, not to itself.

    Both sides of the game can then share one loss and one optimizer. Buffers, as those of spectral
    and batch normalisation, stay as they are too.
    """

    def judge(*args: Any, **how: Any) -> Any:
        fixed = {name: value.detach() for name, value in net.named_parameters()}
        moving = {name: value.clone() for name, value in net.named_buffers()}
        return functional_call(net, {**fixed, **moving}, args, how)

    return judge
