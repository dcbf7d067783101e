"""Marks filled from around them, before a network sees the photograph."""

from __future__ import annotations

import numpy as np

from oldfix import fill_marks


def test_filling_touches_marked_pixels_alone_and_continues_a_plane() -> None:
    y, x = np.mgrid[0:40, 0:50].astype(np.float32)
    plane = np.stack([0.2 + x / 100, 0.3 + y / 100, 0.5 + 0 * x], axis=2).astype(np.float32)
    mask = np.zeros((40, 50), np.float32)
    mask[18:21] = 1
    broken = np.where(mask[..., None] > 0, np.float32(1), plane)
    result = fill_marks(broken, mask > 0, 16)
    np.testing.assert_array_equal(result[mask == 0], broken[mask == 0])
    assert np.abs(result - plane).max() < 0.05
    assert fill_marks(broken, mask > 1) is broken
    assert fill_marks(broken, mask > 0, 0) is broken
    assert fill_marks(broken, mask >= 0) is broken


def test_of_wide_marks_only_those_are_filled_that_hide_the_picture() -> None:
    texture = np.random.default_rng(0).random((120, 200, 3), dtype=np.float32) * 0.3 + 0.3
    worn, mask = texture.copy(), np.zeros((120, 200), np.float32)
    mask[40:80, 30:70] = mask[40:80, 130:170] = mask[10:14, 90:110] = 1
    worn[40:80, 30:70] *= 0.8  # a stain, through which the picture shows
    worn[40:80, 130:170] = 0.95  # bare paper
    result = fill_marks(worn, mask > 0, 16)
    inside = np.s_[48:72, 38:62]  # but for its corners, which are narrow
    np.testing.assert_array_equal(result[inside], worn[inside])
    assert np.abs(result[40:80, 130:170] - 0.45).max() < 0.2
    assert (result[10:14, 90:110] != worn[10:14, 90:110]).any()  # narrow ones always
