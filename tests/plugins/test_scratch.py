"""Scratches: the mask's arithmetic, the classical stages, the network and the training samples."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from oldfix import (
    DEFECTS,
    IMAGE,
    Photo,
    Pipeline,
    Runner,
    StageError,
    Step,
    discover,
    write_network,
)
from oldfix.testing import StageContract, example_photo
from oldfix_scratch import classical, masks, net, stage

planes = st.builds(
    lambda seed, height, width: (
        np.random.default_rng(seed).random((height, width), np.float32).astype(np.float32)
    ),
    st.integers(0, 2**32 - 1),
    st.integers(1, 40),
    st.integers(1, 40),
)


def lined_picture(size: int = 96, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A soft noisy picture with one bright oblique scratch, and its truth."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / np.float32(size)
    image = np.repeat((0.3 + 0.2 * np.sin(3 * x) * y)[..., None], 3, axis=2)
    image = image + rng.normal(0, 0.02, image.shape[:2])[..., None]
    truth = np.abs((x - 0.3) - 0.35 * y) < 0.01
    image[truth] = 0.9
    return np.clip(image, 0, 1).astype(np.float32), truth


@given(planes, st.floats(0, 1), st.floats(0, 1))
def test_hysteresis_lies_between_its_two_thresholds(plane, one, other):
    low, high = min(one, other), max(one, other)
    marks = masks.hysteresis(plane, low=low, high=high)
    assert (marks <= (plane >= low)).all()
    assert (marks >= (plane >= high)).all()


def test_hysteresis_follows_a_faint_line_from_its_strong_point():
    plane = np.zeros((5, 9), np.float32)
    plane[2, 1:8] = 0.4
    plane[0, 0] = 0.4
    plane[2, 4] = 0.9
    marks = masks.hysteresis(plane, low=0.3, high=0.8)
    assert marks[2].tolist() == [False] + [True] * 7 + [False]
    assert marks.sum() == 7


@given(planes, st.integers(1, 30))
def test_cleaning_only_removes_and_leaves_large_areas(plane, least):
    marks = plane > 0.7
    kept = masks.drop_small(marks, least)
    assert (kept <= marks).all()
    assert np.array_equal(masks.drop_small(kept, least), kept)


def test_cleaning_counts_diagonal_neighbours():
    marks = np.eye(6, dtype=bool)
    assert masks.drop_small(marks, 6).sum() == 6
    assert masks.drop_small(marks, 7).sum() == 0


def test_what_is_wide_is_dropped_with_its_rim_and_lines_stay():
    marks = np.zeros((80, 120), bool)
    marks[30:50, 20:45] = True
    marks[10:14, :] = marks[:, 80:96] = True
    wide = np.zeros_like(marks)
    wide[30:50, 20:45] = True
    np.testing.assert_array_equal(masks.drop_wide(marks, 16), marks & ~wide)
    assert masks.drop_wide(marks, 30) is marks


def test_scans_and_small_files_are_measured_in_proportion(monkeypatch):
    seen = []
    monkeypatch.setattr(stage, "drop_wide", lambda marks, widest: seen.append(widest) or marks)
    monkeypatch.setattr(stage, "probabilities", lambda image, *_, **__: image[..., 0])
    for size in ((40, 800), (10, 3200), (320, 20)):
        photo = Photo.from_array(np.zeros((*size, 3), np.float32))
        run_steps(photo, Step("detect-scratches", options={"max_width_px": 10}))
    assert seen == [10, 20, 5]


@given(planes, st.integers(0, 5))
def test_growth_marks_all_within_the_radius_and_nothing_beyond(plane, radius):
    marks = plane > 0.95
    grown = masks.grow(marks, radius)
    y, x = np.nonzero(marks)
    yy, xx = np.mgrid[: plane.shape[0], : plane.shape[1]]
    if len(y) == 0:
        assert not grown.any()
        return
    distance = np.hypot(yy[..., None] - y, xx[..., None] - x).min(axis=-1)
    assert not grown[distance > radius + 0.5].any()
    assert grown[distance <= radius - 0.5].all()
    assert grown[marks].all()


@given(planes)
def test_joining_keeps_both_masks(plane):
    marks = plane > 0.5
    given_mask = plane[::-1].copy()
    joined = masks.join(marks, given_mask)
    assert (joined >= given_mask).all()
    assert (joined[marks] == 1).all()
    assert np.array_equal(masks.join(marks, None), marks.astype(np.float32))


@pytest.mark.parametrize("bright", [True, False])
def test_line_response_separates_a_scratch_from_its_surroundings(bright):
    image, truth = lined_picture()
    image = image if bright else (1 - image)
    response = classical.line_response(image, width_px=5, length_px=21)
    assert np.median(response[truth]) > 8
    assert np.quantile(response[~truth], 0.9) < 5


def test_line_response_of_a_flat_picture_is_nothing():
    image = np.full((40, 50, 3), 0.5, np.float32)
    assert not classical.line_response(image, width_px=5, length_px=21).any()


@pytest.mark.parametrize("method", ["telea", "navier-stokes"])
def test_filling_changes_damaged_pixels_only_and_brings_them_back(method):
    sound, _ = lined_picture(seed=1)
    sound = np.repeat(sound.mean(axis=(1, 2))[:, None, None], 96, axis=1).repeat(3, axis=2)
    mask = np.zeros((96, 96), np.float32)
    mask[:, 40:43] = 1
    hurt = sound.copy()
    hurt[mask == 1] = 1
    mended = classical.fill(hurt, mask, method=method, radius_px=3)
    assert np.array_equal(mended[mask == 0], hurt[mask == 0])
    assert np.abs(mended - sound).mean() < 0.1 * np.abs(hurt - sound).mean()


def test_filling_needs_a_sound_pixel():
    image = np.zeros((8, 8, 3), np.float32)
    with pytest.raises(ValueError, match="nothing is left"):
        classical.fill(image, np.ones((8, 8), np.float32), method="telea", radius_px=3)


def test_the_network_sees_no_further_than_its_halo():
    image = torch.rand(1, 3, 256, 256, requires_grad=True)
    whole = net.ScratchNet((4, 4, 4))
    whole(image, torch.zeros(1, 4, 256, 256))[0, 0, 123, 131].backward()
    touched = image.grad.abs().sum(1)[0].nonzero()
    reach = (touched - torch.tensor([123, 131])).abs().max().item()
    assert reach <= 88


def test_the_network_survives_its_file(tmp_path):
    small = net.tiny()
    write_network(tmp_path / "small.safetensors", small, config=small.config)
    again = net.load(tmp_path / "small.safetensors")
    image, thin = torch.rand(1, 3, 16, 24), torch.rand(1, 4, 16, 24)
    with torch.no_grad():
        np.testing.assert_allclose(again(image, thin), small(image, thin), atol=2e-3)
        assert again(image, thin).shape == (1, 1, 16, 24)


def test_the_tiny_network_is_the_same_every_time():
    ones, others = net.tiny().state_dict(), net.tiny().state_dict()
    assert all(torch.equal(ones[name], others[name]) for name in ones)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_sound_structures_are_drawn_reproducibly_and_in_range(seed):
    from oldfix_scratch.negatives import draw_sound_structures

    image = np.full((64, 64, 3), 0.5, np.float32)
    one, other = (draw_sound_structures(image, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(one, other)
    assert one.dtype == np.float32
    assert one.min() >= 0 and one.max() <= 1
    assert (image == 0.5).all()


class TestDetect(StageContract):
    stage = "detect-scratches"
    options: ClassVar[dict[str, object]] = {
        "threshold": 0.06,
        "low_threshold": 0.05,
        "mode": "join",
    }


class TestDetectClassical(StageContract):
    stage = "detect-scratches-classical"
    options: ClassVar[dict[str, object]] = {"width_px": 3}


class TestFillClassical(StageContract):
    stage = "fill-defects-classical"
    sizes = ((31, 37), (64, 64), (200, 129))  # of one pixel, marked, nothing is left to fill from
    options: ClassVar[dict[str, object]] = {"method": "navier-stokes", "radius_px": 2.0}


def run_steps(photo: Photo, *steps: Step) -> Photo:
    plan = Pipeline(steps).plan(discover(), given=set(photo))
    with Runner(device="cpu") as runner:
        return runner.run(plan, photo)


def test_the_classical_chain_mends_a_scratch():
    image, truth = lined_picture()
    mended = run_steps(
        Photo.from_array(image), Step("detect-scratches-classical"), Step("fill-defects-classical")
    )
    assert (mended[DEFECTS][truth] == 1).mean() > 0.8
    assert mended[DEFECTS][~truth].mean() < 0.1
    assert np.abs(mended[IMAGE][truth] - 0.9).mean() > 0.2
    noted = mended.history[0]["notes"]["marked_percent"]
    assert noted == pytest.approx(100 * mended[DEFECTS].mean(), 0.01)


def test_a_mask_that_was_given_is_replaced_or_joined():
    image, _ = lined_picture()
    given_mask = np.zeros((96, 96), np.float32)
    given_mask[80:90, 5:15] = 0.75
    photo = Photo.from_array(image).put(DEFECTS, given_mask)
    step = "detect-scratches-classical"
    replaced = run_steps(photo, Step(step))[DEFECTS]
    joined = run_steps(photo, Step(step, options={"mode": "join"}))[DEFECTS]
    assert not (replaced == 0.75).any()
    np.testing.assert_array_equal(joined, np.maximum(replaced, given_mask))


def test_filling_a_picture_of_nothing_but_damage_says_so():
    photo = Photo.from_array(np.zeros((8, 8, 3), np.float32)).put(
        DEFECTS, np.ones((8, 8), np.float32)
    )
    with pytest.raises(StageError, match="fewer marks"):
        run_steps(photo, Step("fill-defects-classical"))


def test_training_examples_have_one_shape_and_weigh_damage_by_what_shows():
    from oldfix_scratch import train

    flat = np.full((40, 40, 3), 0.5, np.float32)
    marked = flat.copy()
    marked[20:23], opacity = 1.0, np.zeros((40, 40), np.float32)
    opacity[20:23], opacity[5:8] = 0.9, 0.9
    seen = train.visibility(marked, flat, opacity)
    assert seen[21].min() > 0.9
    assert seen[6].max() < 0.1
    wide = np.zeros((60, 60), np.float32)
    wide[:, :30], wide[:, 50] = 1, 1
    weight = train.weight_of(wide)
    assert weight[30, 10] < 0.25
    assert weight[30, 50] == 1


def test_the_shipped_network_leaves_a_sound_portrait_and_finds_scratches():
    from skimage.data import astronaut

    from oldfix.degrade import age

    sound = (astronaut() / 255).astype(np.float32)
    marked = run_steps(Photo.from_array(sound), Step("detect-scratches"))[DEFECTS]
    assert marked.mean() < 0.01
    aged = age(sound, rng=np.random.default_rng(1), recipe="demo")
    found = run_steps(Photo.from_array(aged.image), Step("detect-scratches"))[DEFECTS] > 0.5
    truth = aged.defects > 0.2
    assert truth[found].mean() > 4 * truth.mean()
    assert found[truth].mean() > 4 * found[~truth].mean() > 0


def test_soft_marks_are_the_probabilities_that_thresholds_cut():
    photo = example_photo(96, 120)
    masks = {}
    with Runner(device="cpu") as runner:
        for name, options in {
            "soft": {"soft": True},
            "marks": {
                "threshold": 0.3,
                "low_threshold": 0.3,
                "min_area_px": 1,
                "max_width_px": 1000,
                "grow_px": 0,
            },
        }.items():
            plan = Pipeline((Step("detect-scratches", options=options),)).plan(discover())
            masks[name] = runner.run(plan, photo)[DEFECTS]
    assert masks["soft"].min() >= 0
    assert masks["soft"].max() <= 1
    np.testing.assert_array_equal(masks["soft"] >= 0.3, masks["marks"] > 0.5)
    assert photo[IMAGE].shape[:2] == masks["soft"].shape
