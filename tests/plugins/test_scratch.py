"""Scratches: the mask's arithmetic, the classical stages, the network and the training samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from oldfix import write_network
from oldfix_scratch import classical, masks, net

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
