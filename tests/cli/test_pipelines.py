"""``oldfix run`` and ``plan``: pipelines, options, given files, replay; problems before work."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from .conftest import Cli

TOML = """
name = "mine"
[[step]]
use = "mark-top"
[[step]]
use = "lighten"
id = "brighter"
options = { amount = 0.25 }
only = "defects"
"""


def problem(result: object, code: int = 2) -> str:
    assert result.exit_code == code, result.stderr  # type: ignore[attr-defined]
    return str(result.stderr)  # type: ignore[attr-defined]


def test_pipeline_from_a_file(cli: Cli, album: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TOML)
    result = cli(
        "run", album / "a.png", "-p", tmp_path / "mine.toml", "--set", "brighter.amount=0.5"
    )
    assert result.exit_code == 0, result.stderr
    sidecar = json.loads((album / "a.restored.png.oldfix.json").read_text())
    assert sidecar["history"][1]["options"] == {"amount": 0.5}


def test_plan_needs_no_photograph_and_runs_nothing(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TOML)
    result = cli("plan", "-p", tmp_path / "mine.toml")
    assert result.exit_code == 0
    assert "brighter" in result.stdout
    assert "amount = 0.25" in result.stdout
    assert "only = defects" in result.stdout


def test_plan_says_what_would_be_written(cli: Cli, album: Path) -> None:
    result = cli("plan", album, "-o", "out", "--json")
    outputs = json.loads(result.stdout)["outputs"]
    assert outputs[str(album / "sub" / "c.tif")] == "out/sub/c.tif"
    assert not Path("out/sub").exists()


def test_all_problems_at_once(cli: Cli, album: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(
        '[[step]]\nuse = "lihgten"\n[[step]]\nuse = "mend"\noptions = { amount = 7 }\n'
    )
    text = problem(cli("run", album, "-p", tmp_path / "bad.toml"))
    assert "no stage named 'lihgten'; did you mean 'lighten'?" in text
    assert "amount must be between 0 and 1, got 7" in text
    assert "needs 'defects', which nothing before it produces" in text
    assert not list(album.glob("*.restored.*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--step", "lihgten"), "did you mean 'lighten'"),
        (("--step", "mend"), "put mark-top before it or pass --give defects=FILE"),
        (("--step", "lighten", "--set", "lighten.amuont=1"), "did you mean 'amount'"),
        (("--step", "lighten", "--set", "lighten.amount=2"), "between 0 and 1"),
        (("--step", "lighten", "--set", "lihgten.amount=1"), "did you mean 'lighten'"),
        (("--step", "lighten", "--set", "amount=1"), "must have the form STEP.OPTION=VALUE"),
        (("--step", "lighten", "--give", "defects"), "must have the form KEY=FILE"),
        (("--step", "lighten", "--give", "defetcs=x.png"), "did you mean 'defects'"),
        (("--step", "lighten", "--give", "kit.badge=x"), "nothing named 'kit.badge' can be given"),
        (("--step", "lighten", "--give", "defects=gone.png"), "gone.png does not exist"),
        ((), "takes either -p FILE|NAME or --step STAGE"),
        (("--step", "lighten", "-p", "restore"), "takes either -p FILE|NAME or --step STAGE"),
        (("-p", "restor"), "did you mean 'restore'"),
        (("-p", "gone.toml"), "gone.toml"),
        (("--replay", "gone.json"), "cannot be read as a sidecar"),
    ],
)
def test_wrong_usage(cli: Cli, album: Path, arguments: tuple[str, ...], words: str) -> None:
    text = problem(cli("run", album / "a.png", *arguments))
    assert words in text
    assert not (album / "a.restored.png").exists()


def test_given_mask(cli: Cli, album: Path, tmp_path: Path) -> None:
    Image.new("L", (10, 8), 255).save(tmp_path / "mask.png")
    give = f"defects={tmp_path / 'mask.png'}"
    assert cli("run", album / "a.png", "--step", "mend", "--give", give).exit_code == 0


def test_given_mask_of_another_size(cli: Cli, album: Path, tmp_path: Path) -> None:
    Image.new("L", (11, 8), 255).save(tmp_path / "mask.png")
    give = f"defects={tmp_path / 'mask.png'}"
    text = problem(cli("run", album / "a.png", "--step", "mend", "--give", give), 4)
    assert "mask has 11 x 8 pixels" in text


def test_masks_from_a_folder_go_by_stem(cli: Cli, album: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    Image.new("L", (10, 8), 255).save(tmp_path / "masks" / "a.png")
    give = f"defects={tmp_path / 'masks'}"
    result = cli("run", album / "a.png", album / "b.jpg", "--step", "mend", "--give", give)
    assert result.exit_code == 4
    assert "holds no file named b" in result.stderr
    assert (album / "a.restored.png").exists()


def test_saved_pipeline_runs_again(cli: Cli, album: Path, tmp_path: Path) -> None:
    saved = tmp_path / "saved.toml"
    first = ("--step", "lighten", "--set", "lighten.amount=0.3", "--save-pipeline", saved)
    assert cli("run", album / "a.png", *first).exit_code == 0
    again = cli("run", album / "a.png", "-p", saved, "-o", tmp_path / "again")
    assert again.exit_code == 0
    assert (tmp_path / "again" / "a.png").read_bytes() == (album / "a.restored.png").read_bytes()


def test_replay(cli: Cli, album: Path, tmp_path: Path) -> None:
    cli("run", album / "a.png", "--step", "lighten", "--set", "lighten.amount=0.3", "--seed", 5)
    sidecar = album / "a.restored.png.oldfix.json"
    result = cli("run", album / "a.png", "--replay", sidecar, "-o", tmp_path / "again")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "again" / "a.png").read_bytes() == (album / "a.restored.png").read_bytes()
    again = json.loads((tmp_path / "again" / "a.png.oldfix.json").read_text())
    assert again["seed"] == 5


def test_replay_asks_for_what_was_given(cli: Cli, album: Path, tmp_path: Path) -> None:
    Image.new("L", (10, 8), 255).save(tmp_path / "mask.png")
    give = ("--give", f"defects={tmp_path / 'mask.png'}")
    cli("run", album / "a.png", "--step", "mend", *give)
    sidecar = album / "a.restored.png.oldfix.json"
    text = problem(cli("run", album / "b.jpg", "--replay", sidecar))
    assert "defects" in text
    assert cli("run", album / "b.jpg", "--replay", sidecar, *give).exit_code == 0


def test_missing_device_is_the_environments_fault(cli: Cli, album: Path) -> None:
    """Stages without networks need no device; one that is unknown is still told by its users."""
    result = cli("run", album / "a.png", "--step", "lighten", "--device", "cpu")
    assert result.exit_code == 0
