"""Alignment, warps and pasting of faces, with pixel centres at integers."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from oldfix_faces.align import (
    Box,
    align,
    box_around,
    corners,
    crop_face,
    on_grid,
    template,
    uncrop,
)
from oldfix_faces.paste import Patch, face_mask, is_exactly_grey, paste
from oldfix_faces.texture import blurred, removed

placements = st.tuples(
    st.floats(0.1, 4), st.floats(-3.1, 3.1), st.floats(-50, 500), st.floats(-50, 500)
)


def placed(scale, angle, x, y, size=64):
    """Template landmarks under a known similarity: (points, matrix from crop to photo)."""
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return template(size) @ turn.T + (x, y), turn


def smooth_picture(height, width, seed=0):
    y, x = np.mgrid[:height, :width].astype(np.float32)
    phase = np.random.default_rng(seed).uniform(0, 6, 3)
    waves = [0.5 + 0.3 * np.sin(x / 19 + p) * np.cos(y / 23 - p) for p in phase]
    return np.stack(waves, axis=2).astype(np.float32)


@given(placements)
def test_alignment_recovers_a_similarity(placement):
    points, turn = placed(*placement)
    alignment = align(points, 64)
    assert alignment.scale == pytest.approx(1 / placement[0], rel=1e-6)
    np.testing.assert_allclose(alignment.to_crop(points), template(64), atol=1e-6)
    np.testing.assert_allclose(alignment.inverse[:, :2], turn, atol=1e-6)


@given(placements, st.integers(0, 2**32 - 1))
def test_points_come_back_from_the_crop(placement, seed):
    points, _ = placed(*placement)
    noisy = points + np.random.default_rng(seed).normal(0, placement[0], (5, 2))
    alignment = align(noisy, 128)
    np.testing.assert_allclose(alignment.to_photo(alignment.to_crop(points)), points, atol=1e-6)


def test_no_reflection_even_for_mirrored_landmarks():
    mirrored = template(64) * (-1, 1)
    assert np.linalg.det(align(mirrored, 64).matrix[:, :2]) > 0


def test_coinciding_landmarks_are_refused():
    with pytest.raises(ValueError, match="coincide"):
        align(np.full((5, 2), 7.0), 64)


def test_template_of_another_size_keeps_pixel_centres_at_integers():
    # The outer corner of the picture, half a pixel outside the last centre, stays the corner.
    np.testing.assert_allclose((template(256) + 0.5) * 2 - 0.5, template(512))


def test_a_crop_on_the_grid_is_a_plain_cut():
    picture = smooth_picture(120, 140)
    alignment = align(template(64) + np.array([30, 20]), 64)
    np.testing.assert_allclose(crop_face(picture, alignment), picture[20:84, 30:94], atol=1e-5)


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_larger_face_is_averaged_where_its_pixels_lie(factor):
    # A linear ramp has the same value at the same place at every resolution.
    size = 64 * factor + 40
    y, x = np.mgrid[:size, :size].astype(np.float32)
    ramp = np.repeat(((2 * x + y) / (3 * size))[..., None], 3, axis=2)
    points = (template(64) + 0.5) * factor - 0.5 + 20
    alignment = align(points, 64)
    expected_x = (np.arange(64) + 0.5) * factor - 0.5 + 20
    expected = (2 * expected_x[None, :] + expected_x[:, None]) / (3 * size)
    inner = (slice(2, -2), slice(2, -2))
    # OpenCV places samples to 1/32 pixel, 0.0004 here; half a pixel would be 0.006.
    np.testing.assert_allclose(
        crop_face(ramp, alignment)[..., 0][inner], expected[inner], atol=1e-3
    )


@given(placements)
@settings(max_examples=30, deadline=None)
def test_a_dot_in_the_crop_lands_where_the_alignment_says(placement):
    points, _ = placed(*placement)
    alignment = align(points, 64)
    y, x = np.mgrid[:64, :64].astype(np.float32)
    dot = np.exp(-((x - 30) ** 2 + (y - 35) ** 2) / 18).astype(np.float32)
    low = np.floor(alignment.to_photo(corners(64)).min(axis=0)).astype(int) - 2
    high = np.ceil(alignment.to_photo(corners(64)).max(axis=0)).astype(int) + 3
    box = Box(low[1], high[1], low[0], high[0])
    landed = uncrop(dot, alignment, box).clip(0)
    rows, columns = np.mgrid[box.top : box.bottom, box.left : box.right]
    centre = np.array([(landed * columns).sum(), (landed * rows).sum()]) / landed.sum()
    wanted = alignment.to_photo(np.array([[30.0, 35.0]]))[0]
    assert np.abs(centre - wanted).max() < 0.1 * max(placement[0], 1) + 0.05


@given(placements)
def test_the_box_stays_in_the_photograph(placement):
    points, _ = placed(*placement)
    box = box_around(align(points, 64).to_photo(corners(64)), (80, 90))
    assert min(box.top, box.left) >= 0 and box.bottom <= 80 and box.right <= 90


def pasted(picture, correction, placement, *, toned=False, size=64):
    points, _ = placed(*placement, size=size)
    alignment = align(points, size)
    result, covered = picture.copy(), np.zeros(picture.shape[:2], np.float32)
    mask = face_mask(alignment.to_crop(points), size)
    paste(result, Patch(correction, mask, alignment), covered=covered, toned=toned)
    return result, covered


@pytest.mark.parametrize("toned", [False, True])
@given(placement=placements)
@settings(max_examples=20, deadline=None)
def test_no_correction_changes_nothing(toned, placement):
    picture = smooth_picture(150, 170)
    result, _ = pasted(picture, np.zeros((64, 64, 3), np.float32), placement, toned=toned)
    assert np.abs(result - picture).max() <= (1e-3 if toned else 0)


@pytest.mark.parametrize("toned", [False, True])
@given(placement=placements)
@settings(max_examples=20, deadline=None)
def test_nothing_changes_outside_the_face(toned, placement):
    picture = smooth_picture(150, 170)
    result, covered = pasted(picture, np.full((64, 64, 3), 0.2, np.float32), placement, toned=toned)
    np.testing.assert_array_equal(result[covered == 0], picture[covered == 0])


def test_a_constant_correction_is_added_in_full_inside():
    picture = smooth_picture(150, 170)
    placement = (1.4, 0.2, 40, 25)
    result, covered = pasted(picture, np.full((64, 64, 3), 0.1, np.float32), placement)
    inside = covered > 0.999
    assert inside.sum() > 500
    np.testing.assert_allclose((result - picture)[inside], 0.1, atol=1e-3)


def test_two_faces_in_one_place_are_not_corrected_twice():
    picture = smooth_picture(100, 100)
    points = template(64) + np.array([10, 10])
    alignment = align(points, 64)
    mask = face_mask(alignment.to_crop(points), 64)
    result, covered = picture.copy(), np.zeros(picture.shape[:2], np.float32)
    for _ in range(2):
        patch = Patch(np.full((64, 64, 3), 0.1, np.float32), mask, alignment)
        paste(result, patch, covered=covered, toned=False)
    assert (result - picture).max() <= 0.1 + 1e-5
    assert covered.max() <= 1 + 1e-6


def test_grey_stays_exactly_grey():
    picture = np.repeat(smooth_picture(100, 100)[..., :1], 3, axis=2)
    correction = np.full((64, 64, 3), 0.1, np.float32)
    result, _ = pasted(picture, correction, (1.0, 0.1, 15, 15), toned=True)
    assert not np.array_equal(result, picture)
    assert is_exactly_grey(result)


def test_toned_photographs_keep_their_tone():
    from oldfix.colour import to_lab

    sepia = smooth_picture(100, 100)[..., :1] * np.array([0.95, 0.8, 0.6], np.float32)
    correction = np.full((64, 64, 3), 0.05, np.float32)
    result, covered = pasted(sepia, correction, (1.0, 0.1, 15, 15), toned=True)
    before, after = to_lab(sepia), to_lab(result)
    inside = covered > 0.99
    np.testing.assert_allclose(after[inside][:, 1:], before[inside][:, 1:], atol=0.1)
    assert (after[inside][:, 0] > before[inside][:, 0]).all()


@given(st.floats(-0.5, 0.5), st.floats(0.7, 1.2))
def test_the_mask_covers_the_landmarks_and_ends_inside_the_crop(angle, scale):
    size = 128
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = template(size).mean(axis=0)
    points = (template(size) - middle) @ turn.T + middle
    mask = face_mask(points, size)
    assert mask.min() >= 0 and mask.max() <= 1 + 1e-6
    assert mask[0].max() == mask[-1].max() == mask[:, 0].max() == mask[:, -1].max() == 0
    at = mask[points[:, 1].round().astype(int), points[:, 0].round().astype(int)]
    assert at.min() > 0.9


def test_a_crop_that_nearly_lies_on_the_pixels_is_laid_on_them():
    picture = np.random.default_rng(0).random((90, 100, 3), dtype=np.float32)
    near = template(64) * 1.005 + (12.2, 7.7)
    np.testing.assert_array_equal(
        crop_face(picture, on_grid(align(near, 64))), picture[8:72, 12:76]
    )
    for away in (template(64) * 1.1 + 9, np.roll(template(64), 1, axis=1) + 9):
        assert on_grid(align(away, 64)).matrix == pytest.approx(align(away, 64).matrix)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_part_removed_is_that_of_the_texture(share):
    rng = np.random.default_rng(1)
    face = rng.normal(0.5, 0.05, (64, 64, 3)).astype(np.float32)
    everywhere = np.ones((64, 64), np.float32)
    fine = face - blurred(face, 3.0)
    assert removed(face, -share * fine, everywhere) == pytest.approx(share, abs=0.01)
    assert removed(face, share * fine, everywhere) == 0
    assert removed(np.full_like(face, 0.5), -share * fine, everywhere) == 0


@pytest.mark.parametrize("toned", [False, True])
def test_noise_that_the_crop_does_not_hold_goes_with_the_noise_that_it_holds(toned):
    rng = np.random.default_rng(2)
    clean = np.full((120, 120, 3), 0.5, np.float32)
    noise = rng.normal(0, 0.05, (120, 120, 1 if toned else 3)).astype(np.float32)
    noisy = clean + noise
    alignment = align(template(64) @ [[0.996, 0.087], [-0.087, 0.996]] + (30.4, 25.3), 64)
    crop = crop_face(noisy, alignment)
    mask = np.zeros((64, 64), np.float32)
    mask[16:48, 16:48] = 1
    correction = 0.5 - crop  # a perfect network's

    def left(unseen):
        image = noisy.copy()
        covered = np.zeros((120, 120), np.float32)
        patch = Patch(correction, mask, alignment, crop, unseen)
        paste(image, patch, covered=covered, toned=toned)
        assert np.array_equal(image[covered == 0], noisy[covered == 0])
        return float((image - clean)[covered > 0.99].std())

    assert left(1.0) < 0.003
    assert left(0.0) > 0.015
