"""Judges that are asked and learn nothing by it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import spectral_norm

from oldfix.training import judged_by


def test_a_judge_is_left_as_it_is_by_what_it_judges() -> None:
    torch.manual_seed(0)
    judge = nn.Sequential(spectral_norm(nn.Conv2d(1, 4, 3)), nn.BatchNorm2d(4)).train()
    before = {name: value.clone() for name, value in judge.state_dict().items()}
    x = torch.rand(2, 1, 8, 8, requires_grad=True)
    judged_by(judge)(x).square().sum().backward()
    assert x.grad is not None and bool(x.grad.any())
    assert all(parameter.grad is None for parameter in judge.parameters())
    assert all(torch.equal(value, before[name]) for name, value in judge.state_dict().items())
    judge(x)
    assert any(not torch.equal(v, before[name]) for name, v in judge.state_dict().items())


def test_a_judge_judges_as_it_is_when_it_is_asked() -> None:
    judge = nn.Conv2d(1, 1, 1)
    x, ask = torch.rand(1, 1, 2, 2), judged_by(judge)
    with torch.no_grad():
        judge.weight.add_(1)
    torch.testing.assert_close(ask(x), judge(x))
