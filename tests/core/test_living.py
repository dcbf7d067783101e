"""The last activation that does not die."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from oldfix import LivingSiLU, TimedUNet
from oldfix.engine.living import strain_of


class Dead(nn.Module):
    """A network whose last activation is given nothing but -30."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.living, self.exit = nn.Linear(1, 8), LivingSiLU(), nn.Linear(8, 1)
        nn.init.constant_(self.before.bias, -30)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.exit(self.living(self.before(x)))


def trained(weight: float) -> float:
    """Error of learning y = x for a while, dead at first, with a weight for the strain."""
    torch.manual_seed(0)
    net, x = Dead(), torch.linspace(-1, 1, 32)[:, None]
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for _ in range(600):
        loss = (net(x) - x).square().mean()
        strain = strain_of(net)
        assert strain is not None
        (loss + weight * strain).backward()
        optimizer.step()
        optimizer.zero_grad()
    return float(loss.detach())


def test_a_dead_activation_comes_back_to_life() -> None:
    assert trained(0.02) < 0.01
    assert trained(0.0) > 0.3


def test_strain_is_the_mean_depth_below_minus_one() -> None:
    living = LivingSiLU()
    living(torch.tensor([-6.0, -5.0, 0.0, 3.0]))
    living(torch.tensor([-4.0, 1.0]))
    strain = living.strain()
    assert strain is not None
    assert float(strain) == pytest.approx((2.25 + 1.5) / 2)
    assert living.strain() is None


def test_it_computes_silu_and_is_silent_outside_of_training() -> None:
    x = torch.linspace(-9, 9, 50)
    living = LivingSiLU().eval()
    torch.testing.assert_close(living(x), nn.functional.silu(x))
    with torch.no_grad():
        living.train()(x)
    assert strain_of(living) is None
    assert strain_of(nn.Linear(1, 1)) is None


def test_the_unet_strains_in_training_and_can_be_copied() -> None:
    unet = TimedUNet(3, 3, (4, 8), (1, 1))
    unet.said(torch.randn(1, 3, 8, 8), 1.0)
    assert strain_of(unet) is not None
    assert "living" not in " ".join(copy.deepcopy(unet).state_dict())
