"""The gap between the latents of real and of synthetic old photographs: two measures of it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def domain_accuracy(z_r: Tensor, z_x: Tensor, *, weight_decay: float = 1e-2) -> float:
    """How well a logistic regression tells held-out latents of two domains apart.

    The regression sees each latent's mean, deviation and mean absolute difference of neighbours,
    channel by channel. It is fitted on one half of the latents and asked about the other, then
    the other way round.

    Args:
        z_r: (N, C, h, w) of real old photographs.
        z_x: (N, C, h, w) of synthetic ones, as many.
        weight_decay: L2 penalty on the standardised coefficients.

    Returns:
        Share told correctly: 0.5 where the domains cannot be told apart, 1 where they always can.
    """
    features = torch.cat([summary(z_r), summary(z_x)])
    features = (features - features.mean(0)) / features.std(0).clamp(min=1e-6)
    labels = torch.cat([torch.ones(len(z_r)), torch.zeros(len(z_x))])
    even = torch.arange(len(labels)) % 2 == 0
    right = [
        _right(features[half], labels[half], features[~half], labels[~half], weight_decay)
        for half in (even, ~even)
    ]
    return float(torch.cat(right).float().mean())


def squared_mmd(z_r: Tensor, z_x: Tensor) -> float:
    """Squared maximum mean discrepancy of two domains, unbiased (Gretton et al. 2012, equation 3).

    On the same summaries as `domain_accuracy`, standardised together, with a Gaussian kernel whose
    width is the median distance of two summaries. Unlike an accuracy it does not saturate.

    Args:
        z_r: (M, C, h, w) of real old photographs, M at least 2.
        z_x: (N, C, h, w) of synthetic ones, N at least 2.

    Returns:
        0 on average where the domains are the same (it may fall below), at most 2.
    """
    features = torch.cat([summary(z_r), summary(z_x)])
    features = (features - features.mean(0)) / features.std(0).clamp(min=1e-6)
    return unbiased_mmd(features[: len(z_r)], features[len(z_r) :])


def unbiased_mmd(a: Tensor, b: Tensor) -> float:
    """`squared_mmd` of features (M, F) and (N, F)."""
    both = torch.cat([a, b]).double()
    distances = torch.cdist(both, both).square()
    apart = ~torch.eye(len(both), dtype=torch.bool)
    kernel = (-distances / (2 * distances[apart].median().clamp(min=1e-12))).exp()
    within_a, within_b = kernel[: len(a), : len(a)], kernel[len(a) :, len(a) :]
    across = kernel[: len(a), len(a) :].mean()
    return float(_off_diagonal(within_a) + _off_diagonal(within_b) - 2 * across)


def _off_diagonal(kernel: Tensor) -> Tensor:
    """Mean of a square matrix without its diagonal."""
    count = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / (count * (count - 1))


def summary(z: Tensor) -> Tensor:
    """(N, C, h, w) to (N, 3 C): mean, deviation, mean absolute difference of neighbours."""
    z = z.detach().float().cpu()
    rough = z.diff(dim=2).abs().mean((2, 3)) + z.diff(dim=3).abs().mean((2, 3))
    return torch.cat([z.mean((2, 3)), z.std((2, 3)), rough], dim=1)


def _right(x: Tensor, y: Tensor, x_asked: Tensor, y_asked: Tensor, decay: float) -> Tensor:
    """Fit on (x, y); which of the asked ones are told correctly."""
    # Validation runs in inference mode, whose tensors cannot take part in a gradient.
    with torch.inference_mode(False), torch.enable_grad():
        x, y = x.clone(), y.clone()
        weight = torch.zeros(x.shape[1] + 1, requires_grad=True)
        optimizer = torch.optim.LBFGS([weight], max_iter=100, line_search_fn="strong_wolfe")

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = functional.binary_cross_entropy_with_logits(x @ weight[:-1] + weight[-1], y)
            loss = loss + decay * weight[:-1].square().sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        found = weight.detach().clone()
    return (x_asked @ found[:-1] + found[-1] > 0) == (y_asked > 0.5)
