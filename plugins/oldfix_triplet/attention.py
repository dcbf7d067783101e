"""The partial nonlocal block: damaged positions are told by intact ones, wherever those are."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix_triplet.blocks import residuals

#: Most positions that are looked at: the 64 x 64 of the 256-pixel crops of the paper's training.
SOURCES = 4096
#: Positions that look at a time; 16 MiB of affinities for each picture of a batch.
_QUERIES = 1024


class PartialNonlocal(nn.Module):  # type: ignore[misc]
    """Equations 6 to 9 of arXiv 2004.09484, at a bounded cost.

    Every position i looks at all positions j that are intact (m_j = 0)::

        s_ij = (1 - m_j) f_ij / sum_k (1 - m_k) f_ik,   f_ij = exp(theta(F_i) . phi(F_j))
        O_i  = nu(sum_j s_ij mu(F_j))
        out  = (1 - m) F + m rho(O)

    The published code keeps all s_ij at once, the square of the number of positions: a scan of 24
    megapixels asks for 9 terabytes, and one of two for 60 gigabytes. Here more than `SOURCES`
    positions are pooled to at most as many, each the mean of its intact positions and worth as
    much as it has of them, and positions look a thousand at a time. Up to `SOURCES` positions the
    result is the published one; beyond, time grows with the number of positions and memory does
    not.

    Args:
        width: channels of F.
        inner: channels of theta, phi and mu.
        blocks: residual blocks of rho, the global branch.
        published: kind of the blocks, see `residuals`.
    """

    def __init__(self, width: int, inner: int, blocks: int, *, published: bool = False) -> None:
        super().__init__()
        self.theta = nn.Conv2d(width, inner, 1)
        self.phi = nn.Conv2d(width, inner, 1)
        self.mu = nn.Conv2d(width, inner, 1)
        self.nu = nn.Conv2d(inner, width, 1)
        self.rho = residuals(blocks, width, published=published)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Fill the damaged positions.

        Args:
            features: (N, width, h, w).
            mask: (N, 1, h, w); above 0 is damaged.

        Returns:
            (N, width, h, w) float32, ``features`` wherever the mask is 0. Where nothing is intact
            there is nothing to look at, and the sum is 0.
        """
        damaged = (mask > 0).float()
        seen, intact = sources(features.float(), damaged)
        queries = self.theta(features).flatten(2).transpose(1, 2)
        keys = self.phi(seen).flatten(2)
        values = self.mu(seen).flatten(2).transpose(1, 2)
        # log(1 - m_j) inside the exponent is the factor (1 - m_j) before it.
        worth = intact.flatten(2).clamp(min=0).log()
        parts = [_looked(q, keys, values, worth) for q in queries.split(_QUERIES, dim=1)]
        gathered = torch.cat(parts, dim=1).transpose(1, 2).unflatten(2, features.shape[2:])
        filled = self.rho(self.nu(gathered)).float()
        return (1 - damaged) * features.float() + damaged * filled


def _looked(queries: Tensor, keys: Tensor, values: Tensor, worth: Tensor) -> Tensor:
    """Attention of a part of the positions: (N, q, inner) to (N, q, inner)."""
    logits = (queries @ keys).float() + worth
    shares = torch.softmax(logits, dim=2)
    # A picture without one intact position has nothing but minus infinity in its rows.
    return torch.nan_to_num(shares, nan=0.0).to(values.dtype) @ values


def sources(features: Tensor, damaged: Tensor, most: int = SOURCES) -> tuple[Tensor, Tensor]:
    """Return what may be looked at, at no more than ``most`` positions.

    Args:
        features: (N, C, h, w).
        damaged: (N, 1, h, w), 0 or 1.
        most: the bound.

    Returns:
        Features (N, C, h', w') of the intact positions alone, and (N, 1, h', w') how much of each
        position is intact, in [0, 1].
    """
    height, width = features.shape[2:]
    intact = 1 - damaged
    if height * width <= most:
        return features, intact
    shrink = math.sqrt(height * width / most)
    rows = max(1, min(height, int(height / shrink), most))
    columns = max(1, min(width, most // rows))
    pooled = functional.adaptive_avg_pool2d(features * intact, (rows, columns))
    share = functional.adaptive_avg_pool2d(intact, (rows, columns))
    return pooled / share.clamp(min=1e-6), share
