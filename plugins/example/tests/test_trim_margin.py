"""The stage keeps oldfix's contract, and finds the print."""
# ruff: noqa: D103

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from oldfix_trim_margin.stage import print_box

from oldfix import (
    DEFECTS,
    FACES,
    IMAGE,
    Photo,
    Pipeline,
    Runner,
    Step,
    discover,
    read_photo,
    write_photo,
)
from oldfix.testing import StageContract, example_photo, example_value


class TestTrimMargin(StageContract):
    """Everything that oldfix asks of a stage."""

    stage = "trim-margin"
    options: ClassVar[dict[str, Any]] = {"keep_px": 2}


def on_scanner(photo: Photo, top: int, left: int, shade: float = 0.97) -> Photo:
    """Lay a picture on an empty scanner glass, with a mask and a face."""
    height, width = photo.size
    glass = np.full((height + top + 9, width + left + 12, 3), shade, np.float32)
    glass[top : top + height, left : left + width] = photo[IMAGE]
    scan = Photo.from_array(glass)
    mask = np.zeros(scan.size, np.float32)
    mask[top, left] = 1
    return scan.put(DEFECTS, mask).put(FACES, example_value(FACES, scan))


def trimmed(photo: Photo, **options: object) -> Photo:
    """Run the stage as users do."""
    pipeline = Pipeline((Step("trim-margin", options=options),))
    plan = pipeline.plan(discover(), given=tuple(photo))
    with Runner(device="cpu") as runner:
        return runner.run(plan, photo)


@pytest.mark.parametrize("shade", [0.97, 0.02])
@pytest.mark.parametrize(("top", "left"), [(0, 0), (5, 31), (40, 1)])
def test_the_margin_goes_and_the_print_stays(top: int, left: int, shade: float) -> None:
    inner = example_photo(60, 80)
    after = trimmed(on_scanner(inner, top, left, shade))
    np.testing.assert_array_equal(after[IMAGE], inner[IMAGE])


def test_mask_and_faces_move_with_the_picture() -> None:
    scan = on_scanner(example_photo(60, 80), top=5, left=31)
    after = trimmed(scan)
    assert after[DEFECTS][0, 0] == 1
    assert after[DEFECTS].sum() == 1
    shift = scan[FACES][0].points - after[FACES][0].points
    np.testing.assert_array_equal(shift, np.tile([31, 5], (5, 1)))


def test_dust_on_the_glass_is_no_print() -> None:
    scan = on_scanner(example_photo(60, 80), top=30, left=30)[IMAGE].copy()
    scan[4, 7] = 0
    assert print_box(scan, tolerance=0.06, dust=0.02) == (30, 30, 90, 110)
    assert print_box(scan, tolerance=0.06, dust=0.0) == (4, 7, 90, 110)


def test_keeps_as_much_margin_as_asked() -> None:
    assert trimmed(on_scanner(example_photo(60, 80), 20, 20), keep_px=3).size == (66, 86)


def test_an_empty_glass_is_left_and_said() -> None:
    empty = Photo.from_array(np.full((20, 30, 3), 0.9, np.float32))
    after = trimmed(empty)
    assert after.size == (20, 30)
    assert "nothing but margin" in after.history[0]["warnings"][0]


def test_transparency_is_cropped_too(tmp_path: Path) -> None:
    scan = on_scanner(example_photo(60, 80), 20, 30)[IMAGE]
    alpha = np.zeros(scan.shape[:2], np.float32)
    alpha[20:50, 30:110] = 1  # the upper half of the print
    after = trimmed(Photo.from_array(scan, alpha=alpha))
    assert after.size == (60, 80)
    read = read_photo(write_photo(after, tmp_path / "cut.png"))
    np.testing.assert_array_equal(read.meta.alpha[:30], 1)
    np.testing.assert_array_equal(read.meta.alpha[30:], 0)
