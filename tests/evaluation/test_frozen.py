"""The questions of the fixed sets stay what they were, whatever becomes of other recipes.

``questions.json`` holds pixels of the questions of seed 0. If this fails, either undo what changed
the damage, or measure every table again and write it anew with ``--update-golden``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage import data

from oldfix.degrade import load_recipe
from oldfix.evaluation.samples import frozen_recipes, samples
from oldfix.evaluation.sets import load_sets

QUESTIONS = Path(__file__).with_name("questions.json")
ASKED = [
    name
    for name, chosen in load_sets().items()
    if chosen.recipe
    or (chosen.family == "denoise" and chosen.sigma)
    or chosen.factor > 1
    or name == "colour"
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("frozen")
    for index in range(3):
        picture = data.astronaut()[index * 40 : index * 40 + 256, 120:376]
        Pillow.fromarray(picture).save(root / f"photo-{index}.png")
    return root


def looked_at(sample) -> list[float]:
    """Pixels of the question and of its answer at fixed places."""
    truth = sample.truth if sample.truth.ndim == 3 else sample.truth[..., None]
    places = [picture[9::61, 4::61] for picture in (sample.image, truth)]
    return [round(float(value), 3) for place in places for value in place.ravel()]


def test_every_recipe_of_the_sets_is_frozen_and_none_is_idle():
    assert {chosen.recipe for chosen in load_sets().values()} - {""} == set(frozen_recipes())


@pytest.mark.parametrize("name", ASKED)
def test_the_questions_of_seed_0_are_what_they_were(name, folder, request):
    found = [looked_at(sample) for sample in samples(load_sets()[name], folder, seed=0)]
    kept = json.loads(QUESTIONS.read_text()) if QUESTIONS.is_file() else {}
    if request.config.getoption("--update-golden"):
        lines = [f'"{key}": {json.dumps(value)}' for key, value in ({**kept, name: found}).items()]
        QUESTIONS.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        pytest.skip("written anew")
    for now, before in zip(found, kept[name], strict=True):
        np.testing.assert_allclose(now, before, atol=0.004)


def test_a_changed_recipe_elsewhere_changes_no_question(folder, monkeypatch):
    def first():
        return next(iter(samples(load_sets()["restore-mixed"], folder, seed=0))).image

    before = first()
    quiet = load_recipe("tone")
    monkeypatch.setattr("oldfix.degrade.recipe.load_recipe", lambda name: quiet)
    monkeypatch.setattr("oldfix.degrade.ageing.load_recipe", lambda name: quiet)
    np.testing.assert_array_equal(first(), before)


def test_another_strength_is_noticed(folder):
    """The pixels kept are enough to notice a slightly stronger damage."""
    chosen = load_sets()["denoise-25"]
    stronger = chosen.model_copy(update={"sigma": 26})
    found = [looked_at(sample) for sample in samples(stronger, folder, seed=0)]
    kept = json.loads(QUESTIONS.read_text())["denoise-25"]
    assert not np.allclose(found, kept, atol=0.004)
