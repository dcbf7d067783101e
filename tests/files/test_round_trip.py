"""What goes in comes out: pixels, depth, channels and metadata, in every format."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageCms, IptcImagePlugin, PngImagePlugin

from oldfix import IMAGE, Photo, read_image, read_photo, write_photo

LOSSLESS = (".png", ".tif", ".webp")
DEEP = (".png", ".tif")
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


def exif(**more: int) -> Image.Exif:
    block = Image.Exif()
    block[0x010F] = "Kodak"
    block[0x8298] = "the family"
    block.get_ifd(0x8769)[0x9003] = "1950:06:01 12:00:00"
    block.get_ifd(0x8769)[0xA002] = 9999
    block.get_ifd(0x8825)[1] = "N"
    if "orientation" in more:
        block[0x0112] = more["orientation"]
    return block


@pytest.mark.parametrize("suffix", LOSSLESS)
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_eight_bits_come_back_bit_for_bit(tmp_path: Path, suffix: str, data: Any) -> None:
    channels = data.draw(st.sampled_from([(), (3,)]))
    side = st.integers(1, 9)
    shape = (data.draw(side), data.draw(side), *channels)
    pixels = data.draw(hnp.arrays(np.uint8, shape))
    path = write_photo(Photo.from_array(pixels), tmp_path / f"a{suffix}", overwrite=True)
    photo = read_photo(path)
    grey = pixels.ndim == 2
    expected = np.repeat(pixels[..., None], 3, axis=2) if grey else pixels
    assert np.array_equal(np.rint(photo[IMAGE] * 255), expected)
    again = write_photo(photo, tmp_path / f"b{suffix}", overwrite=True)
    assert np.array_equal(samples(path), samples(again))
    if suffix != ".webp":
        assert photo.meta.grey is grey
        assert np.array_equal(samples(again), pixels)


@pytest.mark.parametrize("suffix", DEEP)
@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3)])
def test_sixteen_bits_stay_sixteen(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    pixels = noise(*shape, dtype=np.uint16)
    path = write_photo(Photo.from_array(pixels), tmp_path / f"a{suffix}")
    photo = read_photo(path)
    assert photo.meta.bits == 16
    assert photo.meta.grey is (len(shape) == 2)
    again = write_photo(photo, tmp_path / f"b{suffix}")
    assert samples(again).dtype == np.uint16
    assert np.array_equal(samples(again), pixels)


def test_dark_sixteen_bits_are_not_taken_for_eight(tmp_path: Path) -> None:
    path = tmp_path / "dark.png"
    path.write_bytes(imagecodecs.png_encode(np.full((4, 4, 3), 200, np.uint16)))
    photo = read_photo(path)
    assert photo.meta.bits == 16
    assert float(photo[IMAGE].max()) == pytest.approx(200 / 65535)


@pytest.mark.parametrize("suffix", [".jpg", ".webp"])
def test_sixteen_bits_become_eight_where_the_format_has_no_more(
    tmp_path: Path, suffix: str
) -> None:
    path = write_photo(Photo.from_array(noise(9, 9, 3, dtype=np.uint16)), tmp_path / f"a{suffix}")
    assert read_photo(path).meta.bits == 8


@pytest.mark.parametrize("suffix", LOSSLESS)
@pytest.mark.parametrize("shape", [(6, 8, 2), (6, 8, 4)])
def test_alpha_is_carried(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    pixels = noise(*shape)
    source = tmp_path / "source.png"
    Image.fromarray(pixels).save(source)
    photo = read_photo(write_photo(read_photo(source), tmp_path / f"a{suffix}"))
    assert np.array_equal(np.rint(photo.meta.alpha * 255), pixels[..., -1])


@pytest.mark.parametrize("suffix", DEEP)
def test_deep_alpha_is_carried(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / "source.png"
    pixels = noise(6, 8, 4, dtype=np.uint16)
    source.write_bytes(imagecodecs.png_encode(pixels))
    path = write_photo(read_photo(source), tmp_path / f"a{suffix}")
    assert np.array_equal(samples(path), pixels)
    assert np.array_equal(samples(write_photo(read_photo(path), tmp_path / f"b{suffix}")), pixels)


def test_premultiplied_alpha_is_undone(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    pixels = np.full((4, 4, 4), 0x4000, np.uint16)
    pixels[..., 3] = 0x8000
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["assocalpha"])
    photo = read_photo(path)
    assert float(photo[IMAGE].mean()) == pytest.approx(0.5, abs=1e-4)
    assert float(photo.meta.alpha.mean()) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("source_format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("suffix", [".jpg", *LOSSLESS])
def test_metadata_is_carried_between_all_formats(
    tmp_path: Path, source_format: str, suffix: str
) -> None:
    source = tmp_path / "source"
    Image.fromarray(noise(8, 12, 3)).save(
        source,
        source_format,
        exif=exif().tobytes(),
        icc_profile=ADOBE,
        dpi=(300, 300),
        **({"lossless": True} if source_format == "WEBP" else {}),
    )
    photo = read_photo(write_photo(read_photo(source), tmp_path / f"a{suffix}"))
    block = Image.Exif()
    block.load(photo.meta.exif)
    assert block[0x010F] == "Kodak"
    assert block[0x8298] == "the family"
    assert block.get_ifd(0x8769)[0x9003] == "1950:06:01 12:00:00"
    assert block.get_ifd(0x8769)[0xA002] == 12, "a stated size must be the picture's"
    assert block.get_ifd(0x8825)[1] == "N"
    assert photo.meta.icc == ADOBE
    if "WEBP" not in (source_format, read_photo(tmp_path / f"a{suffix}").meta.format):
        assert photo.meta.dpi == pytest.approx((300, 300), abs=0.5)


@pytest.mark.parametrize("source_format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path: Path, source_format: str, orientation: int) -> None:
    corner = np.zeros((16, 32), np.uint8)
    corner[:8, :8] = 255
    source = tmp_path / "source"
    options = {"lossless": True} if source_format == "WEBP" else {}
    Image.fromarray(corner).convert("RGB").save(
        source, source_format, exif=exif(orientation=orientation).tobytes(), **options
    )
    photo = read_photo(source)
    assert photo.size == ((32, 16) if orientation > 4 else (16, 32))
    bright = photo[IMAGE][..., 0] > 0.5
    rows, columns = bright.any(axis=1), bright.any(axis=0)
    at_bottom, at_right = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    assert bool(rows[-1]) is at_bottom
    assert bool(columns[-1]) is at_right
    again = read_photo(write_photo(photo, tmp_path / "a.png"))
    assert np.array_equal(again[IMAGE], photo[IMAGE])
    block = Image.Exif()
    block.load(again.meta.exif)
    assert 0x0112 not in block


def test_deep_tiff_is_turned_too(tmp_path: Path) -> None:
    pixels = noise(4, 6, 3, dtype=np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", extratags=[(274, "H", 1, 3, True)])
    expected = pixels[::-1, ::-1]
    assert np.array_equal(np.rint(read_photo(path)[IMAGE] * 65535), expected)


def test_xmp_is_carried_without_orientation(tmp_path: Path) -> None:
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6" dc:title="Oma"/></x:xmpmeta>'
    )
    source = tmp_path / "source.jpg"
    Image.fromarray(noise(8, 8)).save(source, xmp=packet)
    photo = read_photo(source)
    for suffix in (".jpg", *LOSSLESS):
        xmp = read_photo(write_photo(photo, tmp_path / f"a{suffix}")).meta.extra["xmp"]
        assert b"Oma" in xmp
        assert b"Orientation" not in xmp


def iptc_record() -> bytes:
    def dataset(number: int, value: bytes) -> bytes:
        return b"\x1c" + bytes([2, number]) + len(value).to_bytes(2, "big") + value

    return dataset(120, "Großmutter, 1911".encode()) + dataset(80, b"Tobias")


def iptc_in_jpeg(path: Path, record: bytes) -> None:
    """Write a JPEG with an IPTC record after another resource, of odd length."""
    other = b"8BIM" + (0x0421).to_bytes(2, "big") + b"\x03abc" + (3).to_bytes(4, "big") + b"xyz\0"
    own = b"8BIM\x04\x04\0\0" + len(record).to_bytes(4, "big") + record
    body = b"Photoshop 3.0\0" + other + own + b"\0" * (len(record) % 2)
    segment = b"\xff\xed" + (len(body) + 2).to_bytes(2, "big") + body
    Image.fromarray(noise(8, 8, 3)).save(path, extra=segment)


@pytest.mark.parametrize("through", [".jpg", ".tif"])
@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
@pytest.mark.parametrize("tail", [b"", b"\0"])
def test_iptc_is_carried(tmp_path: Path, through: str, suffix: str, tail: bytes) -> None:
    iptc_in_jpeg(tmp_path / "source.jpg", iptc_record() + tail)
    photo = read_photo(tmp_path / "source.jpg")
    assert photo.meta.extra["iptc"] == iptc_record() + tail
    middle = read_photo(write_photo(photo, tmp_path / f"a{through}"))
    path = write_photo(middle, tmp_path / f"b{suffix}")
    with Image.open(path) as written:
        found = IptcImagePlugin.getiptcinfo(written)
    assert found is not None
    assert found[2, 120] == "Großmutter, 1911".encode()
    assert found[2, 80] == b"Tobias"


def test_texts_of_a_png_are_carried(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Description", "Grandmother")
    texts.add_itxt("Title", "祖母", lang="ja", tkey="題")
    texts.add_text("Comment", "found in the attic " * 50, zip=True)
    texts.add_text("Thumb::MTime", "1")
    texts.add_text("Raw profile type exif", "stale")
    texts.add_itxt("XML:com.adobe.xmp", "<x/>")
    for deep in (False, True):
        source = tmp_path / f"source{deep}.png"
        Image.fromarray(noise(8, 8, dtype=np.uint16 if deep else np.uint8)).save(
            source, pnginfo=texts
        )
        photo = read_photo(write_photo(read_photo(source), tmp_path / f"a{deep}.png"))
        with Image.open(tmp_path / f"a{deep}.png") as written:
            found = {key: text for key, text in written.text.items() if "xmp" not in key}
        assert found == {
            "Description": "Grandmother",
            "Title": "祖母",
            "Comment": "found in the attic " * 50,
        }
        assert (found["Title"].lang, found["Title"].tkey) == ("ja", "題")
        assert len(photo.meta.extra["texts"]) == 3
        assert photo.meta.extra["xmp"] == b"<x/>"


def test_texts_after_the_pixels_are_found(tmp_path: Path) -> None:
    path = write_photo(Photo.from_array(noise(4, 4)), tmp_path / "a.png")
    data, body = path.read_bytes(), b"tEXtAuthor\0Otto"
    chunk = (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    path.write_bytes(data[:-12] + chunk + data[-12:])
    again = write_photo(read_photo(path), tmp_path / "b.png")
    assert b"Author\0Otto" in again.read_bytes()


def test_metadata_too_long_for_a_jpeg_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    photo = read_photo(write_photo(Photo.from_array(noise(4, 4, 3)), tmp_path / "a.png"))
    long = {"xmp": b"<x>" + b" " * 70_000 + b"</x>", "iptc": iptc_record() + b"\0" * 70_000}
    photo = photo.with_meta(replace(photo.meta, extra=long))
    assert not read_photo(write_photo(photo, tmp_path / "a.jpg")).meta.extra.keys() & long.keys()
    assert [record.args for record in caplog.records] == [("XMP",), ("IPTC",)]
    kept = read_photo(write_photo(photo, tmp_path / "a.tif")).meta.extra
    assert (kept["xmp"], kept["iptc"]) == (long["xmp"], long["iptc"])


def test_grey_jpeg_stays_one_channel(tmp_path: Path) -> None:
    source = tmp_path / "grey.jpg"
    Image.fromarray(noise(16, 16)).save(source)
    path = write_photo(read_photo(source), tmp_path / "a.jpg")
    with Image.open(path) as written:
        assert written.mode == "L"


def test_grey_palette_and_bilevel_are_grey(tmp_path: Path) -> None:
    grey = Image.fromarray(noise(8, 8))
    grey.convert("P").save(tmp_path / "palette.png")
    grey.convert("1").save(tmp_path / "bilevel.png")
    grey.convert("1").save(tmp_path / "fax.tif", compression="group4")
    for name in ("palette.png", "bilevel.png", "fax.tif"):
        assert read_photo(tmp_path / name).meta.grey


def test_unicode_names(tmp_path: Path) -> None:
    path = write_photo(Photo.from_array(noise(4, 4, 3)), tmp_path / "Großmutter 祖母 🙂.jpg")
    assert read_photo(path).size == (4, 4)


def test_read_image_is_the_photo_without_the_rest(tmp_path: Path) -> None:
    path = write_photo(Photo.from_array(noise(4, 4, 3)), tmp_path / "a.png")
    image = read_image(path)
    assert np.array_equal(image, read_photo(path)[IMAGE])
    assert not image.flags.writeable
