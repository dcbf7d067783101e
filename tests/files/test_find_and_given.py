"""Photographs found by name, and masks and references given in files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oldfix import DEFECTS, REFERENCES, FileError, Photo
from oldfix.files import find_photos
from oldfix.files.given import read_mask
from oldfix.keys import check_value, resolve


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 4), (90, 90, 90)).save(path)


def test_folder_is_searched_with_its_subfolders(tmp_path: Path) -> None:
    make(tmp_path, "b.jpg", "a.PNG", "sub/c.tif", ".hidden/d.jpg", ".e.jpg")
    (tmp_path / "notes.txt").write_text("no photograph")
    found, problems = find_photos([tmp_path])
    assert [str(one.relative) for one in found] == ["a.PNG", "b.jpg", "sub/c.tif"]
    assert problems == []


def test_our_own_results_are_not_restored_again(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "a.restored.jpg")
    (tmp_path / "a.restored.jpg.oldfix.json").write_text("{}")
    assert [one.path.name for one in find_photos([tmp_path])[0]] == ["a.jpg"]
    assert find_photos([tmp_path / "a.restored.jpg"])[0], "but it is taken when named"


def test_globs_each_once_and_in_order(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "b.jpg", "c[1].jpg")
    found, _ = find_photos([tmp_path / "b.jpg", tmp_path / "*.jpg", tmp_path / "c[1].jpg"])
    assert [one.path.name for one in found] == ["b.jpg", "a.jpg", "c[1].jpg"]


def test_what_gives_nothing_is_said_and_the_rest_goes_on(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg")
    (tmp_path / "empty").mkdir()
    found, problems = find_photos([tmp_path / "empty", tmp_path / "*.png", tmp_path / "a.jpg"])
    assert [one.path.name for one in found] == ["a.jpg"]
    assert "holds no photograph" in str(problems[0])
    assert "matches no photograph" in str(problems[1])


def test_missing_file_is_left_to_the_reader(tmp_path: Path) -> None:
    found, problems = find_photos([tmp_path / "gone.jpg"])
    assert len(found) == 1
    assert problems == []


@pytest.fixture
def photo() -> Photo:
    return Photo.from_array(np.zeros((4, 6, 3), np.uint8), source="album/oma.jpg")


def test_mask_white_is_damaged(tmp_path: Path, photo: Photo) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    Image.fromarray(values).save(tmp_path / "mask.png")
    mask = resolve(DEFECTS.read or "")([tmp_path / "mask.png"], photo)
    check_value(DEFECTS, mask)
    assert np.array_equal(np.rint(mask * 255), values)


def test_mask_in_colour_and_transparent(tmp_path: Path, photo: Photo) -> None:
    pixels = np.full((4, 6, 4), 255, np.uint8)
    pixels[0, :, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    mask = read_mask([tmp_path / "mask.png"], photo)
    assert mask[0].max() == 0.0
    assert mask[1:] == pytest.approx(1.0)


def test_mask_of_another_size(tmp_path: Path, photo: Photo) -> None:
    Image.new("L", (7, 4)).save(tmp_path / "mask.png")
    with pytest.raises(FileError, match=r"mask has 7 x 4 pixels, album/oma\.jpg has 6 x 4"):
        read_mask([tmp_path / "mask.png"], photo)


def test_mask_from_a_folder_has_the_photographs_stem(tmp_path: Path, photo: Photo) -> None:
    Image.new("L", (6, 4), 255).save(tmp_path / "oma.png")
    Image.new("L", (6, 4), 0).save(tmp_path / "opa.png")
    assert read_mask([tmp_path], photo).min() == 1.0
    (tmp_path / "oma.png").unlink()
    with pytest.raises(FileError, match="no file named oma"):
        read_mask([tmp_path], photo)


def test_two_masks(tmp_path: Path, photo: Photo) -> None:
    Image.new("L", (6, 4)).save(tmp_path / "mask.png")
    with pytest.raises(FileError, match="2 masks for one photograph"):
        read_mask([tmp_path / "mask.png"] * 2, photo)


def test_unreadable_mask(tmp_path: Path, photo: Photo) -> None:
    (tmp_path / "mask.png").write_bytes(b"no")
    with pytest.raises(FileError, match=r"mask\.png"):
        read_mask([tmp_path / "mask.png"], photo)


def test_references_of_any_size(tmp_path: Path, photo: Photo) -> None:
    make(tmp_path, "one.jpg", "folder/oma.png")
    images = resolve(REFERENCES.read or "")([tmp_path / "one.jpg", tmp_path / "folder"], photo)
    check_value(REFERENCES, images)
    assert len(images) == 2
