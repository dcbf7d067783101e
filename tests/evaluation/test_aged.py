"""Aged photographs among old ones: as many of each, at one scale, and the key tells them apart."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image as Pillow

from oldfix import UsageError
from oldfix.degrade import age
from oldfix.evaluation.aged import write_aged
from oldfix.files import read_image

GREY = 'name = "flat"\nsummary = "grey"\n[[step]]\nkind = "grey"\ngroup = "tone"\n'


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "flat.toml"
    path.write_text(GREY)
    return str(path)


@pytest.fixture
def folders(tmp_path):
    """Four sound photographs, large and red; three old ones, small and blue."""
    for name, count, size, colour in (
        ("sound", 4, (160, 120), (200, 30, 30)),
        ("old", 3, (80, 60), (20, 20, 220)),
    ):
        (tmp_path / name).mkdir()
        for index in range(count):
            Pillow.new("RGB", size, colour).save(tmp_path / name / f"{name}{index}.png")
    return [sorted((tmp_path / name).glob("*.png")) for name in ("sound", "old")]


def pictures(page, count: int):
    """The squares of a page with fewer than six, in order."""
    pixels = np.asarray(Pillow.open(page))
    return [pixels[20:340, i * 328 : i * 328 + 320] for i in range(count)]


def test_the_key_says_which_are_aged(folders, recipe, tmp_path):
    made = write_aged(*folders, tmp_path / "out", recipe=recipe, seed=2)
    assert made.each == 3
    (page,) = made.pages
    key = json.loads(made.key.read_text())
    assert page.parent != made.key.parent
    entries = key["pictures"]
    assert list(entries) == [str(n) for n in range(1, 7)]
    assert sum(entry["aged"] for entry in entries.values()) == 3
    for entry, picture in zip(entries.values(), pictures(page, 6), strict=True):
        red, _, blue = picture[10, 10].astype(int)
        assert (red == blue) == entry["aged"]
        assert ("sound" in entry["photo"]) == entry["aged"]
        shown = (picture < 255).any(axis=2)
        assert (shown.any(axis=1).sum(), shown.any(axis=0).sum()) == (60, 80)


def test_the_order_is_shuffled_and_the_seed_decides(folders, recipe, tmp_path):
    orders = []
    for run, seed in (("a", 1), ("b", 1), ("c", 2)):
        made = write_aged(*folders, tmp_path / run, recipe=recipe, seed=seed)
        entries = json.loads(made.key.read_text())["pictures"].values()
        orders.append([entry["photo"] for entry in entries])
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_a_picture_can_be_aged_again_from_its_entry(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    for name in ("sound", "old"):
        Pillow.fromarray(noise).save(tmp_path / f"{name}.png")
    sides = [tmp_path / "sound.png"], [tmp_path / "old.png"]
    made = write_aged(*sides, tmp_path / "out", seed=5)
    entries = json.loads(made.key.read_text())["pictures"].values()
    place, entry = next((i, e) for i, e in enumerate(entries) if e["aged"])
    again = age(read_image(sides[0][0]), rng=np.random.default_rng(entry["seed"])).image
    shown = pictures(made.pages[0], 2)[place][:40, :60]
    np.testing.assert_array_equal(shown, np.rint(again * 255).astype(np.uint8))


def test_wrong_usage(folders, recipe, tmp_path):
    sound, old = folders
    with pytest.raises(UsageError, match="needs sound photographs and old ones"):
        write_aged(sound, [], tmp_path / "out", recipe=recipe)
    with pytest.raises(UsageError, match="gone"):
        write_aged(sound, old, tmp_path / "out", recipe="gone")
    write_aged(sound, old, tmp_path / "out", recipe=recipe)
    with pytest.raises(UsageError, match="holds a mixture already"):
        write_aged(sound, old, tmp_path / "out", recipe=recipe)
