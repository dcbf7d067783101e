"""What of a mask is wider than a disc."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from oldfix import wide_parts, with_rims
from oldfix.engine import discs


def blobs(seed: int, size: int = 90) -> np.ndarray:
    """Marks of all widths, some of them cut off by the borders."""
    rng = np.random.default_rng(seed)
    noise = cv2.GaussianBlur(rng.random((size, size)), (0, 0), 5)
    return (noise > np.quantile(noise, rng.uniform(0.1, 0.9))).astype(np.uint8)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 64))
def test_wide_parts_are_the_opening_by_a_disc(seed: int, width: int) -> None:
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width + 1, width + 1))
    opened = cv2.morphologyEx(blobs(seed), cv2.MORPH_OPEN, disc)
    np.testing.assert_array_equal(wide_parts(blobs(seed), width), opened)


@pytest.mark.parametrize("seed", range(6))
def test_distances_say_what_discs_say_but_at_the_rims(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_disc = wide_parts(blobs(seed), 20), with_rims(wide_parts(blobs(seed), 20), 20)
    monkeypatch.setattr(discs, "_LARGEST_PX", 0)
    by_distance = wide_parts(blobs(seed), 20), with_rims(by_disc[0], 20)
    for ours, theirs in zip(by_distance, by_disc, strict=True):
        assert np.mean(ours != theirs) < 0.05


def test_a_mark_is_wide_or_not() -> None:
    marks = np.zeros((400, 400), np.uint8)
    marks[50:350, 100:200] = 1  # a hundred wide
    assert wide_parts(marks, 90).sum() > 0.9 * marks.sum()
    assert not wide_parts(marks, 110).any()
    assert not wide_parts(np.zeros_like(marks), 1).any()
    assert wide_parts(np.ones_like(marks), 1000).all()
    assert with_rims(marks, 200)[200, 5] == 1 and with_rims(marks, 150)[200, 5] == 0
