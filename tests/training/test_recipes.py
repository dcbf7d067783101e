"""Recipes of training, and what a finished training leaves."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from oldfix import UsageError, WeightsCard, discover, read_cards
from oldfix.training import PhotoPool, TrainRequest, publish, read_recipe

TWO_PHASES = """
[net.cpu]
minutes = 10
network = { width = 8 }

[net.cpu.phases.first]
share = 0.25
batch = 4

[net.cpu.phases.second]
share = 0.75
batch = 8
learning_rate = 1e-3

[net.gpu]
minutes = 18
phases.whole = { batch = 64 }
"""


def request(tmp_path: Path, **changes: object) -> TrainRequest:
    return replace(TrainRequest((tmp_path,), tmp_path / "run"), **changes)  # type: ignore[arg-type]


def write(tmp_path: Path, text: str = TWO_PHASES) -> Path:
    file = tmp_path / "training.toml"
    file.write_text(text)
    return file


def test_phases_share_the_time_and_have_folders(tmp_path: Path) -> None:
    asked = request(tmp_path, init=tmp_path / "start.safetensors")
    recipe = read_recipe(write(tmp_path), "net", asked)
    first, second = (recipe.part(asked, phase) for phase in recipe.phases)
    assert (first.minutes, second.minutes) == (2.5, 7.5)
    assert (first.out, second.out) == (tmp_path / "run" / "first", tmp_path / "run" / "second")
    assert first.init == asked.init
    assert second.init is None
    assert recipe.network == {"width": 8}
    assert recipe.phases["second"].settings.learning_rate == 1e-3


def test_the_user_s_minutes_win_and_one_phase_needs_no_folder(tmp_path: Path) -> None:
    asked = request(tmp_path, recipe="gpu", minutes=3)
    recipe = read_recipe(write(tmp_path), "net", asked)
    part = recipe.part(asked, "whole")
    assert (part.minutes, part.out) == (3, asked.out)


@pytest.mark.parametrize(
    ("text", "recipe", "message"),
    [
        (TWO_PHASES, "gpuu", "did you mean 'gpu'"),
        (TWO_PHASES, "x", "there are: cpu, gpu"),
        ("[net.cpu]\nminutes = 0\n", "cpu", "minutes"),
        (TWO_PHASES.replace("batch = 4", "bach = 4"), "cpu", "bach"),
        (TWO_PHASES.replace("batch = 4", "batch = 0"), "cpu", "batch"),
    ],
)
def test_bad_recipes_say_what_is_wrong(
    tmp_path: Path, text: str, recipe: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        read_recipe(write(tmp_path, text), "net", request(tmp_path, recipe=recipe))


def test_publishing_fills_a_card(tmp_path: Path) -> None:
    card = next(card for card in discover().cards.values() if card.train)
    asked = request(tmp_path, card=card, seed=7, minutes=2.0)
    asked.out.mkdir()
    pool = PhotoPool(((("grey", np.full((64, 64, 3), 9, np.uint8)),),))
    figures = {"score": 1.5}
    recipe = read_recipe(write(tmp_path), "net", asked)
    net = nn.Conv2d(3, 3, 1)
    net.config = {}  # type: ignore[assignment]
    path = publish(
        net,
        asked,
        "net",
        recipe=recipe,
        figures=figures,
        photographs=pool,
    )
    (new,) = read_cards(path.with_suffix(".card.toml"))
    assert isinstance(new, WeightsCard)
    assert new.id == card.id
    assert new.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert "seed 7" in new.source
    assert "Apache" not in new.licence  # the photographs were not this project's
    assert new.limits.endswith(card.limits) and "not looked at yet" in new.limits
    assert pool.digest[:12] in new.source
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["figures"] == figures
    assert facts["run"]["photographs"] == 1
    assert facts["run"]["settings"]["phases"]["first"]["share"] == 0.25


@pytest.mark.parametrize("recipe", ["cpu", "gpu"])
def test_every_network_that_can_be_trained_has_its_recipes(tmp_path: Path, recipe: str) -> None:
    asked = request(tmp_path, recipe=recipe)
    trainable = [card for card in discover().cards.values() if card.train]
    assert trainable
    for card in trainable:
        module = import_module(card.train.partition(":")[0])
        file = Path(str(module.__file__)).with_name("training.toml")
        phases = read_recipe(file, card.id, asked).phases.values()
        assert sum(phase.share for phase in phases) == pytest.approx(1.0)
