"""``oldfix eval`` as users meet it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from .conftest import Cli


def test_blind_compares_a_pipeline_with_finished_pictures(
    cli: Cli, album: Path, tmp_path: Path
) -> None:
    pipeline, out = tmp_path / "lighter.toml", tmp_path / "out"
    pipeline.write_text('name = "lighter"\n[[step]]\nuse = "lighten"\n')
    result = cli("eval", "blind", pipeline, album, album, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert "3 sheets" in result.stdout
    assert len(list((out / "blind").glob("sheet-*.png"))) == 3
    key = json.loads((out / "blind-key.json").read_text())
    assert (key["A"], key["B"]) == (str(pipeline), str(album))
    sides = {name: "1" if entry["1"] == "A" else "2" for name, entry in key["sheets"].items()}
    votes = tmp_path / "votes.csv"
    votes.write_text("sheet,choice\n" + "".join(f"{n},{c}\n" for n, c in sides.items()))
    assert f"A {pipeline}: 3" in cli("eval", "blind", "--score", votes, "-o", out).stdout
    counted = json.loads(cli("eval", "blind", "--score", votes, "-o", out, "--json").stdout)
    assert (counted["votes_a"], counted["votes_b"], counted["share"]) == (3, 0, 1)


def test_a_survey_of_a_pipeline_and_its_verdicts(cli: Cli, album: Path, tmp_path: Path) -> None:
    pipeline, out = tmp_path / "lighter.toml", tmp_path / "out"
    pipeline.write_text('name = "lighter"\n[[step]]\nuse = "lighten"\n')
    result = cli("eval", "survey", album, "-p", pipeline, "--limit", 2, "-o", out)
    assert result.exit_code == 0, result.stderr
    assert "2 photographs, 0 failed" in result.stdout
    table = out / "verdicts.md"
    table.write_text(table.read_text().replace("a.png |  |", "a.png | better |"))
    assert "better: 1, 100.0%" in cli("eval", "survey", "--score", table).stdout
    counted = json.loads(cli("eval", "survey", "--score", table, "--json").stdout)
    assert (counted["better"], counted["missing"]) == (1, 1)
    assert counted["shares"]["worse"]["share"] == 0
    again = cli("eval", "survey", album, "-p", pipeline, "-o", out)
    assert (again.exit_code, "may hold verdicts" in again.stderr) == (2, True)


def test_a_survey_uses_the_preset_and_names_what_failed(
    cli: Cli, album: Path, tmp_path: Path
) -> None:
    (album / "broken.jpg").write_text("no picture")
    result = cli("eval", "survey", album, "-o", tmp_path / "out", "--json")
    assert result.exit_code == 4
    assert "broken.jpg" in result.stderr
    made = json.loads(result.stdout)
    assert (made["done"], len(made["failed"])) == (3, 1)
    rows = json.loads((tmp_path / "out" / "survey.json").read_text())["photographs"]
    assert all(row["marked_percent"] > 0 and row["faces_found"] == 0 for row in rows)


def test_aged_photographs_are_mixed_with_old_ones(cli: Cli, album: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = cli("eval", "aged", album, album / "sub", "--recipe", "tone", "-o", out)
    assert result.exit_code == 0, result.stderr
    assert "1 photographs of each kind" in result.stdout
    key = json.loads((out / "aged-key.json").read_text())
    assert key["recipe"] == "tone"
    assert sorted(entry["aged"] for entry in key["pictures"].values()) == [False, True]


def test_curves_of_trainings_are_drawn(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    rows = "".join(f"{t},{t},{40 - 12 / t}\n" for t in range(5, 60, 5))
    (tmp_path / "net" / "validation.csv").write_text("step,minutes,score\n" + rows)
    images = ("--images", tmp_path / "images")
    result = cli("eval", "curves", tmp_path / "net", "--target", 39.9, "-o", tmp_path, *images)
    assert result.exit_code == 0, result.stderr
    assert "It reaches 39.9 after 120 minutes" in (tmp_path / "curves.md").read_text("utf-8")
    assert (tmp_path / "images" / "curve-net.svg").is_file()
    (curve,) = json.loads(cli("eval", "curves", tmp_path / "net", "-o", tmp_path, "--json").stdout)
    assert curve["fit"]["exponent"] == pytest.approx(1)


def test_bars_and_systems_are_told_from_tables(cli: Cli, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    Image.effect_noise((40, 40), 30).convert("RGB").save(data / "a.png")
    assert cli("eval", "denoise-25", "--data", data, "-o", out).exit_code == 0
    result = cli("eval", "bars", out, "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "not measured" in (tmp_path / "bars.md").read_text("utf-8")
    assert "- denoise-25: 1 of 68 pictures, seed 0" in result.stdout
    verdicts = json.loads(cli("eval", "bars", "-o", tmp_path, "--json").stdout)
    assert {v["reached"] for v in verdicts} <= {"yes", "no", "not measured", "held by a test"}
    result = cli("eval", "seeds", out / "denoise-25.json", "-o", tmp_path)
    assert result.exit_code == 0, result.stderr
    page = (tmp_path / "results.md").read_text("utf-8")
    assert "Not measured: there is no table of restore-mixed." in page
    assert "On denoise-25, 1 pictures, seed 0." in page


def test_systems_are_measured_where_tables_are_missing(cli: Cli, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    for name in ("natural/people/a.png", "faces/val/b.png"):
        (data / name).parent.mkdir(parents=True)
        Image.effect_noise((40, 40), 30).convert("RGB").save(data / name)
    manifest = "path,licence\nnatural/people/a.png,CC0-1.0\nfaces/val/b.png,CC0-1.0\n"
    (data / "MANIFEST.csv").write_text(manifest)
    people = data / "natural" / "people"
    for number in range(4):  # every fifth is shown
        Image.effect_noise((40, 40), 30).convert("RGB").save(people / f"0{number}.png")
    images = ("--images", tmp_path / "images")
    result = cli("eval", "seeds", "--data", data, "--limit", 1, "-o", out, *images)
    assert result.exit_code == 0, result.stderr
    assert "denoise-real: not measured" in result.stderr
    page = (out / "results.md").read_text("utf-8")
    assert "Not measured: there is no table of denoise-real." in page
    assert "(../images/systems.jpg)" in page, result.stderr
    with Image.open(tmp_path / "images" / "systems.jpg") as figure:
        assert figure.height == 4 * (216 + 18)
    assert {path.stem for path in out.glob("*.json")} == {
        "restore-mixed", "denoise-25", "faces", "colour",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("curves",), "needs the folders of trainings"),
        (("curves", "gone"), "gone: holds no validation.csv"),
        (("bars", "gone.json"), "gone.json: cannot be read"),
        (("seeds",), "needs tables (JSON, or folders of them), or --data FOLDER"),
        (("seeds", "{photo}"), "is no table of 'oldfix eval'"),
        (("sound", "--data", ".", "--target", "3"), "--target goes with 'curves' alone"),
        (("blind",), "needs A, B and photographs, or --score VOTES"),
        (("blind", "restore", "restore", "gone.jpg"), "gone.jpg: does not exist"),
        (("blind", "restroe", "restore", "{photo}"), "did you mean 'restore'"),
        (("blind", "a", "b", "c", "--score", "v.csv"), "either A B PHOTO... or --score"),
        (("blind", "--score", "v.csv", "-o", "gone"), "is no key of a blind comparison"),
        (("sound", "more", "--data", "."), "eval sound: takes one set"),
        (("survey",), "needs photographs, or --score TABLE"),
        (("survey", "a", "--score", "v.md"), "either PHOTO... or --score"),
        (("survey", "{photo}", "-p", "restroe"), "did you mean 'restore'"),
        (("survey", "{photo}", "--recipe", "tone"), "--recipe goes with 'aged' alone"),
        (("aged", "{photo}"), "needs sound photographs and old ones"),
        (("aged", "{photo}", "{photo}", "--recipe", "tome"), "did you mean 'tone'"),
        (("aged", "{photo}", "{photo}", "--data", "."), "--data and --rivals go with sets"),
        (("sound", "--data", ".", "--score", "v"), "--score goes with 'blind' and 'survey' alone"),
        (("sound", "--data", ".", "-p", "mine"), "-p goes with 'survey' alone"),
        (("soundd", "--data", "."), "did you mean 'sound'"),
        (("sound", "--data", ".", "--rivals", "gone"), "--rivals gone: is no folder"),
        (("sound", "--data", "gone"), "gone: is no folder"),
    ],
)
def test_wrong_usage_is_one_line(
    cli: Cli, album: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = cli("eval", *(text.format(photo=album / "a.png") for text in arguments))
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_tables_of_several_sets_are_printed_by_name(cli: Cli, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    Image.effect_noise((40, 40), 30).convert("RGB").save(data / "a.png")
    result = cli("eval", "denoise", "--data", data, "-o", tmp_path / "out", "--json")
    assert result.exit_code == 2, result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert "eval denoise: 1 of 4 sets could not be measured (denoise-real)" in last
    tables = json.loads(result.stdout)
    assert [*tables] == ["denoise-15", "denoise-25", "denoise-50"]
    assert tables["denoise-15"]["samples"] == ["a.png"]
    assert "DnCNN" in " ".join(tables["denoise-15"]["skipped"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("eval", "sound", "--data", "ALBUM"),
        ("eval", "seeds", "--data", "ALBUM"),
        ("eval", "survey", "ALBUM"),
        ("eval", "aged", "ALBUM", "ALBUM"),
        ("eval", "blind", "ALBUM", "ALBUM", "ALBUM"),
        ("bench", "--megapixels", "0.01"),
    ],
)
def test_a_folder_that_cannot_be_is_told_before_anything_is_measured(
    cli: Cli, album: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    result = cli(*(album if a == "ALBUM" else a for a in arguments), "-o", tmp_path / "file" / "x")
    assert result.exit_code == 2, result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert "cannot be made or written into (Not a directory)" in last
