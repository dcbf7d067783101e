"""The triplet's losses, by hand."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence as exact_kl

from oldfix.training import judged_by
from oldfix_triplet.discriminators import PatchDiscriminator
from oldfix_triplet.losses import feature_matching, kl_divergence, lsgan, reconstruction


def test_kl_divergence_by_hand_and_by_torch() -> None:
    assert float(kl_divergence(torch.tensor([1.0, -1.0]), 1.0)) == pytest.approx(0.5)
    assert float(kl_divergence(torch.zeros(3), 0.5)) == pytest.approx(0.3181472)
    mean = torch.randn(2, 3, 4, 4)
    exact = exact_kl(Normal(mean, 0.05), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(kl_divergence(mean, 0.05), exact)


def test_feature_matching_by_hand() -> None:
    ones = torch.ones(1, 2, 3, 3, requires_grad=True)
    zeros = torch.zeros(1, 2, 3, 3, requires_grad=True)
    made, true = [[ones, 2 * ones, ones]] * 2, [[zeros, zeros, zeros]] * 2
    # Two scales, two layers beside the scores: 4 / 3 / 2 * (1 + 2) * 2; the scores do not count.
    loss = feature_matching(made, true)
    assert loss.item() == pytest.approx(4.0)
    loss.backward()
    assert ones.grad is not None and zeros.grad is None


def test_lsgan_and_reconstruction_by_hand() -> None:
    scales = [[torch.full((1, 1, 2, 2), 0.5)], [torch.full((1, 1, 1, 1), 1.0)]]
    assert float(lsgan(scales, 1.0)) == pytest.approx(0.25)
    assert float(lsgan(scales, 0.0)) == pytest.approx(1.25)
    assert float(reconstruction(torch.zeros(4), torch.full((4,), 0.25))) == pytest.approx(0.5)


def test_a_judge_learns_nothing_from_what_it_judges() -> None:
    judge, x = PatchDiscriminator(3, 4), torch.rand(1, 3, 32, 32, requires_grad=True)
    lsgan(judged_by(judge)(x), 1.0).backward()
    assert x.grad is not None and bool(x.grad.any())
    assert all(p.grad is None for p in judge.parameters())
    features = judge(x)
    assert [len(scale) for scale in features] == [5, 5]
    assert features[0][-1].shape[1] == 1
