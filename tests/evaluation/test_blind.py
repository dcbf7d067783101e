"""Blind sheets hide who made what; votes are checked and counted."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image as Pillow

from oldfix import FileError, UsageError
from oldfix.evaluation.blind import Contestant, finished_pictures, write_blind
from oldfix.evaluation.votes import score_votes
from oldfix.files import read_image


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(6):
        Pillow.new("RGB", (20, 14), (20 * index, 100, 100)).save(folder / f"p{index}.png")
    return sorted(folder.glob("*.png"))


def painted(value: float) -> Contestant:
    def picture(photo):
        return np.full_like(read_image(photo), value)

    return Contestant(f"all {value}", picture)


def test_the_key_says_what_the_sheets_show(photos, tmp_path):
    out = tmp_path / "out"
    written = write_blind((painted(0), painted(1)), photos, out, seed=3)
    assert written.sheets == len(photos)
    assert sorted(path.name for path in out.iterdir()) == ["blind", "blind-key.json"]
    key = json.loads(written.key.read_text())
    assert {entry["photo"] for entry in key["sheets"].values()} == {str(p) for p in photos}
    assert {entry["1"] for entry in key["sheets"].values()} == {"A", "B"}
    assert [e["photo"] for e in key["sheets"].values()] != [str(p) for p in photos]
    for name, entry in key["sheets"].items():
        with Pillow.open(written.folder / f"{name}.png") as sheet:
            pixels = np.asarray(sheet)
        middle = pixels[35, 20 + 12 + 5], pixels[35, 2 * (20 + 12) + 5]
        assert [int(value[0]) // 255 for value in middle] == ["AB".index(entry[c]) for c in "12"]
    assert (written.folder / "votes.csv").read_text().count("\n") == 1 + len(photos)


def test_one_seed_gives_one_order(photos, tmp_path):
    keys = [
        json.loads(
            write_blind((painted(0), painted(1)), photos, tmp_path / n, seed=5).key.read_text()
        )
        for n in ("a", "b")
    ]
    assert keys[0] == keys[1]


def test_a_larger_result_does_not_stand_out(photos, tmp_path):
    def larger(photo):
        return np.zeros((28, 40, 3), np.float32)

    written = write_blind((Contestant("big", larger), painted(1)), photos[:1], tmp_path / "o")
    with Pillow.open(written.folder / "sheet-001.png") as sheet:
        assert sheet.size == (3 * 20 + 2 * 12, 14 + 28)


def test_what_is_the_same_is_left_out(photos, tmp_path):
    with pytest.raises(UsageError, match="give the same pictures"):
        write_blind((painted(1), painted(1)), photos, tmp_path / "out")
    assert not any((tmp_path / "out").iterdir())

    def first_alone(photo):
        return np.full_like(read_image(photo), float(photo == photos[0]))

    sides = (Contestant("one", first_alone), painted(0))
    assert len(write_blind(sides, photos, tmp_path / "out").same) == len(photos) - 1


def test_nothing_is_overwritten(photos, tmp_path):
    write_blind((painted(0), painted(1)), photos, tmp_path / "out")
    with pytest.raises(UsageError, match="holds a blind comparison already"):
        write_blind((painted(0), painted(1)), photos, tmp_path / "out")
    with pytest.raises(UsageError, match="needs photographs"):
        write_blind((painted(0), painted(1)), [], tmp_path / "other")


def test_finished_pictures_are_found_by_name(photos, tmp_path):
    folder = tmp_path / "done"
    folder.mkdir()
    Pillow.new("RGB", (20, 14), "white").save(folder / "p0.restored.jpg")
    side = finished_pictures(folder)
    assert side.picture(photos[0]).min() > 0.9
    with pytest.raises(FileError, match=r"needs one picture named p1\.\*, found none"):
        side.picture(photos[1])
    Pillow.new("RGB", (20, 14), "white").save(folder / "p0.png")
    with pytest.raises(FileError, match=r"found p0\.png, p0\.restored\.jpg"):
        finished_pictures(folder).picture(photos[0])


@pytest.fixture
def key(tmp_path):
    sheets = {
        f"sheet-{i:03}": {"photo": "x", "1": "AB"[i % 2], "2": "BA"[i % 2]} for i in range(12)
    }
    path = tmp_path / "key.json"
    path.write_text(json.dumps({"A": "new", "B": "old", "seed": 0, "sheets": sheets}))
    return path


def ballot(tmp_path, text: str):
    path = tmp_path / "votes.csv"
    path.write_text(text)
    return path


def test_votes_are_counted_by_side(key, tmp_path):
    votes = "".join(f"sheet-{i:03},{1 + i % 2}\n" for i in range(10))
    score = score_votes([ballot(tmp_path, f"sheet,choice\n{votes}sheet-010,=\n")], key)
    assert (score.votes_a, score.votes_b, score.same, score.missing) == (10, 0, 1, 1)
    assert score.share == 1
    assert score.low == pytest.approx(0.025 ** (1 / 10))  # Clopper-Pearson of 10 out of 10
    assert score.high == 1
    assert score.p == pytest.approx(2 / 2**10)
    assert "A new: 10" in str(score)
    assert "69.2% to 100.0%" in str(score)


def test_judges_are_added_up(key, tmp_path):
    file = ballot(tmp_path, "sheet,choice\nsheet-000.png,1\nsheet-001,1\n")
    score = score_votes([file, file], key)
    assert (score.votes_a, score.votes_b, score.missing) == (2, 2, 20)


def test_no_votes_give_no_share(key, tmp_path):
    score = score_votes([ballot(tmp_path, "sheet,choice\n")], key)
    assert np.isnan(score.share)
    assert "interval" not in str(score)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begins with nothing"),
        ("a,b\n", "begins with a,b; its head must be sheet,choice"),
        ("sheet,choice\nsheet-000,3\n", "row 2: the choice is '3'; write 1, 2"),
        ("sheet,choice\nsheet-000,1,2\n", "the choice is '1,2'"),
        ("sheet,choice\nsheet-0001,1\n", "no sheet 'sheet-0001'; did you mean"),
        ("sheet,choice\nsheet-000,1\nsheet-000,2\n", "row 3: a second vote on sheet-000"),
    ],
)
def test_bad_ballots_are_refused(key, tmp_path, text, words):
    with pytest.raises(UsageError) as caught:
        score_votes([ballot(tmp_path, text)], key)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"A": 1}', '{"A": "a", "B": "b", "sheets": {"s": {}}}']
)
def test_bad_keys_are_refused(tmp_path, text):
    path = tmp_path / "key.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="is no key of a blind comparison"):
        score_votes([ballot(tmp_path, "sheet,choice\n")], path)


def test_missing_files_are_named(key, tmp_path):
    with pytest.raises(UsageError, match=r"gone\.csv: cannot be read"):
        score_votes([tmp_path / "gone.csv"], key)
    with pytest.raises(UsageError, match=r"gone\.json: is no key"):
        score_votes([ballot(tmp_path, "sheet,choice\n")], tmp_path / "gone.json")
