"""Fetch published weights: https only, a time limit, and nothing kept that the card denies."""

from __future__ import annotations

import hashlib
import http.client
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from oldfix.errors import WeightsError
from oldfix.weights.card import WeightsCard
from oldfix.weights.store import Store

_CHUNK = 1 << 18
_TIMEOUT = 30.0


def download(
    card: WeightsCard,
    store: Store,
    report: Callable[[int], None] = lambda count: None,
    *,
    timeout: float = _TIMEOUT,
) -> Path:
    """Download a card's file into the user's store and return its path.

    Args:
        card: what to fetch; it has a ``url``.
        store: takes the file once its digest is right.
        report: told the number of bytes of each piece.
        timeout: seconds without an answer after which to give up.

    Raises:
        WeightsError: no address, no answer, or not the file that the card describes; nothing of
            it is kept.
    """
    if card.layout:
        raise WeightsError(
            f"{card.id}: is a folder, which oldfix does not fetch; download all of {card.url}, "
            "then name the folder as the stage's model"
        )
    if not card.url.startswith("https://"):
        raise WeightsError(f"{card.id}: comes with oldfix and has no https address to fetch")
    with tempfile.TemporaryDirectory(prefix="oldfix-") as folder:
        part = Path(folder) / f"{card.file}.part"
        try:
            with urllib.request.urlopen(card.url, timeout=timeout) as answer, part.open("wb") as to:
                _copy(card, answer, to, report)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise WeightsError(
                f"{card.id}: {card.url} could not be fetched ({reason}); try again, or download "
                f"it elsewhere and run 'oldfix weights import FILE --as {card.id}'"
            ) from error
        return store.put(card, part)


def _copy(
    card: WeightsCard, answer: IO[bytes], to: IO[bytes], report: Callable[[int], None]
) -> None:
    """Copy while hashing; stop as soon as there is more than the card says."""
    hasher, count = hashlib.sha256(), 0
    while piece := answer.read(_CHUNK):
        count += len(piece)
        if count > card.bytes:
            raise WeightsError(
                f"{card.id}: {card.url} sends more than the {card.bytes} bytes of the card; "
                "nothing was kept"
            )
        hasher.update(piece)
        to.write(piece)
        report(len(piece))
    if hasher.hexdigest() != card.sha256:
        raise WeightsError(
            f"{card.id}: {card.url} sent {count} bytes with sha256 {hasher.hexdigest()[:12]}…, "
            f"not {card.sha256[:12]}…; nothing was kept; try again later"
        )
