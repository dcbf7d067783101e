"""The example in the how-to page trains a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from oldfix import read_network
from oldfix.training import TrainRequest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "train-a-network.md"


def test_the_example_in_the_page_trains(tmp_path: Path) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    names: dict[str, Any] = {}
    exec(compile(example[1], str(PAGE), "exec"), names)
    rng = np.random.default_rng(0)
    for i in range(20):
        noise = rng.integers(0, 256, (80, 90, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i:02}.png")
    request = TrainRequest((tmp_path,), tmp_path / "run", minutes=0.01, workers=0)
    _, tensors = read_network(names["train"](request))
    assert tensors["weight"].shape == (3, 3, 5, 5)
