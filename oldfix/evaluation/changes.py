"""What a restoration changed, told without a reference."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix.colour import luminance
from oldfix.keys import DEFECTS, FACES
from oldfix.photo import Photo
from oldfix.plan import Plan

Image = NDArray[np.float32]

#: The role whose stages say in their history, as `refined`, how many faces they changed.
_REFINER = "refine-faces"


def luminance_change(before: Image, after: Image) -> NDArray[np.float32]:
    """CIEDE2000 difference of the luminance alone at every pixel: (H, W).

    That of two greys of the same L*: ``|ΔL*| / S_L``. Colour that is given or taken away without
    touching the luminance counts nothing, so that colourized photographs compare with others.

    Args:
        before: (H, W, 3) float32 RGB in [0, 1], sRGB-encoded.
        after: the same shape.

    Raises:
        ValueError: the shapes differ.
    """
    if before.shape != after.shape:
        raise ValueError(f"shapes differ, {before.shape} and {after.shape}; they must agree")
    first, second = luminance(before), luminance(after)
    off_middle = ((first + second) / 2 - 50) ** 2
    weight = 1 + 0.015 * off_middle / np.sqrt(20 + off_middle)
    return np.asarray(np.abs(first - second) / weight, np.float32)


def most_changed(change: NDArray[np.float32], side: int) -> tuple[int, int, float]:
    """The square window of largest mean change: (top, left, mean).

    Args:
        change: (H, W).
        side: of the window in pixels; a smaller picture's side is taken whole.
    """
    height, width = min(side, change.shape[0]), min(side, change.shape[1])
    means = cv2.boxFilter(change, -1, (width, height), anchor=(0, 0))
    means = means[: change.shape[0] - height + 1, : change.shape[1] - width + 1]
    top, left = np.unravel_index(int(np.argmax(means)), means.shape)
    return int(top), int(left), float(means[top, left])


def marked_percent(photo: Photo) -> float | None:
    """Percent of the pixels that are marked as defects, or None if nothing looked for any."""
    mask = photo.get(DEFECTS)
    return None if mask is None else 100 * float((mask > 0.5).mean())


def faces_found(photo: Photo) -> int | None:
    """How many faces were found, or None if nothing looked for any."""
    faces = photo.get(FACES)
    return None if faces is None else len(faces)


def faces_refined(photo: Photo, plan: Plan) -> int | None:
    """How many faces the refining stages say they changed, or None if none of them says so."""
    stages = plan.registry.stages
    counts = [
        entry.get("notes", {}).get("refined")
        for entry in photo.history
        if _REFINER in stages[entry["stage"]].roles
    ]
    told = [count for count in counts if isinstance(count, int)]
    return sum(told) if told else None


def digest_of(plan: Plan) -> str:
    """Twelve hexadecimal digits that are the same for the same steps, options and weights."""
    weights = {card.id: card.sha256 for step in plan.steps for card in step.cards.values()}
    content: dict[str, Any] = {"pipeline": plan.pipeline.to_table(), "weights": weights}
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
