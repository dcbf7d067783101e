"""Laws of carrying a picture through a recipe."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from oldfix.degrade import Recipe, Step, age, load_recipe, recipe_names
from oldfix.degrade.fields import smooth_field

sizes = st.sampled_from([(1, 1), (31, 37), (64, 64)])
seeds = st.integers(0, 2**32)


def picture(height: int = 64, width: int = 64) -> np.ndarray:
    rng = np.random.default_rng(height)
    planes = [0.5 + 0.25 * smooth_field(rng, (height, width), 16) for _ in range(3)]
    image = np.clip(np.stack(planes, -1), 0, 1).astype(np.float32)
    image.flags.writeable = False
    return image


@pytest.mark.parametrize("name", recipe_names())
@settings(max_examples=15, deadline=None)
@given(size=sizes, seed=seeds)
def test_ageing_is_seeded_pure_and_in_range(name, size, seed):
    image = picture(*size)
    before = image.copy()
    first, second = (age(image, rng=np.random.default_rng(seed), recipe=name) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.defects, second.defects)
    assert first.steps == second.steps
    np.testing.assert_array_equal(image, before)
    for result in (first.image, first.target):
        assert result.shape == image.shape
        assert result.dtype == np.float32
        assert result.min() >= 0
        assert result.max() <= 1
        assert not np.shares_memory(result, image)
    assert not np.shares_memory(first.image, first.target)
    assert first.defects.shape == size
    assert 0 <= first.defects.min() <= first.defects.max() <= 1


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_tone_belongs_to_the_target(seed):
    aged = age(picture(), rng=np.random.default_rng(seed), recipe="tone")
    np.testing.assert_array_equal(aged.image, aged.target)
    assert not aged.defects.any()


@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_without_tone_the_target_is_the_clean_picture(seed):
    aged = age(picture(), rng=np.random.default_rng(seed), recipe="old-photo-no-tone")
    np.testing.assert_array_equal(aged.target, picture())


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_defects_mark_all_that_structure_changed(seed):
    aged = age(picture(), rng=np.random.default_rng(seed), recipe="scratches")
    sound = aged.defects == 0
    np.testing.assert_array_equal(aged.image[sound], aged.target[sound])
    assert (np.abs(aged.image - aged.target).max(-1) <= aged.defects + 1e-5).all()


def test_some_pictures_are_sound_some_lightly_and_some_badly_damaged():
    rng = np.random.default_rng(0)
    image = picture(128, 128)
    shares = np.array([(age(image, rng=rng).defects > 0.2).mean() for _ in range(600)])
    assert 0.25 < (shares == 0).mean() < 0.75
    assert (shares > 0.03).mean() > 0.02
    assert np.median(shares[shares > 0]) < 0.02


def test_steps_tell_what_happened_in_the_recipes_order():
    recipe = load_recipe("demo")
    aged = age(picture(), rng=np.random.default_rng(1), recipe=recipe)
    assert [step["kind"] for step in aged.steps] == [step.kind for step in recipe.step]
    assert aged.steps[3] == {
        "kind": "fade", "group": "tone", "contrast": 0.68, "lift": 0.16, "saturation": 1.0,
    }  # fmt: skip


def test_a_group_of_no_chance_never_happens():
    recipe = load_recipe("old-photo")
    quiet = recipe.model_copy(update={"chance": {"structure": 0.0, "texture": 0.0, "tone": 0.0}})
    aged = age(picture(), rng=np.random.default_rng(0), recipe=quiet)
    assert aged.steps == ()
    np.testing.assert_array_equal(aged.image, picture())


def test_demo_is_clearly_damaged_and_gaussian_25_is_noise_of_25():
    image = picture(256, 256)
    aged = age(image, rng=np.random.default_rng(0), recipe="demo")
    assert (aged.defects > 0.2).mean() > 0.004
    assert np.abs(aged.image - image).mean() > 0.05
    noisy = age(np.full_like(image, 0.5), rng=np.random.default_rng(0), recipe="gaussian-25")
    assert 255 * noisy.image.std() == pytest.approx(25, rel=0.02)


def test_shuffling_moves_texture_steps_and_no_others():
    plain = load_recipe("demo")
    recipe = plain.model_copy(update={"shuffle": 1.0})
    aged = age(picture(), rng=np.random.default_rng(2), recipe=recipe)
    shuffled = [step["kind"] for step in aged.steps]
    given_order = [step.kind for step in plain.step]
    assert shuffled != given_order
    assert sorted(shuffled) == sorted(given_order)
    for place, step in enumerate(plain.step):
        assert step.group == "texture" or shuffled[place] == step.kind


def test_a_step_may_change_its_group():
    step = Step(kind="vignette", group="texture")
    recipe = Recipe(name="x", summary="y", step=(step,))
    aged = age(picture(), rng=np.random.default_rng(0), recipe=recipe)
    np.testing.assert_array_equal(aged.target, picture())
    assert not np.array_equal(aged.image, picture())


@pytest.mark.parametrize("shape", [(4, 4), (0, 4, 3), (4, 4, 4)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"age: the image must be \(H, W, 3\) float32, got "):
        age(np.zeros(shape, np.float32), rng=np.random.default_rng(0))


def test_other_types_are_refused():
    with pytest.raises(ValueError, match=r"got \(4, 4, 3\) float64; convert it"):
        age(np.zeros((4, 4, 3)), rng=np.random.default_rng(0))
