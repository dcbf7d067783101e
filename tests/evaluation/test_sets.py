"""The fixed sets: data, and samples that depend on the seed and the picture's name alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage import data

from oldfix import DEFECTS, FACES, REFERENCES, UsageError
from oldfix.colour import luminance
from oldfix.degrade import load_recipe
from oldfix.evaluation.measures import MEASURES
from oldfix.evaluation.metrics import CONVENTIONS
from oldfix.evaluation.rows import CLASSICAL
from oldfix.evaluation.sets import load_set, load_sets, pick_files, samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for index in range(5):
        crop = data.astronaut()[index * 20 : index * 20 + 200, 100:400]
        Pillow.fromarray(crop).save(root / f"photo-{index}.png")
    (root / "notes.txt").write_text("no picture")
    return root


@pytest.mark.parametrize("name", load_sets())
def test_sets_name_what_exists(name):
    chosen = load_set(name)
    assert set(chosen.metrics) <= set(MEASURES) & set(CONVENTIONS)
    assert name in CLASSICAL
    if chosen.recipe:
        kinds = {step.kind for step in load_recipe(chosen.recipe).step}
        assert set(chosen.without) <= kinds


def test_unknown_set_is_named_with_a_cure():
    with pytest.raises(UsageError, match="no set named 'restor'; did you mean 'restore'"):
        load_set("restor")


def test_folder_without_pictures(tmp_path):
    with pytest.raises(UsageError, match="holds no picture"):
        pick_files(load_set("sound"), tmp_path)


def test_patterns_win_over_everything_else(folder):
    inner = folder / "eval" / "Kodak24"
    inner.mkdir(parents=True)
    Pillow.fromarray(data.astronaut()[:32, :32]).save(inner / "kodim01.png")
    try:
        assert [p.name for p in pick_files(load_set("sound"), folder)] == ["kodim01.png"]
    finally:
        (inner / "kodim01.png").unlink()


def test_files_are_spread_evenly(folder):
    names = [path.stem for path in pick_files(load_set("sound"), folder, limit=2)]
    assert names == ["photo-0", "photo-2"]


@pytest.mark.parametrize("name", ["scratches", "restore", "faces", "colour", "tone", "sound"])
def test_one_sample_does_not_depend_on_the_others(name, folder):
    chosen = load_set(name)
    whole = {s.name: s for s in samples(chosen, folder, seed=3)}
    for sample in samples(chosen, folder, seed=3, limit=2):
        np.testing.assert_array_equal(sample.image, whole[sample.name].image)
        np.testing.assert_array_equal(sample.truth, whole[sample.name].truth)


@pytest.mark.parametrize("name", ["restore", "faces", "tone", "colour"])
def test_another_seed_asks_another_question(name, folder):
    first, second = (
        next(iter(samples(load_set(name), folder, seed=seed, limit=1))).image for seed in (1, 2)
    )
    assert first.shape != second.shape or not np.array_equal(first, second)


def test_what_samples_know(folder):
    def sample(name):
        return next(iter(samples(load_set(name), folder, seed=1, limit=1)))

    restore = sample("restore")
    assert restore.known[DEFECTS].shape == restore.image.shape[:2]
    assert len(sample("faces").known[FACES]) == 1
    assert not sample("sound").known
    assert set(np.unique(sample("scratches").truth)) <= {0, 1}


def test_colour_samples_keep_luminance_and_do_not_show_the_answer(folder):
    for sample in samples(load_set("colour"), folder, seed=1, limit=3):
        assert np.abs(luminance(sample.image) - luminance(sample.truth)).max() < 0.01
        assert np.ptp(sample.image, axis=-1).max() < 1e-3
        (reference,) = sample.known[REFERENCES]
        width = min(reference.shape[1], sample.truth.shape[1])
        assert not np.array_equal(reference[:, :width], sample.truth[:, :width])


def test_sound_samples_are_their_own_truth(folder):
    for sample in samples(load_set("sound"), folder, seed=1):
        np.testing.assert_array_equal(sample.image, sample.truth)
