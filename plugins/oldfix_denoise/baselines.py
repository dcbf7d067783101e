"""Published denoisers to stand beside: DnCNN, and the non-local recurrent network.

Both see the noisy picture once; they take a time only so that they can be called alike. Neither
has batch normalisation, so that a moving average of the weights is the whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from oldfix import load_network


class DnCNN(nn.Module):  # type: ignore[misc]
    """A plain stack that estimates the noise (Zhang et al. 2017, arXiv 1608.03981).

    Args:
        width: channels of the hidden layers; 64 in the paper.
        depth: convolutions of 3 x 3; 20 in the paper's blind networks.
    """

    def __init__(self, width: int = 64, depth: int = 20) -> None:
        super().__init__()
        self.config = {"width": width, "depth": depth}
        hidden = [_conv(width, width) for _ in range(depth - 2)]
        self.layers = nn.ModuleList([_conv(3, width), *hidden, _conv(width, 3)])
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(self.layers[-1].weight)

    def forward(self, x: Tensor, t: Tensor | float = 1.0) -> Tensor:
        """Denoise (N, 3, H, W) in [0, 1]; ``t`` does nothing."""
        noise = self.layers[0](x)
        for layer in self.layers[1:]:
            noise = layer(noise.relu())
        return x - noise.float()


class NLRN(nn.Module):  # type: ignore[misc]
    """A recurrent network that looks for similar places (Liu et al. 2018, arXiv 1806.02919).

    One set of weights is applied ``steps`` times. Each time every pixel gathers features from its
    neighbourhood, by similarity; the similarities themselves are handed on and added to the next
    ones before the softmax, so that one inaccurate comparison does not decide.

    Args:
        width: channels of the state; 128 in the paper.
        embedding: channels in which places are compared; 64 in the paper.
        window: side of the neighbourhood in pixels, odd; 45 in the paper.
        steps: how often the weights are applied; 12 in the paper.
    """

    def __init__(
        self, width: int = 128, embedding: int = 64, window: int = 45, steps: int = 12
    ) -> None:
        super().__init__()
        names = ("width", "embedding", "window", "steps")
        self.config = dict(zip(names, (width, embedding, window, steps), strict=True))
        self.window, self.steps = window, steps
        self.entry = _conv(3, width)
        self.query, self.key = (nn.Conv2d(width, embedding, 1) for _ in range(2))
        self.value, self.merge = nn.Conv2d(width, embedding, 1), nn.Conv2d(embedding, width, 1)
        self.first, self.second = _conv(width, width), _conv(width, width)
        self.exit = _conv(width, 3)
        for layer in (self.merge, self.second, self.exit):
            nn.init.zeros_(layer.weight)

    def forward(self, x: Tensor, t: Tensor | float = 1.0) -> Tensor:
        """Denoise (N, 3, H, W) in [0, 1]; ``t`` does nothing."""
        start = self.entry(x - 0.5)
        state, similarity = start, None
        for _ in range(self.steps):
            gathered, similarity = self.gather(state.relu(), similarity)
            hidden = self.first((state + gathered).relu())
            # The path back to the first state keeps twelve passes trainable.
            state = start + self.second(hidden.relu())
        return x + self.exit(state.relu()).float()

    def gather(self, state: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """Gather features of similar places.

        Args:
            state: (N, width, H, W).
            before: similarities of the step before, or None in the first.

        Returns:
            Features (N, width, H, W), and the similarities (N, window^2, H, W) before softmax.
        """
        key, value = self.key(state).float(), self.value(state).float()
        query = self.query(state).float() / key.shape[1] ** 0.5
        # One displacement after the other: all neighbourhoods at once would hold every feature
        # window^2 times, and be slower.
        similarity = torch.stack([(query * k).sum(1) for k in self.displaced(key)], dim=1)
        if before is not None:
            similarity = similarity + before
        known = torch.cat(list(self.displaced(torch.ones_like(key[:1, :1]))), dim=1)
        weights = similarity.masked_fill(known == 0, -torch.inf).softmax(dim=1)
        gathered = torch.zeros_like(value)
        for weight, v in zip(weights.split(1, dim=1), self.displaced(value), strict=True):
            gathered = gathered + weight * v
        return self.merge(gathered), similarity

    def displaced(self, plane: Tensor) -> Iterator[Tensor]:
        """(N, C, H, W) as seen from each place of the window; zeros outside of the picture."""
        reach, (height, width) = self.window // 2, plane.shape[2:]
        padded = functional.pad(plane, (reach, reach, reach, reach))
        for top, left in product(range(self.window), repeat=2):
            yield padded[:, :, top : top + height, left : left + width]


_Baseline = TypeVar("_Baseline", DnCNN, NLRN)
#: The baselines by the ids of their cards.
BASELINES: Mapping[str, Callable[..., nn.Module]] = {"dncnn-s": DnCNN, "nlrn-s": NLRN}


def load_dncnn(path: Path) -> DnCNN:
    """Read a `DnCNN` from a weights file.

    Raises:
        WeightsError: the file belongs to another network.
    """
    return _loaded(DnCNN, path)


def load_nlrn(path: Path) -> NLRN:
    """Read an `NLRN` from a weights file.

    Raises:
        WeightsError: the file belongs to another network.
    """
    return _loaded(NLRN, path)


def tiny_dncnn() -> DnCNN:
    """A `DnCNN` of a few thousand parameters and some effect, seeded, for tests."""
    return _stirred(DnCNN, width=8, depth=4)


def tiny_nlrn() -> NLRN:
    """An `NLRN` of a few thousand parameters and some effect, seeded, for tests."""
    return _stirred(NLRN, width=8, embedding=4, window=3, steps=2)


def _loaded(kind: type[_Baseline], path: Path) -> _Baseline:
    return load_network(path, kind, f"a {kind.__name__}")


def _stirred(kind: type[_Baseline], **arguments: int) -> _Baseline:
    """Build a network and move the layers that begin at zero, so that it changes its input."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = kind(**arguments)
        for weight in net.parameters():
            if not weight.any():
                nn.init.normal_(weight, std=0.05)
    net.eval()
    return net


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)
