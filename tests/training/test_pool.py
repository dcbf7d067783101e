"""Photographs for training: what is read, how it is split, what a crop looks like."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from oldfix import EnvironmentProblem, UsageError
from oldfix.training import PhotoPool


def write(folder: Path, count: int, size: tuple[int, int] = (80, 70), start: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(start, start + count):
        Image.new("RGB", size, (i, 255 - i, 7)).save(folder / f"{i:03}.png")
    return folder


def ramp(height: int, width: int) -> PhotoPool:
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([y % 256, x % 256, np.full_like(x, 9)], axis=2).astype(np.uint8)
    return PhotoPool(((("ramp", image),),))


def test_reads_folders_files_and_lists(tmp_path: Path) -> None:
    folder = write(tmp_path / "folder" / "inner", 3)
    listing = tmp_path / "list.txt"
    listing.write_text("folder/inner/001.png\n\n")
    pool = PhotoPool.read([tmp_path / "folder", folder / "002.png", listing])
    names = [Path(name).name for name in pool.names]
    assert names == ["000.png", "001.png", "002.png", "002.png", "001.png"]
    assert len(pool) == 5


def test_scales_down_large_and_leaves_out_small_photographs(tmp_path: Path) -> None:
    write(tmp_path, 1, (200, 100))
    write(tmp_path, 1, (63, 300), start=1)
    pool = PhotoPool.read([tmp_path], max_side=160)
    assert [image.shape for _, image in pool.groups[0]] == [(80, 160, 3)]


def test_split_keeps_every_nth_and_loses_none(tmp_path: Path) -> None:
    folder = write(tmp_path, 45)
    train, validation = PhotoPool.read([folder]).split(every=20)
    assert [Path(name).stem for name in validation.names] == ["019", "039"]
    assert len(train) == 43
    assert not set(train.names) & set(validation.names)


def test_split_puts_a_shared_photograph_on_one_side(tmp_path: Path) -> None:
    folder = write(tmp_path, 20)
    train, validation = PhotoPool.read([folder, folder / "019.png", folder]).split(every=20)
    assert not set(train.names) & set(validation.names)


def test_groups_are_drawn_equally_often(tmp_path: Path) -> None:
    many, few = write(tmp_path / "many", 30), write(tmp_path / "few", 2, start=200)
    pool = PhotoPool.read([many, few])
    rng = np.random.default_rng(0)
    from_few = sum(pool.crop(rng, 32)[0, 0, 0] > 0.5 for _ in range(400))
    assert 150 < from_few < 250


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), size=st.integers(8, 150), shrink=st.floats(0, 1))
def test_crops_have_the_size_and_range_asked_for(seed: int, size: int, shrink: float) -> None:
    crop = ramp(90, 130).crop(np.random.default_rng(seed), size, shrink=shrink)
    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.float32
    assert 0 <= crop.min() <= crop.max() <= 1


def test_unshrunk_crops_are_untouched_pixels_sometimes_mirrored() -> None:
    pool, rng = ramp(90, 130), np.random.default_rng(4)
    steps = set()
    for _ in range(20):
        crop = np.round(pool.crop(rng, 32, shrink=0) * 255).astype(int)
        assert set(np.diff(crop[..., 0], axis=0).ravel()) == {1}
        steps |= set(np.diff(crop[..., 1], axis=1).ravel())
    assert steps == {1, -1}


def test_the_same_generator_gives_the_same_crop() -> None:
    pool = ramp(90, 130)
    first, second = (pool.crop(np.random.default_rng(1), 40) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_says_what_is_wrong_with_the_data(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no photograph of at least 64 pixels"):
        PhotoPool.read([tmp_path / "empty"])
    with pytest.raises(UsageError, match="no such file or folder"):
        PhotoPool.read([tmp_path / "nowhere"])
    with pytest.raises(UsageError, match="no folder given"):
        PhotoPool.read([])
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(UsageError, match=r"broken\.jpg: cannot be read as a photograph"):
        PhotoPool.read([tmp_path / "broken.jpg"])
    (tmp_path / "list.txt").write_text("gone.jpg\n")
    with pytest.raises(UsageError, match=r"list\.txt: lists .*gone\.jpg"):
        PhotoPool.read([tmp_path / "list.txt"])
    with pytest.raises(UsageError, match="too few"):
        PhotoPool.read([write(tmp_path / "two", 2)]).split()
    picture = ("a", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UsageError, match=r"30 entries are too few .* name one folder"):
        PhotoPool(((picture,),) * 30).split()


def test_says_what_is_wrong_with_lists_and_packs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"list\.txt: cannot be read as a list"):
        PhotoPool.read([tmp_path / "list.txt"])
    archive = tmp_path / "pack.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("00/00000.webp", bytes(4000))
    content = bytearray(archive.read_bytes())
    content[45:50] = b"\xff" * 5  # within the compressed member
    archive.write_bytes(bytes(content))
    with pytest.raises(UsageError, match=r"pack\.zip: is not a pack of photographs"):
        PhotoPool.read([archive])

    def stumble(*_: object) -> None:
        raise SyntaxError("broken PNG file")

    photo = write(tmp_path / "one", 1)
    monkeypatch.setattr("PIL.ImageOps.exif_transpose", stumble)
    with pytest.raises(UsageError, match=r"as a photograph \(broken PNG file"):
        PhotoPool.read([photo])


def test_no_room_for_the_pixels_of_a_pack_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    pool = PhotoPool.read([write(tmp_path / "one", 2)])
    for mapped, read in zip(pool.mapped().groups[0], pool.groups[0], strict=True):
        assert mapped[0] == read[0] and np.array_equal(mapped[1], read[1])
    monkeypatch.setattr("tempfile.TemporaryFile", Full)
    with pytest.raises(EnvironmentProblem, match=r"no room for .* \(No space left.*TMPDIR"):
        pool.mapped()
