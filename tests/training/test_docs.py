"""The example in the how-to page trains a network."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from PIL import Image

from oldfix import discover, read_network
from oldfix.training import TrainRequest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "train-a-network.md"


def test_the_example_in_the_page_trains(tmp_path: Path) -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(examples[-1], str(PAGE), "exec"), names)
    rng = np.random.default_rng(0)
    for i in range(20):
        noise = rng.integers(0, 256, (80, 90, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{i:02}.png")
    request = TrainRequest((tmp_path,), tmp_path / "run", minutes=0.01, workers=0)
    _, tensors = read_network(names["train"](request))
    assert tensors["weight"].shape == (3, 3, 5, 5)


def test_the_plugin_in_the_page_offers_what_was_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert example is not None
    shipped = next(card for card in discover().cards.values() if card.train)
    table = shipped.model_dump(mode="json", exclude_defaults=True) | {"id": "mine", "rank": 50}
    (tmp_path / "mine.toml").write_text(tomli_w.dumps({"card": [table]}), "utf-8")
    (tmp_path / "mine.py").write_text(example[1], "utf-8")
    monkeypatch.setenv("OLDFIX_PLUGINS", str(tmp_path))
    assert discover().cards["mine"].role == shipped.role
