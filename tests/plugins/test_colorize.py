"""The stages that colour: luminance exact, colour photographs left alone, references used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
from hypothesis import given, strategies as st
from skimage import data

from oldfix import IMAGE, REFERENCES, Photo
from oldfix.colour import from_lab, is_toned, luminance, to_lab
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import StageContract, TinyStore
from oldfix_colorize import ColorizeOptions, TransferOptions
from oldfix_colorize.chroma import match_statistics, upsample
from oldfix_colorize.doubt import strength

L_TOLERANCE = 0.001


class TestColorize(StageContract):
    stage = "colorize-reference"


class TestRecolor(StageContract):
    stage = "colorize-reference"
    options: ClassVar[Mapping[str, Any]] = {"recolor": True, "saturation": 1.5}


class TestTransferClassical(StageContract):
    stage = "transfer-color-classical"


def run(name: str, photo: Photo, **options: Any) -> Photo:
    """Run one stage with the tiny network."""
    plan = Pipeline((Step(name, options=options),)).plan(
        discover(), given=set(photo), store=TinyStore()
    )
    with Runner(device="cpu", precision="float32") as runner:
        return runner.run(plan, photo)


def scene(seed: int, height: int = 90, width: int = 120) -> np.ndarray:
    """A smooth random colour picture."""
    small = np.random.default_rng(seed).random((5, 6, 3), np.float32)
    return np.clip(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def flat(*rgb: float) -> np.ndarray:
    """A colour photograph of mostly one colour."""
    image = np.full((40, 50, 3), rgb, np.float32)
    image[:, 25:] *= 0.4
    image[20:, :] = image[20:, :, ::-1] * 0.9
    return image


def grey_photo(seed: int = 0) -> Photo:
    level = luminance(scene(seed)) / 100
    return Photo.from_array(np.repeat(level[..., None], 3, axis=2))


@pytest.mark.parametrize("name", ["colorize-reference", "transfer-color-classical"])
@pytest.mark.parametrize("saturation", [0.0, 1.0, 2.0])
def test_luminance_is_kept(name, saturation):
    photo = grey_photo().put(REFERENCES, (scene(5),))
    after = run(name, photo, saturation=saturation)
    difference = luminance(after[IMAGE]) - luminance(photo[IMAGE])
    assert np.abs(difference).max() <= L_TOLERANCE
    assert (saturation == 0) == is_toned(after[IMAGE])


def test_a_colour_photograph_is_left_alone_and_the_history_says_so():
    photo = Photo.from_array(scene(1))
    after = run("colorize-reference", photo)
    np.testing.assert_array_equal(after[IMAGE], photo[IMAGE])
    assert "recolor" in str(after.history[0])
    again = run("colorize-reference", photo, recolor=True)
    assert np.abs(again[IMAGE] - photo[IMAGE]).max() > 0.05


def sepia_of(grey: Photo) -> Photo:
    light = to_lab(grey[IMAGE])[..., 0]
    return Photo.from_array(from_lab(np.stack([light, 0 * light + 6, 0 * light + 15], axis=-1)))


def test_sepia_gives_the_colours_that_grey_gives():
    grey = grey_photo(2)
    sepia = sepia_of(grey)
    expected = run("colorize-reference", grey)[IMAGE]
    np.testing.assert_allclose(run("colorize-reference", sepia)[IMAGE], expected, atol=2e-3)


@pytest.mark.parametrize("name", ["colorize-reference", "transfer-color-classical"])
def test_another_reference_gives_other_colours(name):
    red, blue = (
        run(name, grey_photo().put(REFERENCES, (reference,)))[IMAGE]
        for reference in (flat(0.9, 0.2, 0.1), flat(0.1, 0.3, 0.9))
    )
    assert np.abs(red - blue).mean() > 0.005


def test_order_of_references_does_not_matter_and_all_of_them_count():
    one, two = flat(0.9, 0.2, 0.1), scene(7)
    photo = grey_photo()

    def colours(*references):
        return run("colorize-reference", photo.put(REFERENCES, references))[IMAGE]

    np.testing.assert_allclose(colours(one, two), colours(two, one), atol=1e-3)
    assert np.abs(colours(one, two) - colours(one)).max() > 1e-3


@pytest.mark.parametrize("name", ["colorize-reference", "transfer-color-classical"])
def test_a_grey_reference_is_left_out_with_a_warning(name):
    photo = grey_photo()
    after = run(name, photo.put(REFERENCES, (grey_photo(3)[IMAGE],)))
    assert "give no colour" in str(after.history[0])
    if name == "colorize-reference":
        np.testing.assert_array_equal(after[IMAGE], run(name, photo)[IMAGE])
    else:
        np.testing.assert_array_equal(after[IMAGE], photo[IMAGE])


@pytest.mark.parametrize("name", ["colorize-reference", "transfer-color-classical"])
def test_a_reference_of_one_tone_is_used_with_a_warning(name):
    photo = grey_photo()
    references = scene(5), sepia_of(grey_photo(3))[IMAGE]
    after = run(name, photo.put(REFERENCES, references))
    assert "1 of 2 references have a single tone" in str(after.history[0])
    alone = run(name, photo.put(REFERENCES, references[:1]))
    assert "single tone" not in str(alone.history[0])
    assert np.abs(after[IMAGE] - alone[IMAGE]).max() > 1e-3


def test_options_have_limits():
    for options in (ColorizeOptions, TransferOptions):
        with pytest.raises(ValueError, match="saturation"):
            options.parse({"saturation": 2.5})


# Chroma at full size ---------------------------------------------------------------------------


@given(st.integers(2, 60), st.integers(2, 60), st.integers(0, 99))
def test_upsampled_chroma_stays_in_its_range(height, width, seed):
    rng = np.random.default_rng(seed)
    chroma = rng.uniform(-60, 60, (7, 9, 2)).astype(np.float32)
    full = upsample(chroma, rng.uniform(0, 100, (height, width)).astype(np.float32))
    assert full.shape == (height, width, 2) and full.dtype == np.float32
    assert (full >= chroma.min(axis=(0, 1)) - 1e-4).all()
    assert (full <= chroma.max(axis=(0, 1)) + 1e-4).all()


def test_upsampled_colour_does_not_bleed_over_an_edge_of_luminance():
    light = np.full((128, 128), 30, np.float32)
    light[:, 61:] = 80  # off the grid of the small chroma
    chroma = np.zeros((16, 16, 2), np.float32)
    chroma[:, :7], chroma[:, 7], chroma[:, 8:] = 40, 15, -40
    guided = upsample(chroma, light)
    plain = cv2.resize(chroma, (128, 128), interpolation=cv2.INTER_LINEAR)
    truth = np.where(light[..., None] < 50, 40, -40)
    assert np.abs(guided - truth)[:, 50:72].mean() < 0.6 * np.abs(plain - truth)[:, 50:72].mean()


def test_constant_chroma_stays_constant():
    light = np.random.default_rng(0).uniform(0, 100, (50, 40)).astype(np.float32)
    full = upsample(np.full((6, 5, 2), 12, np.float32), light)
    np.testing.assert_allclose(full, 12, atol=1e-3)


def test_statistics_of_colour_photographs_are_matched():
    lab, reference = to_lab(scene(1)), scene(2)
    matched = match_statistics(lab, [reference], toned=False)
    wanted = to_lab(reference)[..., 1:]
    np.testing.assert_allclose(matched.mean(axis=(0, 1)), wanted.mean(axis=(0, 1)), atol=0.1)
    np.testing.assert_allclose(matched.std(axis=(0, 1)), wanted.std(axis=(0, 1)), rtol=0.01)


def test_a_toned_photograph_gets_the_chroma_of_its_luminance():
    ramp = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[:, None], 20, axis=1)
    reference = np.stack([ramp, ramp * 0.5, 1 - ramp], axis=-1)  # blue shadows, orange lights
    lab = np.zeros((64, 20, 3), np.float32)
    lab[..., 0] = ramp * 100
    b = match_statistics(lab, [reference], toned=True)[..., 1]
    assert b[5].mean() < -20 and b[-5].mean() > 20


# Doubt -------------------------------------------------------------------------------------------


def told(a: float, b: float, entropy: float, *, textured: bool = True) -> float:
    """Return the strength of a colour in the middle of a picture of it alone."""
    light = np.full((40, 40), 60, np.float32)
    light[:, :4], light[:, 36:] = 10, 95
    if textured:
        light[::4] = 20
    chroma = np.broadcast_to(np.float32([a, b]), (40, 40, 2))
    return float(strength(chroma, np.full((40, 40), entropy, np.float32), light)[20, 20])


def test_a_warm_colour_is_weakened_as_far_as_the_network_is_unsure():
    sure, unsure = told(12, 16, 2.0), told(12, 16, 3.2)
    assert sure == pytest.approx(1, abs=0.05) and unsure == pytest.approx(0.2, abs=0.05)
    assert sure > told(12, 16, 2.62) > unsure


def test_red_is_doubted_before_the_colour_of_skin():
    assert told(20, 10, 2.45) < 0.3 and told(12, 18, 2.45) > 0.9


def test_a_warm_colour_of_a_flat_place_is_weakened():
    assert told(12, 16, 2.0, textured=False) == pytest.approx(0.2, abs=0.05)


def test_blue_stays_and_pale_green_is_strengthened():
    assert told(-5, -20, 3.2, textured=False) == pytest.approx(1, abs=0.01)
    assert told(-4, 6, 3.2) == pytest.approx(1.95, abs=0.01)
    assert told(-14, 18, 3.2) == pytest.approx(1, abs=0.01)


def test_doubt_keeps_luminance_and_is_silent_where_a_reference_speaks():
    photo = grey_photo()
    believed, doubted = (run("colorize-reference", photo, doubt=d)[IMAGE] for d in (0.0, 1.0))
    assert np.abs(believed - doubted).max() > 1e-3
    assert np.abs(luminance(doubted) - luminance(photo[IMAGE])).max() <= L_TOLERANCE
    given = photo.put(REFERENCES, (scene(5),))
    one, other = (run("colorize-reference", given, doubt=d)[IMAGE] for d in (0.0, 1.0))
    np.testing.assert_array_equal(one, other)


# The weights that ship ---------------------------------------------------------------------------


def shipped(photo: Photo) -> np.ndarray:
    """Run the stage with the embedded network."""
    plan = Pipeline((Step("colorize-reference", options={"model": "pikfix-s"}),)).plan(
        discover(), given=set(photo)
    )
    with Runner(device="cpu", precision="float32") as runner:
        return runner.run(plan, photo)[IMAGE]


def chroma_error(image: np.ndarray, truth: np.ndarray) -> float:
    difference = to_lab(image)[..., 1:] - to_lab(truth)[..., 1:]
    return float(np.sqrt(np.mean(difference**2)))


def test_shipped_network_beats_grey_and_statistics_on_a_portrait():
    truth = np.float32(data.astronaut()[::2, ::2] / 255)
    grey = Photo.from_array(from_lab(to_lab(truth) * np.float32([1, 0, 0])))
    with_reference = grey.put(REFERENCES, (np.ascontiguousarray(truth[10:200, ::-1]),))
    none = chroma_error(grey[IMAGE], truth)
    classical = chroma_error(run("transfer-color-classical", with_reference)[IMAGE], truth)
    assert chroma_error(shipped(grey), truth) < 0.9 * none
    assert chroma_error(shipped(with_reference), truth) < 0.8 * min(none, classical)
