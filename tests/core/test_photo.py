from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from oldfix import DEFECTS, FACES, IMAGE, Face, Key, Photo
from oldfix.keys import BUILT_IN_KEYS, check_value, resolve
from oldfix.resizing import resize_faces, resize_mask
from oldfix.testing import example_photo


def test_a_photograph_cannot_be_changed_in_place() -> None:
    photo = example_photo(4, 5)
    with pytest.raises(ValueError, match="read-only"):
        photo[IMAGE][0, 0] = 0


def test_put_gives_a_new_photograph() -> None:
    photo = example_photo(4, 5)
    marked = photo.put(DEFECTS, np.zeros((4, 5), np.float32))
    assert DEFECTS in marked
    assert DEFECTS not in photo
    assert DEFECTS not in marked.without(DEFECTS)


def test_a_view_of_somebody_elses_array_is_copied_before_it_is_frozen() -> None:
    owned = np.zeros((4, 5, 3), np.float32)
    photo = Photo({IMAGE: owned[:2]})
    owned[0, 0, 0] = 1
    assert photo[IMAGE][0, 0, 0] == 0


@pytest.mark.parametrize(("dtype", "top", "bits"), [("uint8", 255, 8), ("uint16", 65535, 16)])
def test_from_array_scales_integers_by_their_type(dtype: str, top: int, bits: int) -> None:
    photo = Photo.from_array(np.full((2, 3), top, dtype))
    assert photo[IMAGE].max() == 1.0
    assert photo.meta.grey
    assert photo.meta.bits == bits


@pytest.mark.parametrize(
    ("value", "what"),
    [
        (np.zeros((2, 2, 3), np.float64), "float32"),
        (np.zeros((2, 2), np.float32), "3 axes"),
        (np.full((2, 2, 3), 1.5, np.float32), r"\[0, 1\]"),
        (np.full((2, 2, 3), np.nan, np.float32), "finite"),
        (np.zeros((2, 2, 4), np.float32), "3 channels"),
        (np.zeros((0, 2, 3), np.float32), "empty"),
    ],
)
def test_image_check_says_what_is_wrong(value: np.ndarray, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        check_value(IMAGE, value)


def test_a_thin_scratch_survives_shrinking_of_its_mask() -> None:
    mask = np.zeros((100, 100), np.float32)
    mask[:, 50] = 1
    assert resize_mask(mask, (100, 100), (25, 25)).max() == 1


def test_faces_scale_about_pixel_centres() -> None:
    points = np.array([[0, 0], [9, 0], [4, 4], [0, 9], [9, 9]], np.float32)
    face = Face((0.0, 0.0, 9.0, 9.0), 0.9, points)
    check_value(FACES, (face,))
    (scaled,) = resize_faces((face,), (10, 10), (20, 20))
    np.testing.assert_allclose(scaled.points[0], 0.5)  # the centre of a pixel doubled
    assert scaled.eye_distance == pytest.approx(18.0)


@pytest.mark.parametrize("key", BUILT_IN_KEYS, ids=lambda key: key.name)
def test_the_functions_of_built_in_keys_are_there(key: Key[Any]) -> None:
    named = [text for text in (key.check, key.resize, key.read) if text is not None]
    assert key.check in named
    assert all(callable(resolve(text)) for text in named)
