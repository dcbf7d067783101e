"""Laws of oldfix.colour: luminance exact, hue kept, everything in gamut, greyness told."""

from __future__ import annotations

import cv2
import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from skimage import color

from oldfix.colour import (
    TONED_PATCHES,
    TONED_RESIDUAL,
    colour_patches,
    from_lab,
    grey_to_luminance,
    is_toned,
    luminance,
    luminance_to_grey,
    to_lab,
    tone_residual,
    with_luminance_of,
)

L_TOLERANCE = 0.001


def images(side: int = 6) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(1, side), st.integers(1, side), st.just(3))
    return arrays.arrays(np.float32, shapes, elements=st.floats(0, 1, width=32))


def labs() -> st.SearchStrategy[np.ndarray]:
    """Lab values far outside the gamut too."""
    return images().map(lambda x: (x * (100, 300, 300) - (0, 150, 150)).astype(np.float32))


@given(images())
def test_lab_agrees_with_scikit_image(image):
    expected = color.rgb2lab(image.astype(np.float64))
    np.testing.assert_allclose(to_lab(image), expected, atol=0.01)


@given(images())
def test_round_trip_gives_the_image_back(image):
    np.testing.assert_allclose(from_lab(to_lab(image)), image, atol=1e-4)


@given(labs())
def test_from_lab_keeps_luminance_within_a_thousandth(lab):
    image = from_lab(lab)
    assert image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1
    np.testing.assert_allclose(luminance(image), lab[..., 0], atol=L_TOLERANCE)


@given(labs())
def test_colours_outside_the_gamut_move_straight_towards_grey(lab):
    got = to_lab(from_lab(lab))[..., 1:].astype(np.float64)
    wanted = lab[..., 1:].astype(np.float64)
    cross = got[..., 0] * wanted[..., 1] - got[..., 1] * wanted[..., 0]
    distance = np.abs(cross) / np.maximum(np.hypot(*np.moveaxis(wanted, -1, 0)), 1)
    assert distance.max() <= 0.05  # off the line from grey to the wanted colour
    assert (
        np.hypot(*np.moveaxis(got, -1, 0)) <= np.hypot(*np.moveaxis(wanted, -1, 0)) + 0.05
    ).all()


def test_shrinking_stops_at_the_gamut_and_not_before():
    lab = np.array([[[50, 120, 90], [80, -150, 20], [30, 60, -140]]], np.float32)
    image = from_lab(lab)
    touching = np.minimum(image.min(axis=-1), 1 - image.max(axis=-1))
    assert touching.max() < 0.03


def test_greys_and_their_luminance():
    grey = np.linspace(0, 1, 1000, dtype=np.float32)
    of_images = luminance(np.repeat(grey[None, :, None], 3, axis=2))[0]
    np.testing.assert_allclose(grey_to_luminance(grey), of_images, atol=L_TOLERANCE)
    np.testing.assert_allclose(luminance_to_grey(of_images), grey, atol=1e-5)
    np.testing.assert_allclose(luminance_to_grey(np.float32([-1, 101])), [0, 1], atol=1e-5)


@given(images(), st.integers(0, 2**32 - 1))
def test_with_luminance_of_takes_luminance_from_source(image, seed):
    source = np.random.default_rng(seed).random(image.shape, np.float32)
    out = with_luminance_of(image, source)
    np.testing.assert_allclose(luminance(out), luminance(source), atol=L_TOLERANCE)


@given(images())
def test_an_image_with_its_own_luminance_is_itself(image):
    np.testing.assert_allclose(with_luminance_of(image, image), image, atol=1e-4)


def test_with_luminance_of_refuses_another_size():
    with pytest.raises(ValueError, match="one size"):
        with_luminance_of(np.zeros((2, 3, 3), np.float32), np.zeros((3, 2, 3), np.float32))


def test_bands_of_a_large_picture_join_without_a_trace():
    image = np.random.default_rng(0).random((700, 900, 3), np.float32)
    whole, row = to_lab(image), to_lab(image[333:334])
    np.testing.assert_allclose(whole[333:334], row, atol=1e-4)
    np.testing.assert_allclose(luminance(image), whole[..., 0], atol=1e-4)


def scene(seed: int = 0) -> np.ndarray:
    """A smooth random colour picture."""
    small = np.random.default_rng(seed).random((6, 8, 3), np.float32)
    return np.clip(cv2.resize(small, (160, 120), interpolation=cv2.INTER_CUBIC), 0, 1)


def sepia(image: np.ndarray) -> np.ndarray:
    """The picture in brown tones, strongest in the middle of the scale."""
    tone = luminance(image)
    chroma = 24 * np.sin(np.pi * tone / 100)
    return from_lab(np.stack([tone, 0.35 * chroma, chroma], axis=-1))


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_grey_and_sepia_are_toned_and_colour_is_not(seed):
    image = scene(seed)
    grey = np.repeat(luminance(image)[..., None] / 100, 3, axis=-1)
    assert is_toned(grey)
    assert is_toned(sepia(image))
    assert not is_toned(image)


def test_jpeg_noise_leaves_a_sepia_photograph_toned():
    pixels = np.round(sepia(scene(3))[..., ::-1] * 255).astype(np.uint8)
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 30])
    image = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1].astype(np.float32) / 255
    assert is_toned(image)


@given(images(1))
def test_a_single_colour_has_no_residual(image):
    assert tone_residual(image) < 0.01


def under_a_veil(dressed: bool) -> np.ndarray:
    """A sepia picture with a wash of stain, in which a figure may wear a dull green."""
    rows, columns = np.mgrid[-1:1:120j, -1:1:160j].astype(np.float32)
    lab = to_lab(sepia(0.2 + 0.4 * scene(5)))
    lab[..., 1] += 2 * columns + rows * rows
    lab[..., 2] += 6 * columns * rows
    if dressed:
        lab[40:100, 60:80, 1] -= 6
    return from_lab(lab)


def test_a_wash_of_stain_is_no_colour_and_the_colour_of_a_thing_is():
    stained, dressed = under_a_veil(dressed=False), under_a_veil(dressed=True)
    assert is_toned(stained)
    assert tone_residual(dressed) < TONED_RESIDUAL
    assert colour_patches(stained) < 0.5 * TONED_PATCHES < 0.5 * colour_patches(dressed)
    assert not is_toned(dressed)


def test_fading_takes_no_patch_away():
    """Patches are measured against the range of L*, so that a veil changes them little."""
    dressed = under_a_veil(dressed=True)
    assert colour_patches(0.25 + 0.5 * dressed) > 0.7 * colour_patches(dressed)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (2, 3)])
def test_the_smallest_pictures_can_be_judged(size):
    assert is_toned(np.full((*size, 3), 0.5, np.float32))
