"""``oldfix restore``: names, flags, and a batch in which some photographs are bad."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oldfix import read_photo

from .conftest import Cli


def test_result_lies_beside_the_input_with_its_sidecar(cli: Cli, album: Path) -> None:
    result = cli("restore", album / "b.jpg")
    assert result.exit_code == 0, result.stderr
    assert f"{album / 'b.jpg'} -> {album / 'b.restored.jpg'}" in result.stdout
    sidecar = json.loads((album / "b.restored.jpg.oldfix.json").read_text())
    assert [entry["stage"] for entry in sidecar["history"]] == ["mark-top", "lighten", "same"]


def test_the_picture_is_what_the_stages_made_of_it(cli: Cli, album: Path) -> None:
    cli("restore", album / "a.png", "--set", "restore.amount=0.2")
    with Image.open(album / "a.png") as before, Image.open(album / "a.restored.png") as after:
        change = np.asarray(after).astype(int) - np.asarray(before)
    assert set(np.unique(change)) == {51}


def test_folder_is_mirrored_under_o(cli: Cli, album: Path, tmp_path: Path) -> None:
    result = cli("restore", album, "-o", tmp_path / "new" / "out")
    assert result.exit_code == 0, result.stderr
    out = tmp_path / "new" / "out"
    pictures = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    assert [name for name in pictures if not name.endswith(".json")] == [
        "a.png",
        "b.jpg",
        "sub/c.tif",
    ]
    assert "3 restored, 0 failed" in result.stderr


def test_output_file_for_one_photograph(cli: Cli, album: Path, tmp_path: Path) -> None:
    assert cli("restore", album / "a.png", "-o", tmp_path / "x.tif").exit_code == 0
    assert read_photo(tmp_path / "x.tif").meta.format == "TIFF"
    result = cli("restore", album / "a.png", album / "b.jpg", "-o", tmp_path / "y.tif")
    assert result.exit_code == 2
    assert "is one file, 2 photographs need a folder" in result.stderr


def test_format(cli: Cli, album: Path) -> None:
    assert cli("restore", album / "b.jpg", "--format", "tiff").exit_code == 0
    assert read_photo(album / "b.restored.tif").meta.format == "TIFF"
    result = cli("restore", album / "b.jpg", "--format", "gif")
    assert result.exit_code == 2
    assert "no format named 'gif'" in result.stderr


def test_two_results_of_one_name(cli: Cli, album: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.png").write_bytes((album / "a.png").read_bytes())
    result = cli("restore", album / "a.png", tmp_path / "other" / "a.png", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "would both become" in result.stderr
    assert not (tmp_path / "out").exists()


def test_flags_choose_the_steps(cli: Cli, album: Path) -> None:
    everything = cli("plan", "--faces", "--colorize", "--json")
    steps = [step["step"] for step in json.loads(everything.stdout)["steps"]]
    assert steps == [
        "detect-scratches",
        "restore",
        "restore-tone",
        "detect-faces",
        "refine-faces",
        "colorize",
    ]
    less = cli("plan", "--no-scratches", "--no-tone", "--json")
    assert [step["step"] for step in json.loads(less.stdout)["steps"]] == ["restore"]


def test_references_are_given_and_found(cli: Cli, album: Path) -> None:
    (album / "other").mkdir()
    Image.new("RGB", (12, 8), (200, 40, 40)).save(album / "other" / "red.png")
    result = cli(
        "restore", album / "a.png", "--colorize", "--recolor",
        "--reference", album / "b.jpg", "--reference", album / "other",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    sidecar = json.loads((album / "a.restored.png.oldfix.json").read_text())
    assert sidecar["history"][-2]["notes"] == {"found": "red.png", "of": 1}
    assert sidecar["history"][-1]["notes"] == {"references": 2, "recolor": True}
    assert sidecar["given"] == {"references": ["b.jpg"], "library": ["other"]}


def test_a_folder_of_references_is_searched_only_if_given(cli: Cli, album: Path) -> None:
    for given, wanted in (("b.jpg", False), (".", True)):
        plan = cli("plan", "--colorize", "--reference", album / given, "--json")
        steps = [step["step"] for step in json.loads(plan.stdout)["steps"]]
        assert ("find-references" in steps) == wanted


def test_an_empty_folder_of_references(cli: Cli, album: Path) -> None:
    (album / "empty").mkdir()
    result = cli("restore", album / "a.png", "--colorize", "--reference", album / "empty")
    assert result.exit_code == 2
    assert "empty: holds no photograph" in result.stderr


@pytest.mark.parametrize("flag", [("--reference", "x.jpg"), ("--recolor",)])
def test_colour_flags_need_colorize(cli: Cli, album: Path, flag: tuple[str, ...]) -> None:
    result = cli("restore", album / "a.png", *flag)
    assert result.exit_code == 2
    assert "without --colorize; add it" in result.stderr


def test_missing_reference(cli: Cli, album: Path) -> None:
    result = cli("restore", album / "a.png", "--colorize", "--reference", album / "gone.jpg")
    assert result.exit_code == 2
    assert "gone.jpg does not exist" in result.stderr


def test_bad_ones_among_good_ones(cli: Cli, album: Path) -> None:
    (album / "empty.jpg").touch()
    (album / "text.png").write_text("no picture")
    whole = (album / "b.jpg").read_bytes()
    (album / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    result = cli("restore", album, album / "gone.jpg", album / "*.bmp")
    assert result.exit_code == 4
    for name in ("a.restored.png", "b.restored.jpg", "sub/c.restored.tif"):
        assert (album / name).exists()
    told = [line for line in result.stderr.splitlines() if line.startswith("oldfix: ")]
    assert len(told) == 5, "one line each"
    for words in (
        "empty.jpg: is empty",
        "text.png: is not",
        "cut.jpg: is damaged",
        "gone.jpg: not found",
        "*.bmp: matches no",
    ):
        assert sum(words in line for line in told) == 1
    assert "3 restored, 5 failed" in result.stderr
    left = {path.name for path in album.rglob("*")}
    assert not any(name.endswith(".part") or name.startswith(".") for name in left)


def test_failing_stage_names_photograph_and_step(cli: Cli, album: Path) -> None:
    result = cli("run", album / "a.png", album / "b.jpg", "--step", "fail")
    assert result.exit_code == 4
    assert "a.png: step fail (fail): RuntimeError: boom" in result.stderr
    assert not (album / "a.restored.png").exists()


def test_folder_without_photographs(cli: Cli, tmp_path: Path) -> None:
    result = cli("restore", tmp_path)
    assert result.exit_code == 4
    assert "holds no photograph" in result.stderr


def test_existing_results_are_kept(cli: Cli, album: Path) -> None:
    cli("restore", album / "a.png")
    before = (album / "a.restored.png").read_bytes()
    result = cli("restore", album / "a.png", "--set", "restore.amount=0.9")
    assert result.exit_code == 4
    assert "--overwrite" in result.stderr
    assert (album / "a.restored.png").read_bytes() == before
    again = cli("restore", album / "a.png", "--set", "restore.amount=0.9", "--overwrite")
    assert again.exit_code == 0
    assert (album / "a.restored.png").read_bytes() != before


def test_the_input_is_never_replaced(cli: Cli, album: Path) -> None:
    before = (album / "a.png").read_bytes()
    result = cli("restore", album / "a.png", "-o", album / "a.png", "--overwrite")
    assert result.exit_code == 4
    assert "input" in result.stderr
    assert (album / "a.png").read_bytes() == before


def test_folder_that_cannot_be_written(cli: Cli, album: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for output in ("file", "file/out", "file/out.png"):
        result = cli("restore", album / "a.png", "-o", tmp_path / output)
        assert result.exit_code == 2
        assert result.stderr.strip().endswith(
            f"-o {tmp_path / output}: {tmp_path / 'file'} is a file; name a folder, or one not "
            "there yet"
        )


def test_json_has_one_row_for_each(cli: Cli, album: Path) -> None:
    (album / "empty.jpg").touch()
    result = cli("restore", album / "a.png", album / "empty.jpg", "--json")
    good, bad = json.loads(result.stdout)
    assert good["output"] == str(album / "a.restored.png")
    assert good["sidecar"] == str(album / "a.restored.png.oldfix.json")
    assert good["error"] is None
    assert "is empty" in bad["error"]
    assert bad["output"] is None


def test_quiet_says_nothing(cli: Cli, album: Path) -> None:
    result = cli("restore", album / "a.png", "--quiet")
    assert (result.stdout, result.stderr, result.exit_code) == ("", "", 0)


def test_plain_lines_without_a_terminal(cli: Cli, album: Path) -> None:
    result = cli("restore", album / "a.png")
    assert "restore-tone: nothing to do" in result.stderr
    assert result.stderr.count(" s\n") == 3


def test_conversion_is_told(cli: Cli, tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8)).save(tmp_path / "a.jpg")
    assert "converted from CMYK" in cli("restore", tmp_path / "a.jpg").stderr


def test_keep_steps(cli: Cli, album: Path) -> None:
    cli("restore", album / "a.png", "--keep-steps")
    kept = sorted(path.name for path in (album / "a.restored.steps").iterdir())
    assert kept == ["a.restored.2-restore.png", "a.restored.3-restore-tone.png"]
    again = cli("restore", album, "-o", album.parent / "out")
    assert "3 restored, 0 failed" in again.stderr, "kept steps are not restored"


def test_interruption_is_clean(cli: Cli, album: Path) -> None:
    before = sorted(album.rglob("*"))
    result = cli("run", album / "a.png", "--step", "interrupt")
    assert result.exit_code == 130
    assert "interrupted" in result.stderr
    assert sorted(album.rglob("*")) == before


def test_a_photograph_named_without_an_ending(cli: Cli, album: Path) -> None:
    (album / "b.jpg").rename(album / "scan")
    assert cli("restore", album / "scan").exit_code == 0
    assert read_photo(album / "scan.restored.jpg").meta.format == "JPEG"
