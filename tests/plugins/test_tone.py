"""Tone: corrections that change nothing, never cut off and keep tone; margins; the network."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from oldfix import IMAGE, Photo, Pipeline, Runner, Step, discover, write_network
from oldfix.evaluation.metrics import ciede2000
from oldfix.testing import StageContract, example_photo
from oldfix_tone import margins, net, stage, train
from oldfix_tone.correction import LUMA, Correction, soft, with_saturation

numbers = st.lists(st.floats(-3, 3), min_size=10, max_size=10).map(
    lambda values: np.array(values, np.float32)
)
seeds = st.integers(0, 2**32 - 1)


def picture(seed: int, height: int = 24, width: int = 31) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), np.float32)


@given(seeds)
def test_zeros_change_nothing(seed):
    image = picture(seed)
    correction = Correction.from_numbers(np.zeros(10, np.float32))
    np.testing.assert_allclose(correction.apply(image), image, atol=2e-5)
    np.testing.assert_allclose(correction.apply_to_lightness(image), image, atol=2e-4)


@given(numbers, seeds)
def test_strength_zero_changes_nothing(values, seed):
    image = picture(seed)
    np.testing.assert_allclose(Correction.from_numbers(values, 0.0).apply(image), image, atol=2e-5)


@given(numbers)
def test_curves_never_fall_and_stay_in_range(values):
    tables = Correction.from_numbers(values).tables()
    assert (np.diff(tables, axis=1) >= -1e-6).all()
    assert tables.min() >= 0
    assert tables.max() <= 1


@given(st.floats(-0.5, 0.3), st.floats(0.6, 2.0))
def test_bending_keeps_neighbouring_tones_apart(low, high):
    values = np.linspace(low, high, 512)
    bent = soft(values, low, high)
    assert (np.diff(bent) > 0).all()
    assert bent.min() >= 0
    assert bent.max() <= 1 + 1e-12
    straight = (values > 0.36) & (values < 0.64)
    np.testing.assert_allclose(bent[straight], values[straight])


@given(numbers, seeds)
def test_correcting_lightness_keeps_the_hue(values, seed):
    tone = np.array([1.0, 0.8, 0.6], np.float32)
    level = np.random.default_rng(seed).uniform(0.05, 1, (16, 16, 1)).astype(np.float32)
    mended = Correction.from_numbers(values).apply_to_lightness(level * tone)
    assert (mended[..., 0] >= mended[..., 1] - 1e-6).all()
    assert (mended[..., 1] >= mended[..., 2] - 1e-6).all()


@given(numbers, seeds)
def test_correcting_lightness_keeps_grey_grey(values, seed):
    grey = np.repeat(picture(seed)[..., :1], 3, axis=2)
    mended = Correction.from_numbers(values).apply_to_lightness(grey)
    assert np.array_equal(mended[..., 0], mended[..., 1])
    assert np.array_equal(mended[..., 0], mended[..., 2])


@given(seeds, st.floats(0.2, 3.0))
def test_saturation_keeps_luma_and_range(seed, factor):
    image = picture(seed)
    out = with_saturation(image, factor)
    assert out.min() >= 0
    assert out.max() <= 1
    np.testing.assert_allclose(out @ LUMA, image @ LUMA, atol=1e-5)


@settings(deadline=None, max_examples=20)
@given(numbers, seeds)
def test_training_and_photographs_share_one_arithmetic(values, seed):
    """They differ only where a curve leaves [0, 1]: there one cuts and the other bends."""
    values = values * 0.06
    image = 0.42 + 0.16 * picture(seed)
    ours = Correction.from_numbers(values).apply(image)
    tensors = torch.from_numpy(image).permute(2, 0, 1)[None], torch.from_numpy(values)
    theirs = train.corrected(tensors[0], tensors[1][None, :, None, None])[0].permute(1, 2, 0)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=2e-4)


def test_training_measures_cielab():
    from oldfix.colour import to_lab

    one, other = picture(1), picture(2)
    exact = np.linalg.norm(to_lab(one) - to_lab(other), axis=2).mean()
    pair = (torch.from_numpy(p).permute(2, 0, 1)[None] for p in (one, other))
    assert train.lab_distance(*pair).item() == pytest.approx(exact, rel=0.01)


@pytest.mark.parametrize("tone", [0.05, 0.95])
def test_margins_of_paper_are_left_out(tone):
    image = np.full((100, 120, 3), tone, np.float32)
    image[10:90, 15:100] = 0.3 + 0.4 * picture(0, 80, 85)
    rows, columns = margins.picture_box(image)
    assert (rows.start, rows.stop) == (12, 88)
    assert (columns.start, columns.stop) == (17, 98)


def test_a_sky_is_no_margin():
    image = 0.2 + 0.5 * picture(0, 100, 100)
    image[:25] = 0.9
    assert margins.picture_box(image) == (slice(0, 100), slice(0, 100))


@given(seeds, st.integers(1, 90), st.integers(1, 90))
def test_the_picture_is_never_empty(seed, height, width):
    image = np.round(picture(seed, height, width))
    rows, columns = margins.picture_box(image)
    assert image[rows, columns].size > 0


def test_a_thumbnail_does_not_see_damage():
    image = np.full((128, 128, 3), 0.5, np.float32)
    mask = np.zeros((128, 128), np.float32)
    image[40:60, 20:100], mask[40:60, 20:100] = 1.0, 1.0
    look = stage.thumbnail(image, mask)
    assert look.shape == (64, 64, 3)
    edge = np.abs(look - 0.5).max(axis=2)
    assert (edge[:20] < 1e-3).all()
    assert np.median(stage.thumbnail(image, None)[20:30, 10:50]) > 0.9


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (700, 650)])
def test_thumbnails_have_one_size(size):
    assert stage.thumbnail(example_photo(*size)[IMAGE], None).shape == (64, 64, 3)


def test_the_network_survives_its_file(tmp_path):
    small = net.tiny()
    write_network(tmp_path / "small.safetensors", small, config=small.config)
    again = net.load(tmp_path / "small.safetensors")
    look = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        assert again(look).shape == (2, 10, 1, 1)
        np.testing.assert_allclose(again(look), small(look), atol=2e-3)
        assert not net.ToneNet()(look).any()


class TestRestoreTone(StageContract):
    stage = "restore-tone"
    options: ClassVar[dict[str, object]] = {"strength": 0.9}


class TestRestoreToneToGrey(StageContract):
    stage = "restore-tone"
    options: ClassVar[dict[str, object]] = {"cast": "remove"}


def restored(image: np.ndarray, **options: object) -> np.ndarray:
    photo = Photo.from_array(image)
    plan = Pipeline((Step("restore-tone", options=options),)).plan(discover())
    with Runner(device="cpu") as runner:
        return runner.run(plan, photo)[IMAGE]


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    from skimage.data import astronaut

    return (astronaut()[::2, ::2] / 255).astype(np.float32)


def test_the_shipped_network_leaves_a_sound_portrait(portrait):
    assert ciede2000(restored(portrait), portrait) < 1


def test_the_shipped_network_mends_a_faded_and_yellowed_portrait(portrait):
    faded = ((0.2 + 0.6 * portrait) * np.array([1, 0.92, 0.7], np.float32)).astype(np.float32)
    before = ciede2000(faded, portrait)
    assert ciede2000(restored(faded), portrait) < 0.7 * before
    halfway = ciede2000(restored(faded, strength=0.5), portrait)
    assert ciede2000(restored(faded), portrait) < halfway < before


def test_sepia_stays_sepia_unless_told_otherwise(portrait):
    level = (portrait @ LUMA)[..., None]
    sepia = ((0.25 + 0.5 * level) * np.array([1, 0.85, 0.65], np.float32)).astype(np.float32)
    kept = restored(sepia)
    assert np.std(kept @ LUMA) > 1.1 * np.std(sepia @ LUMA)
    assert (kept[..., 0] > kept[..., 2]).mean() > 0.9
    removed = restored(sepia, cast="remove")
    assert np.array_equal(removed[..., 0], removed[..., 2])
