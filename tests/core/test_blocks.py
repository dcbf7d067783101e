"""The building blocks that plugins share."""

from __future__ import annotations

import torch

from oldfix import Residual, ResidualTrunk


def test_a_residual_block_changes_nothing_at_first() -> None:
    x = torch.rand(1, 4, 9, 7)
    block = Residual(4)
    assert torch.equal(block(x), x)
    torch.nn.init.ones_(block.second.bias)
    assert torch.allclose(block(x), x + 1)


def test_a_trunk_is_its_linear_path_where_its_exit_is_silent() -> None:
    trunk = ResidualTrunk((5, 3), width=8, blocks=1)
    torch.nn.init.zeros_(trunk.exit.weight)
    torch.nn.init.constant_(trunk.exit.bias, 2.0)
    x = torch.rand(2, 5, 6, 6)
    mixed = torch.einsum("oi,nihw->nohw", trunk.linear.weight[:, :, 0, 0], x)
    expected = mixed + trunk.linear.bias[None, :, None, None] + 2
    assert torch.allclose(trunk(x), expected, atol=1e-6)


def test_a_trunk_reaches_one_position_for_each_convolution_and_no_further() -> None:
    trunk = ResidualTrunk((1, 1), width=4, blocks=2)
    for block in trunk.blocks:
        torch.nn.init.normal_(block.second.weight)
    x = torch.zeros(1, 1, 31, 31)
    changed = x.clone()
    changed[0, 0, 15, 15] = 1
    with torch.no_grad():
        moved = (trunk(changed) - trunk(x)).abs()[0, 0].amax(dim=0).nonzero()
    assert moved.min() == 15 - 5 and moved.max() == 15 + 5  # the entry, and two in each block


def test_a_trunk_answers_in_float32_under_autocast() -> None:
    trunk = ResidualTrunk((3, 3), width=8, blocks=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert trunk(torch.rand(1, 3, 8, 8)).dtype == torch.float32
