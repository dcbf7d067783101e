"""What the shipped restorer and its latent cost and are, whatever is inside of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from skimage import data
from torch.utils.flop_counter import FlopCounterMode

from oldfix import IMAGE, Photo, Pipeline, Runner, Step, discover
from oldfix.keys import resolve
from oldfix.weights.store import Store


@pytest.fixture(scope="module")
def registry() -> Any:
    return discover()


def operations(registry: Any, steps: int) -> float:
    """Floating-point operations of the stage on a square of 512 pixels."""
    step = Step("restore-diffusion", options={"steps": steps})
    plan = Pipeline((step,)).plan(registry, given={IMAGE})
    photo = Photo.from_array(data.astronaut().astype(np.float32) / 255)
    with (
        Runner(device="cpu", precision="float32") as runner,
        FlopCounterMode(display=False) as count,
    ):
        runner.run(plan, photo)
    return float(count.get_total_flops())


def test_a_step_takes_at_most_four_tenths_of_a_teraflop_a_megapixel(registry: Any) -> None:
    one, two = (operations(registry, steps) for steps in (1, 2))
    a_step = (two - one) / (512 * 512)
    assert 0.001e6 < a_step <= 0.4e6


def test_the_shipped_latent_is_near_unit_variance(registry: Any) -> None:
    (card, *_) = sorted(
        (card for card in registry.cards.values() if card.role == "latent-f4"),
        key=lambda card: -card.rank,
    )
    net = resolve(card.load)(Store().find(card))
    pictures = [data.astronaut(), data.coffee(), data.chelsea(), data.rocket()]
    with torch.inference_mode():
        latents = [
            net.encode(torch.from_numpy(p[:256, :256] / np.float32(255)).permute(2, 0, 1)[None])
            for p in pictures
        ]
    spread = torch.stack(latents).std((0, 1, 3, 4))
    assert 0.5 < float(spread.min()) <= float(spread.max()) < 2
    assert float(spread.square().mean()) == pytest.approx(1, abs=0.5)
