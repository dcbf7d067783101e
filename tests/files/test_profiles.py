"""Colour profiles: the networks see sRGB; the file keeps its colour space, bit for bit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from oldfix import IMAGE, Photo, read_photo, write_photo

LOSSLESS = (".png", ".tif", ".webp")
ADOBE: bytes = imagecodecs.cms_profile("adobergb")
GAMMA18: bytes = imagecodecs.cms_profile("gray", gamma=1.8)
SRGB: bytes = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def noise(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> Any:
    top = np.iinfo(dtype).max + 1
    return np.random.default_rng(seed).integers(0, top, shape, dtype=dtype)


def samples(path: Path) -> Any:
    """Read a file's own samples with other means than ours."""
    if path.suffix == ".tif":
        return tifffile.imread(path)
    if path.suffix == ".png":
        return imagecodecs.png_decode(path.read_bytes())
    return np.asarray(Image.open(path))


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("icc", [ADOBE, SRGB], ids=["adobe", "srgb"])
def test_unchanged_pixels_are_identical(tmp_path: Path, suffix: str, icc: bytes) -> None:
    pixels = noise(40, 40, 3)
    source = tmp_path / "source.png"
    Image.fromarray(pixels).save(source, icc_profile=icc)
    path = write_photo(read_photo(source), tmp_path / f"a{suffix}")
    assert np.array_equal(samples(path)[..., :3], pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_only_changed_pixels_change(tmp_path: Path, dtype: Any) -> None:
    pixels = noise(20, 20, 3, dtype=dtype)
    source = tmp_path / "source.tif"
    tifffile.imwrite(source, pixels, photometric="rgb", iccprofile=ADOBE)
    photo = read_photo(source)
    image = photo[IMAGE].copy()
    image[5:9, 5:9] = 0.5
    written = samples(write_photo(photo.put(IMAGE, image), tmp_path / "a.tif"))
    sound = np.ones((20, 20), bool)
    sound[5:9, 5:9] = False
    assert np.array_equal(written[sound], pixels[sound])
    back = read_photo(tmp_path / "a.tif")[IMAGE][5:9, 5:9]
    pale = np.abs(photo[IMAGE][5:9, 5:9] - 0.5).max(axis=2) < 0.1
    assert np.abs(back - 0.5)[~pale].max() < 0.003, "a painted colour owes nothing to the old"


def test_wide_gamut_is_converted_for_the_networks(tmp_path: Path) -> None:
    source = tmp_path / "source.png"
    Image.new("RGB", (4, 4), (100, 180, 90)).save(source, icc_profile=ADOBE)
    seen = read_photo(source)[IMAGE][0, 0] * 255
    adobe = ImageCms.ImageCmsProfile(io.BytesIO(ADOBE))
    with Image.open(source) as opened:
        plain = ImageCms.profileToProfile(opened, adobe, ImageCms.createProfile("sRGB"))
    assert np.abs(seen - np.asarray(plain)[0, 0]).max() <= 1.0


def test_grey_profile(tmp_path: Path) -> None:
    pixels = noise(20, 20)
    source = tmp_path / "source.png"
    Image.fromarray(pixels).save(source, icc_profile=GAMMA18)
    photo = read_photo(source)
    assert not np.array_equal(np.rint(photo[IMAGE][..., 0] * 255), pixels)
    path = write_photo(photo, tmp_path / "a.png")
    assert np.array_equal(samples(path), pixels)
    assert read_photo(path).meta.icc == GAMMA18


def test_grey_photograph_with_an_rgb_profile(tmp_path: Path) -> None:
    pixels = noise(20, 20)
    source = tmp_path / "source.tif"
    tifffile.imwrite(source, pixels, iccprofile=ADOBE)
    path = write_photo(read_photo(source), tmp_path / "a.tif")
    assert np.array_equal(samples(path), pixels)


def test_grey_photograph_that_gained_colour_loses_its_grey_profile(tmp_path: Path) -> None:
    source = tmp_path / "source.png"
    Image.fromarray(noise(8, 8)).save(source, icc_profile=GAMMA18)
    grey = read_photo(source)
    coloured = Photo.from_array(noise(8, 8, 3), icc=GAMMA18, extra=grey.meta.extra)
    path = write_photo(coloured, tmp_path / "a.png")
    assert read_photo(path).meta.icc is None
    assert np.array_equal(samples(path), noise(8, 8, 3))


def test_resized_photograph_is_converted(tmp_path: Path) -> None:
    source = tmp_path / "source.png"
    Image.new("RGB", (8, 8), (120, 130, 140)).save(source, icc_profile=ADOBE)
    photo = read_photo(source)
    larger = photo.put(IMAGE, np.repeat(photo[IMAGE], 2, axis=0))
    written = samples(write_photo(larger, tmp_path / "a.png"))
    assert written.shape == (16, 8, 3)
    assert np.abs(written.astype(int) - [120, 130, 140]).max() <= 1


def test_profile_that_does_not_fit_is_named(tmp_path: Path) -> None:
    source = tmp_path / "source.png"
    Image.fromarray(noise(8, 8, 3)).save(source, icc_profile=GAMMA18)
    photo = read_photo(source)
    assert "GRAY colour profile does not fit" in photo.meta.extra["notes"][0]
    assert photo.meta.icc is None


def test_damaged_profile_is_named(tmp_path: Path) -> None:
    broken = bytearray(ADOBE)
    broken[128:] = bytes(len(broken) - 128)
    source = tmp_path / "source.png"
    Image.fromarray(noise(8, 8, 3)).save(source, icc_profile=bytes(broken))
    assert "profile is damaged" in read_photo(source).meta.extra["notes"][0]
