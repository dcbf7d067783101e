"""Tone: corrections that change nothing, never cut off and keep tone; margins; the network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from oldfix import IMAGE, Photo, Pipeline, Runner, Step, discover, write_network
from oldfix.evaluation.metrics import ciede2000
from oldfix.testing import StageContract, example_photo
from oldfix_tone import levels, margins, net, stage, texture, train
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


def grey(luma: np.ndarray) -> np.ndarray:
    return np.repeat(luma[..., None].astype(np.float32), 3, axis=2)


def fields(blacks: float, side: int = levels.LEVELS_SIDE) -> np.ndarray:
    """A pale scene, luma 0.4 to 0.85, with a share of pixels that are black."""
    luma = np.random.default_rng(0).uniform(0.4, 0.85, (side, side))
    inside = luma[side // 4 : 3 * side // 4, side // 4 : 3 * side // 4]
    inside.flat[: round(blacks * luma.size)] = 0.05
    return grey(luma)


def test_a_pale_scene_with_some_blacks_is_not_faded():
    assert levels.levels(fields(0.0), 1.0)[1] == 1
    assert levels.levels(fields(0.004), 1.0)[1] == 0


def test_the_edge_of_a_mount_is_no_black_of_the_picture():
    look = fields(0.0)
    look[:, :8] = 0
    assert levels.levels(look, 1.0)[1] == 1


def test_the_middle_falls_less_than_the_points_would_have_it():
    look = fields(0.0)
    correction, _ = levels.levels(look, 1.0)
    straight = correction.gain[0] * np.median(look) - correction.offset[0]
    median = np.median(correction.apply_to_lightness(look))
    assert straight + 0.01 < median < np.median(look) - 0.01


def test_what_does_not_fall_is_not_raised():
    dark = fields(0.0) - 0.3
    assert (levels.levels(dark, 1.0)[0].exponent == 1).all()


def test_loudness_is_the_deviation_of_the_finest_texture():
    noise = np.random.default_rng(0).normal(0.5, 0.03, (200, 300)).astype(np.float32)
    edge = np.repeat(np.linspace(0, 1, 300, dtype=np.float32)[None], 200, axis=0)
    assert texture.loudness(noise) == pytest.approx(0.03, rel=0.05)
    assert texture.loudness(edge) < 1e-6
    assert texture.loudness(noise[:1]) == 0


def halftone(contrast: float = 0.06) -> np.ndarray:
    """A faded halftone print: two flat tones, and a screen of one dot in four pixels."""
    luma = np.full((120, 160), 0.45, np.float32)
    luma[:, 80:] = 0.6
    luma[::2, ::2] += 3 * contrast
    luma -= contrast * 0.75
    return grey(luma)


def test_a_correction_makes_the_screen_of_a_print_no_louder():
    image = halftone()
    correction = Correction.from_numbers(np.full(10, 0, np.float32))
    correction = dataclasses.replace(correction, gain=np.full(3, 1.8, np.float32))
    correction = dataclasses.replace(correction, offset=np.full(3, 0.42, np.float32))
    plain, held = (correction.apply_to_lightness(image, hold)[..., 0] for hold in (0.0, 1.0))
    found = np.std(image[20:100, 20:60, 0])
    assert np.std(plain[20:100, 20:60]) > 1.6 * found
    assert np.std(held[20:100, 20:60]) <= 1.01 * found
    means = [float(part[:, 100:140].mean() - part[:, 20:60].mean()) for part in (plain, held)]
    assert means[1] == pytest.approx(means[0], abs=0.01)


def test_the_stage_holds_a_screen_back_and_says_so(run_tone):
    before, after, notes = run_tone(halftone())
    assert notes["corrected"] == 1
    assert notes["texture"] > 0.03
    assert notes["texture_held"] == 1
    assert np.std(after[20:100, 20:60]) <= 1.01 * np.std(before[20:100, 20:60])


def test_quiet_texture_is_corrected_as_all_else(run_tone):
    _, _, notes = run_tone(halftone(0.005))
    assert notes["corrected"] == 1
    assert "texture_held" not in notes


@pytest.fixture
def run_tone() -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, dict[str, Any]]]:
    def run(image: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        plan = Pipeline((Step("restore-tone"),)).plan(discover())
        with Runner(device="cpu") as runner:
            photo = runner.run(plan, Photo.from_array(image))
        return image[..., 0], photo[IMAGE][..., 0], photo.history[-1]["notes"]

    return run


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
