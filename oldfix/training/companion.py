"""Networks that another network's training builds on."""

from __future__ import annotations

from pathlib import Path

from oldfix.weights.card import WeightsCard
from oldfix.weights.store import Store


def installed(card: WeightsCard) -> Path:
    """Return the verified weights file of a card, as ``oldfix restore`` would find it.

    Raises:
        WeightsError: it is not installed, or is not the file the card describes.
    """
    return Store().verify(card)
