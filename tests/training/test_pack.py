"""Packs of photographs: what goes in comes out, and they stay small."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from oldfix import EnvironmentProblem, UsageError
from oldfix.training import PhotoPool, pack


def folder(path: Path, count: int, size: tuple[int, int] = (90, 80)) -> Path:
    path.mkdir()
    x, y = np.meshgrid(np.linspace(0, 6, size[0]), np.linspace(0, 6, size[1]))
    for i in range(count):
        planes = [np.sin(x + i), np.cos(y - i), np.sin(x * y / 3)]
        pixels = (127 + 100 * np.stack(planes, axis=2)).astype(np.uint8)
        Image.fromarray(pixels).save(path / f"{i:03}.png")
    return path


def test_a_pack_keeps_groups_order_and_looks(tmp_path: Path) -> None:
    pool = PhotoPool.read([folder(tmp_path / "a", 3), folder(tmp_path / "b", 2)])
    quality = pack(pool, tmp_path / "pack.zip")
    again = PhotoPool.read([tmp_path / "pack.zip"])
    assert quality == 95
    assert [len(group) for group in again.groups] == [3, 2]
    pairs = zip(pool.groups, again.groups, strict=True)
    for one, other in (pair for groups in pairs for pair in zip(*groups, strict=True)):
        assert np.abs(one[1].astype(int) - other[1]).mean() < 3


def test_quality_falls_until_it_fits(tmp_path: Path) -> None:
    pool = PhotoPool.read([folder(tmp_path / "a", 6, (300, 300))])
    best = pack(pool, tmp_path / "large.zip")
    size = (tmp_path / "large.zip").stat().st_size
    lower = pack(pool, tmp_path / "small.zip", most_bytes=round(0.8 * size))
    assert lower < best
    assert (tmp_path / "small.zip").stat().st_size <= 0.8 * size


def test_what_never_fits_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    pool = PhotoPool.read([folder(tmp_path / "a", 2)])
    with pytest.raises(UsageError, match="2 photographs do not fit"):
        pack(pool, tmp_path / "pack.zip", most_bytes=300)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    pool = PhotoPool.read([folder(tmp_path / "a", 1)])
    with pytest.raises(EnvironmentProblem, match=r"gone.pack\.zip: cannot be written"):
        pack(pool, tmp_path / "gone" / "pack.zip")


@pytest.mark.parametrize("content", [b"", b"PK not really"])
def test_a_broken_pack(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "pack.zip").write_bytes(content)
    with pytest.raises(UsageError, match="is not a pack of photographs"):
        PhotoPool.read([tmp_path / "pack.zip"])


def test_mapped_photographs_are_the_same(tmp_path: Path) -> None:
    pool = PhotoPool.read([folder(tmp_path / "a", 3), folder(tmp_path / "b", 2)])
    mapped = pool.mapped()
    assert mapped.digest == pool.digest
    assert mapped.names == pool.names
    first: Any = mapped.groups[0][0][1]
    assert isinstance(first, np.memmap)


def test_the_digest_tells_one_pixel(tmp_path: Path) -> None:
    pool = PhotoPool.read([folder(tmp_path / "a", 2)])
    name, image = pool.groups[0][1]
    other = image.copy()
    other[0, 0, 0] ^= 1
    assert PhotoPool(((pool.groups[0][0], (name, other)),)).digest != pool.digest
