"""Pik-Fix: restoration, similarity and colorization as one network (Xu et al., WACV 2023).

Units: luminance is L* / 100, chroma (a*, b*) / 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from oldfix import load_network
from oldfix_colorize.blocks import doubled
from oldfix_colorize.colorization import Colorization, Prediction
from oldfix_colorize.restoration import Restoration
from oldfix_colorize.similarity import Similarity

Table = dict[str, Any]

#: Similarity of the small system, but for what the colorization decides.
_SMALL_SIMILARITY: Table = {
    "width": 8,
    "frozen": False,
    "describer": {"branch": 16, "inner": [16, 16, 32, 32], "residuals": 1},
    "temperature": 0.06,
}
_TINY_DESCRIBER: Table = {"branch": 4, "inner": [4, 4, 4, 4], "residuals": 1}


class PikFix(nn.Module):  # type: ignore[misc]
    """The whole system in its small configuration.

    Args:
        restoration: keyword arguments of `Restoration`.
        similarity: of `Similarity`, where they differ from the small system's.
        colorization: of `Colorization`.
    """

    def __init__(
        self,
        restoration: Table | None = None,
        similarity: Table | None = None,
        colorization: Table | None = None,
    ) -> None:
        super().__init__()
        self.config = {
            "restoration": restoration or {},
            "similarity": similarity or {},
            "colorization": colorization or {},
        }
        self.restoration = Restoration(**self.config["restoration"])
        self.colorization = Colorization(**self.config["colorization"])
        matching = _SMALL_SIMILARITY | {"known": self.colorization.described}
        self.similarity = Similarity(**(matching | self.config["similarity"]))

    def forward(self, light: Tensor, *references: Tensor) -> Tensor:
        """Colour a picture as it is; `restore` it before if it is damaged.

        Args:
            light: (N, 1, H, W) luminance; sides are multiples of 16.
            references: each (N, 4, H, W): luminance, chroma (2), and 1 where there is a picture.

        Returns:
            (N, 2, H/2, W/2) chroma.
        """
        return self.predict(light, references).chroma

    def restore(self, light: Tensor) -> Tensor:
        """Repair (N, 1, H, W) luminance, whose sides are multiples of 4."""
        return self.restoration(light)

    def alone(self, light: Tensor) -> Tensor:
        """Colour a picture without references, and tell how sure of that the network is.

        Args:
            light: (N, 1, H, W) luminance; sides are multiples of 16.

        Returns:
            (N, 3, H/2, W/2): chroma, and the entropy of the distribution over colours, in nats.
        """
        told = self.predict(light)
        entropy = torch.special.entr(told.probability).sum(dim=1, keepdim=True)
        return torch.cat([told.chroma, doubled(entropy).to(told.chroma.dtype)], dim=1)

    def describe(self, light: Tensor) -> Tensor:
        """Return what (N, 1, H, W) luminance shows: (N, C, H/16, W/16) features to search by."""
        return self.colorization.encoder(light)[2]

    def predict(self, light: Tensor, references: Sequence[Tensor] = ()) -> Prediction:
        """Colour repaired luminance."""
        count = 1 + len(references)
        stacked = torch.cat([light, *(reference[:, :1] for reference in references)])
        features = self.colorization.encoder(stacked)
        if references:
            known = self.colorization.known(features)
            guidance = self.similarity(light, references, known)
        else:
            guidance = self.similarity.nothing(light)
        own = tuple(part.chunk(count)[0] for part in features)
        prediction: Prediction = self.colorization(own, guidance)
        return prediction


def load(path: Path) -> PikFix:
    """Build the network that a safetensors file describes, with its weights.

    Raises:
        WeightsError: the file cannot be read, or belongs to another network.
    """
    return load_network(path, PikFix, "a Pik-Fix system")


def tiny() -> PikFix:
    """Return a tiny network with random but fixed weights, for tests."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = PikFix(
            restoration={"widths": [8, 8], "blocks": [1, 1], "layers": 1},
            similarity={"width": 4, "describer": _TINY_DESCRIBER, "bins": 32},
            colorization={"width": 8, "growth": [8, 8], "layers": 1, "step": 32.0, "bins": 32},
        )
    net.eval()
    return net
