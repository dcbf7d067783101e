"""SiLU that does not die: a network's last activation, watched while it is trained."""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: Where the slope of SiLU changes its sign; from there downwards it leads into the dead part.
_DEAD = -1.0


class LivingSiLU(nn.SiLU):  # type: ignore[misc]
    """SiLU for the last layer of a residual network, where a dead unit stays dead.

    In front of a last layer nothing leads around the activation. A network that is rewarded for
    saying nothing of some pictures (sound ones) may push its input so far below zero that neither
    output nor gradient is left, for whatever it takes for the like, for good. So in training mode
    this keeps how far the input lies below -1; `strain` is to be added to the loss.
    """

    def __init__(self) -> None:
        super().__init__()
        self._strains: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same."""
        if self.training and torch.is_grad_enabled():
            self._strains.append((_DEAD - x.float()).clamp(min=0).mean())
        return super().forward(x)

    def strain(self) -> Tensor | None:
        """Mean depth of the inputs below -1 since it was last asked; None without any."""
        strains, self._strains = self._strains, []
        return torch.stack(strains).mean() if strains else None


def strain_of(net: nn.Module) -> Tensor | None:
    """Sum of what the `LivingSiLU` of a network have to say; None without any that were run."""
    found = [m.strain() for m in net.modules() if isinstance(m, LivingSiLU)]
    known = [strain for strain in found if strain is not None]
    return torch.stack(known).sum() if known else None
