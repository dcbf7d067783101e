"""The sets that fill holes and enlarge: their questions, and the classical rows beside them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage import data

from oldfix.evaluation.rows import CLASSICAL
from oldfix.evaluation.samples import samples
from oldfix.evaluation.sets import load_set
from oldfix.keys import DEFECTS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    Pillow.fromarray(data.astronaut()[:203, 100:301]).save(root / "face.png")
    return root


@pytest.mark.parametrize("factor", [2, 4])
def test_a_question_is_its_answer_made_smaller(folder, factor):
    (sample,) = samples(load_set(f"upscale-{factor}"), folder, seed=0)
    height, width = sample.image.shape[:2]
    assert sample.truth.shape == (height * factor, width * factor, 3)
    means = sample.truth.reshape(height, factor, width, factor, 3).mean(axis=(1, 3))
    assert float(np.abs(means - sample.image).mean()) < 0.02
    assert np.allclose(sample.image * 255, np.rint(sample.image * 255), atol=1e-3)


def test_classical_rows_enlarge_to_the_answers_size(folder):
    (sample,) = samples(load_set("upscale-2"), folder, seed=0)
    for row in CLASSICAL["upscale"]:
        result = row.run(sample)
        assert result.shape == sample.truth.shape
        assert float(np.abs(result - sample.truth).mean()) < 0.03


def test_holes_are_marked_and_all_else_is_the_answer(folder):
    (sample,) = samples(load_set("inpaint"), folder, seed=0)
    marked = sample.known[DEFECTS] > 0.5
    assert 0 < marked.mean() < 0.7
    np.testing.assert_array_equal(sample.image[~marked], sample.truth[~marked])
    assert np.abs(sample.image - sample.truth)[marked].max() > 0.1
