"""Files that cannot be read or written: one line, naming the file and what to do."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from oldfix import IMAGE, FileError, Photo, UsageError, read_photo, write_photo
from oldfix.files import decoded, write_text
from oldfix.files.atomic import atomic


def noise(*shape: int, dtype: Any = np.uint8) -> Any:
    top = np.iinfo(dtype).max + 1
    return np.random.default_rng(0).integers(0, top, shape, dtype=dtype)


def refusal(path: Path) -> str:
    with pytest.raises(FileError) as caught:
        read_photo(path)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    assert ";" in text, "says what to do"
    return text


def test_missing(tmp_path: Path) -> None:
    assert "not found" in refusal(tmp_path / "nothing.jpg")


def test_folder(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    assert "0 bytes" in refusal(path)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"hello, this is text", "not a photograph"),
        (b"GIF89a" + bytes(20), "GIF"),
        (b"%PDF-1.7" + bytes(20), "PDF"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(20), "HEIC"),
    ],
)
def test_not_a_photograph(tmp_path: Path, head: bytes, words: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(head)
    assert words in refusal(path)


def sample_files(folder: Path) -> list[Path]:
    colour = Image.fromarray(noise(48, 64, 3))
    for name, options in (
        ("a.jpg", {}),
        ("progressive.jpg", {"progressive": True}),
        ("a.png", {}),
        ("a.webp", {}),
        ("a.tif", {}),
        ("lzw.tif", {"compression": "tiff_lzw"}),
        ("jpeg.tif", {"compression": "jpeg"}),
    ):
        colour.save(folder / name, **options)
    (folder / "deep.png").write_bytes(imagecodecs.png_encode(noise(48, 64, 3, dtype=np.uint16)))
    tifffile.imwrite(folder / "deep.tif", noise(48, 64, 3, dtype=np.uint16), photometric="rgb")
    return sorted(folder.iterdir())


def test_cut_short(tmp_path: Path) -> None:
    for path in sample_files(tmp_path):
        whole = path.read_bytes()
        for part in (0.2, 0.5, 0.8):
            path.write_bytes(whole[: int(len(whole) * part)])
            assert "damaged or cut short" in refusal(path), path.name


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), pick=st.integers(0, 8))
def test_a_wrong_byte_is_read_or_refused(
    tmp_path: Path, place: float, byte: int, pick: int
) -> None:
    path = sample_files(tmp_path)[pick]
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] = byte
    path.write_bytes(content)
    try:
        photo = read_photo(path)
    except FileError as error:
        assert "\n" not in str(error)
    else:
        assert float(photo[IMAGE].max()) <= 1.0


def test_wrong_ending_is_read_by_content(tmp_path: Path) -> None:
    path = tmp_path / "really a png.jpg"
    Image.fromarray(noise(4, 4, 3)).save(path, "PNG")
    assert read_photo(path).meta.format == "PNG"


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (1, 5000, 3), (5000, 1)])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_tiny_and_thin(tmp_path: Path, shape: tuple[int, ...], suffix: str) -> None:
    path = write_photo(Photo.from_array(noise(*shape)), tmp_path / f"a{suffix}")
    assert read_photo(path).size == shape[:2]


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint32", "int16", "float64"])
def test_samples_of_unstated_range(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((4, 4, 3), dtype), photometric="rgb")
    assert "8 or 16 bits" in refusal(path)


def test_other_colour_spaces(tmp_path: Path) -> None:
    path = tmp_path / "lab.tif"
    tifffile.imwrite(path, noise(4, 4, 3), photometric="cielab")
    assert "CIELAB" in refusal(path)


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_is_converted_and_said(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(path)
    photo = read_photo(path)
    assert photo[IMAGE][0, 0] == pytest.approx([1, 0, 0], abs=0.02)
    assert "CMYK" in photo.meta.extra["notes"][0]
    with Image.open(write_photo(photo, tmp_path / "b.png")) as written:
        assert written.mode == "RGB"


def test_palette(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    colour = Image.new("RGB", (8, 8), (200, 30, 60))
    colour.quantize(4).save(path)
    assert np.rint(read_photo(path)[IMAGE][0, 0] * 255).tolist() == [200, 30, 60]
    colour.quantize(4).save(tmp_path / "a.tif")
    assert np.rint(read_photo(tmp_path / "a.tif")[IMAGE][0, 0] * 255).tolist() == [200, 30, 60]


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_several_pictures(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    frames = [Image.new("RGB", (8, 8), (30 * i, 0, 0)) for i in range(3)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert "3 pictures" in refusal(path)


def test_tiff_with_a_thumbnail_is_one_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(noise(16, 16, 3), photometric="rgb")
        writer.write(noise(4, 4, 3), photometric="rgb", subfiletype=1)
    assert read_photo(path).size == (16, 16)


def test_too_large_is_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoded, "MAX_PIXELS", 100)
    for path in sample_files(tmp_path):
        assert "64 x 48 pixels" in refusal(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_scans_twenty_thousand_pixels_wide(tmp_path: Path, suffix: str) -> None:
    """Pillow alone warns of a decompression bomb above 89 megapixels (a warning is an error)."""
    path = tmp_path / f"a{suffix}"
    Image.new("L", (20_000, 4_500), 90).save(path)
    photo = read_photo(path)
    assert photo.size == (4_500, 20_000)


def photo_of(path: Path, *shape: int) -> Photo:
    Image.fromarray(noise(*shape)).save(path)
    return read_photo(path)


def test_the_input_is_never_replaced(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    photo = photo_of(source, 4, 4, 3)
    before = source.read_bytes()
    (tmp_path / "link.png").symlink_to(source)
    for name in ("a.png", "link.png"):
        with pytest.raises(FileError, match="is the input itself"):
            write_photo(photo, tmp_path / name, overwrite=True)
    assert source.read_bytes() == before


def test_existing_files_are_kept(tmp_path: Path) -> None:
    photo = Photo.from_array(noise(4, 4, 3))
    path = write_photo(photo, tmp_path / "a.png")
    before = path.read_bytes()
    with pytest.raises(FileError, match="exists already; use --overwrite"):
        write_photo(Photo.from_array(noise(5, 5)), path)
    assert path.read_bytes() == before
    write_photo(Photo.from_array(noise(5, 5)), path, overwrite=True)
    assert read_photo(path).size == (5, 5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_without_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="cannot be written"):
        write_photo(Photo.from_array(noise(4, 4)), tmp_path / "sub" / "a.png")


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match="cannot be written"):
        write_photo(Photo.from_array(noise(4, 4)), tmp_path / "file" / "a.png")


def test_unknown_ending_and_format(tmp_path: Path) -> None:
    photo = Photo.from_array(noise(4, 4))
    with pytest.raises(FileError, match=r"no format ends in '\.gif'"):
        write_photo(photo, tmp_path / "a.gif")
    with pytest.raises(UsageError, match="did you mean 'jpeg'"):
        write_photo(photo, tmp_path / "a.jpg", format="jepg")


def test_transparency_is_not_thrown_away(tmp_path: Path) -> None:
    photo = photo_of(tmp_path / "a.png", 8, 8, 4)
    with pytest.raises(FileError, match="cannot hold the photograph's transparency"):
        write_photo(photo, tmp_path / "a.jpg")


def test_opaque_alpha_may_go(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (1, 2, 3, 255)).save(tmp_path / "a.png")
    path = write_photo(read_photo(tmp_path / "a.png"), tmp_path / "a.jpg")
    assert read_photo(path).meta.alpha is None


def test_webp_has_a_largest_side(tmp_path: Path) -> None:
    photo = Photo.from_array(np.zeros((1, 16_384), np.uint8))
    with pytest.raises(FileError, match="WEBP holds at most 16383"):
        write_photo(photo, tmp_path / "a.webp")


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    for error in (KeyboardInterrupt, RuntimeError):
        with pytest.raises(error), atomic(tmp_path / "a.png") as file:
            file.write(b"half")
            raise error
        assert list(tmp_path.iterdir()) == []


def test_disk_full_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(FileError, match="No space left"),
        atomic(tmp_path / "a.png"),
    ):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_text_is_written_whole(tmp_path: Path) -> None:
    path = write_text(tmp_path / "new" / "a.json", "{}")
    assert path.read_text() == "{}"
    with pytest.raises(FileError, match="exists already"):
        write_text(path, "[]")
