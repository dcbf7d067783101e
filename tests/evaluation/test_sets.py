"""The fixed sets: data, and samples that depend on the seed and the picture's name alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow
from pydantic import ValidationError
from skimage import data

from oldfix import DEFECTS, FACES, LIBRARY, REFERENCES, UsageError, read_image
from oldfix.colour import luminance
from oldfix.evaluation.columns import CONVENTIONS, measured
from oldfix.evaluation.measures import MEASURES
from oldfix.evaluation.rows import CLASSICAL
from oldfix.evaluation.samples import recipe_of, samples
from oldfix.evaluation.sets import EvaluationSet, choose_sets, load_set, load_sets, pick_files


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
    assert set(chosen.metrics) <= set(CONVENTIONS)
    assert set(measured(chosen.metrics)) <= set(MEASURES)
    assert chosen.kind_of_rows in CLASSICAL
    if chosen.recipe:
        kept = {step.kind for step in recipe_of(chosen).step}
        assert kept
        assert not kept & set(chosen.without)


def test_a_first_word_means_several_sets():
    names = [chosen.name for chosen in choose_sets("denoise")]
    assert names == ["denoise-15", "denoise-25", "denoise-50", "denoise-real"]
    with pytest.raises(UsageError, match="'denoise' is not one set; choose of denoise-15"):
        load_set("denoise")


def test_unknown_set_is_named_with_a_cure():
    with pytest.raises(UsageError, match="no set named 'restor'; did you mean 'restore'"):
        load_set("restor")


@pytest.mark.parametrize("kind", ["tone", "sound"])
def test_tone_is_measured_on_landscapes_and_portraits_faded_and_sound(kind, tmp_path):
    for name in ("eval/Kodak24/k.png", "faces/val/f.png"):
        (tmp_path / name).parent.mkdir(parents=True)
        Pillow.fromarray(data.astronaut()[:32, :32]).save(tmp_path / name)
    picked = []
    for chosen in (load_set(kind), load_set(f"{kind}-faces")):
        assert "restore-tone" in chosen.stages
        assert "ciede2000" in chosen.metrics
        picked += [path.name for path in pick_files(chosen, tmp_path)]
    assert picked == ["k.png", "f.png"]


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


@pytest.mark.parametrize("name", ["scratches", "restore-mixed", "faces", "colour", "tone", "sound"])
def test_one_sample_does_not_depend_on_the_others(name, folder):
    chosen = load_set(name)
    whole = {s.name: s for s in samples(chosen, folder, seed=3)}
    for sample in samples(chosen, folder, seed=3, limit=2):
        np.testing.assert_array_equal(sample.image, whole[sample.name].image)
        np.testing.assert_array_equal(sample.truth, whole[sample.name].truth)


@pytest.mark.parametrize(
    "name",
    ["restore-mixed", "restore-blur", "restore-jpeg", "denoise-25", "faces", "tone", "colour"],
)
def test_another_seed_asks_another_question(name, folder):
    first, second = (
        next(iter(samples(load_set(name), folder, seed=seed, limit=1))).image for seed in (1, 2)
    )
    assert first.shape != second.shape or not np.array_equal(first, second)


def test_what_samples_know(folder):
    def sample(name):
        return next(iter(samples(load_set(name), folder, seed=1, limit=1)))

    restore = sample("restore-mixed")
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


def test_references_of_another_photograph_are_that_one_at_every_limit(folder):
    asked = [next(iter(samples(load_set("colour-other"), folder, 1, n))) for n in (None, 1)]
    for sample in asked:
        assert sample.name == "photo-0.png"
        library = sample.known[LIBRARY]
        assert [path.name for path in library] == [f"photo-{i}.png" for i in range(1, 5)]
        (reference,) = sample.known[REFERENCES]
        partner = read_image(folder / "photo-2.png")
        windows = np.lib.stride_tricks.sliding_window_view(partner[..., 0], reference.shape[:2])
        assert (windows == reference[..., 0]).all(axis=(2, 3)).any()
    np.testing.assert_array_equal(asked[0].image, asked[1].image)


def test_one_photograph_has_no_other_to_take_colours_from(tmp_path):
    Pillow.fromarray(data.astronaut()[:64, :64]).save(tmp_path / "one.png")
    with pytest.raises(UsageError, match="colour-other: needs two pictures or more"):
        list(samples(load_set("colour-other"), tmp_path, seed=0))


def test_sound_samples_are_their_own_truth(folder):
    for sample in samples(load_set("sound"), folder, seed=1):
        np.testing.assert_array_equal(sample.image, sample.truth)


def test_photographs_without_colour_are_asked_about_faded_and_sound(folder):
    faded, sound = (
        {s.name: s for s in samples(load_set(name), folder, seed=1)}
        for name in ("tone-grey", "sound-grey")
    )
    for name, sample in faded.items():
        assert np.ptp(sample.truth, axis=2).max() == 0
        np.testing.assert_array_equal(sample.truth, sound[name].truth)
        np.testing.assert_array_equal(sound[name].image, sound[name].truth)
        error = MEASURES["lightness_error"](sample.image, sample)
        apart = np.abs(luminance(sample.image) - luminance(sample.truth))
        assert error == pytest.approx(apart.mean()) and error <= apart.max()
    assert any(not np.array_equal(s.image, s.truth) for s in faded.values())


def test_every_fifth_photograph_of_people_is_asked_about(tmp_path):
    people = tmp_path / "natural" / "people"
    people.mkdir(parents=True)
    for index in range(12):
        Pillow.fromarray(data.astronaut()[:16, :16]).save(people / f"p{index:02}.png")
    picked = pick_files(load_set("detection-people"), tmp_path)
    assert [path.stem for path in picked] == ["p04", "p09"]


def test_scratches_are_looked_for_in_all_of_kodak_and_every_other_of_cbsd(tmp_path):
    for name in [f"Kodak24/k{i}.png" for i in range(3)] + [f"CBSD68/c{i}.png" for i in range(5)]:
        path = tmp_path / "eval" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.fromarray(data.astronaut()[:16, :16]).save(path)
    picked = pick_files(load_set("scratches"), tmp_path)
    assert [path.stem for path in picked] == ["k0", "k1", "k2", "c0", "c2", "c4"]


def test_each_pattern_has_its_stride():
    values = load_set("scratches").model_dump()
    with pytest.raises(ValidationError, match="every needs one number for each"):
        EvaluationSet(**{**values, "every": [2]})


def test_noise_has_the_strength_it_is_named_after(tmp_path):
    Pillow.fromarray(np.full((120, 120, 3), 128, np.uint8)).save(tmp_path / "grey.png")
    for sigma in (15, 25):
        (sample,) = samples(load_set(f"denoise-{sigma}"), tmp_path, seed=0)
        assert (sample.image - sample.truth).std() * 255 == pytest.approx(sigma, rel=0.02)
        np.testing.assert_array_equal(np.clip(sample.unclipped, 0, 1), sample.image)


def test_grey_noise_is_one_noise_on_the_luma_in_whole_levels(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    Pillow.fromarray(picture).save(tmp_path / "colour.png")
    (sample,) = samples(load_set("grey-set12-25"), tmp_path, seed=0)
    for image in (sample.image, sample.truth, sample.unclipped):
        np.testing.assert_array_equal(image[..., 0], image[..., 2])
    red, green, blue = picture[0, 0].astype(float)
    luma = np.floor(0.29893602 * red + 0.58704307 * green + 0.1140209 * blue + 0.5)
    assert sample.truth[0, 0, 0] * 255 == pytest.approx(luma, abs=1e-4)
    assert (sample.unclipped - sample.truth).std() * 255 == pytest.approx(25, rel=0.03)
    np.testing.assert_array_equal(np.clip(sample.unclipped, 0, 1), sample.image)


def test_real_noise_comes_in_pairs(tmp_path):
    folder = tmp_path / "eval" / "real_noise" / "CC15"
    folder.mkdir(parents=True)
    for name, value in (("a_real", 10), ("a_mean", 20), ("b_real", 30)):
        Pillow.fromarray(np.full((16, 16, 3), value, np.uint8)).save(folder / f"{name}.png")
    (sample,) = samples(load_set("denoise-real"), tmp_path, seed=0)
    assert sample.name.endswith("a_real.png")
    assert (sample.truth * 255).mean() == pytest.approx(20)


def test_damage_that_cannot_be_seen_is_marked(folder):
    chosen = load_set("scratches")
    for sample in samples(chosen, folder, seed=3):
        assert sample.seen[sample.truth == 0].all()
        hidden = ~sample.seen
        assert hidden.mean() < 0.2
        full, seen = (
            MEASURES[name](np.zeros_like(sample.truth), sample)
            for name in ("average_precision", "average_precision_visible")
        )
        if np.isfinite(full) and np.isfinite(seen):
            assert seen <= full
