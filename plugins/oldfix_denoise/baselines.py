"""Published denoisers to stand beside: DnCNN, and the non-local recurrent network.

Both see the noisy picture once; they take a time only so that they can be called alike. Neither
has batch normalisation, so that a moving average of the weights is the whole network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

#: Rows of a picture that attend at a time; bounds the memory that neighbourhoods take.
_BAND = 16


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
            Features (N, width, H, W), and the similarities (N, window^2, H * W) before softmax.
        """
        height = state.shape[2]
        query, key, value = self.query(state), self.key(state), self.value(state)
        inside = torch.ones_like(key[:1, :1])
        parts: list[tuple[Tensor, Tensor]] = []
        for top in range(0, height, _BAND):
            rows = slice(top, min(top + _BAND, height))
            keys, values, known = (self.neighbours(plane, rows) for plane in (key, value, inside))
            asked = query[:, :, rows].flatten(2)[:, :, None]
            similarity = (asked * keys).sum(1) / keys.shape[1] ** 0.5
            if before is not None:
                first = top * state.shape[3]
                similarity = similarity + before[..., first : first + similarity.shape[2]]
            weight = similarity.masked_fill(known[:, 0] == 0, -torch.inf).softmax(dim=1)
            parts.append(((values * weight[:, None]).sum(2), similarity))
        gathered, similarities = (torch.cat(column, 2) for column in zip(*parts, strict=True))
        return self.merge(gathered.unflatten(2, state.shape[2:])), similarities

    def neighbours(self, plane: Tensor, rows: slice) -> Tensor:
        """(N, C, H, W) to (N, C, window^2, pixels of the rows); zeros outside of the picture."""
        reach = self.window // 2
        padded = functional.pad(plane, (reach, reach, reach, reach))
        band = padded[:, :, rows.start : rows.stop + 2 * reach]
        columns = functional.unfold(band, self.window)
        return columns.unflatten(1, (plane.shape[1], self.window**2))


#: The baselines by the names of their recipes.
BASELINES: Mapping[str, Callable[..., nn.Module]] = {"dncnn": DnCNN, "nlrn": NLRN}


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)
