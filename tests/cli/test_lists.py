"""The commands that show things: lists in text and JSON, help, start-up cost, and small wares."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from oldfix.cli.app import build_app
from oldfix.cli.progress import Bars, shorten
from oldfix.cli.train import TrainFlags
from oldfix.events import StepFinished, StepProgress, StepStarted, Warned
from oldfix.registry import discover

from .conftest import PLUGINS, Cli

LISTS = (
    ("stages",),
    ("stages", "lighten"),
    ("plugins",),
    ("weights", "list"),
    ("weights", "verify"),
    ("doctor",),
    ("eval",),
    ("plan",),
)


@pytest.mark.parametrize("command", LISTS, ids=" ".join)
def test_every_list_has_json(cli: Cli, command: tuple[str, ...]) -> None:
    assert json.loads(cli(*command, "--json").stdout) is not None


def test_help_of_every_command_has_an_example(cli: Cli) -> None:
    commands = [(info.name,) for info in build_app().registered_commands]
    weights = [("weights", name) for name in ("list", "pull", "verify", "import")]
    assert ("wave",) in commands
    for command in ((), *commands, *weights):
        result = cli(*command, "--help")
        assert result.exit_code == 0
        if command != ("wave",):
            assert "Example: oldfix " in result.stdout, command


def test_no_arguments_shows_the_help(cli: Cli) -> None:
    assert "Commands:" in cli().stdout


def test_version(cli: Cli) -> None:
    assert cli("--version").stdout.startswith("oldfix ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("restroe",), "did you mean 'restore'"),
        (("restore",), "missing argument 'PHOTO'"),
        (("restore", "x.jpg", "--fcaes"), "no such option: --fcaes"),
        (("restore", "x.jpg", "--seed", "-1"), "greater than or equal to 0"),
        (("stages", "lihgten"), "did you mean 'lighten'"),
        (("weights", "pull", "kit-m"), "did you mean 'kit-"),
        (("train", "kit", "--data", "."), "did you mean 'kit-s'"),
        (("train", "kit-s", "--data", "gone"), "gone does not exist"),
        (("eval", "scratchs"), "--data FOLDER"),
        (("age", "x.jpg", "--recipe", "old-foto"), "did you mean 'old-photo'"),
    ],
)
def test_wrong_usage_is_one_line(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    result = cli(*arguments)
    assert result.exit_code == 2
    assert words.lower() in result.stderr.lower()
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_a_full_disk_is_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "out/page.md")

    monkeypatch.setattr("oldfix.evaluation.sets.load_sets", full)
    result = cli("eval")
    assert result.exit_code == 3
    words = "oldfix: out/page.md: No space left on device; free some space, or name another folder"
    assert result.stderr.strip() == words


def start(code: str, *arguments: str) -> str:
    script = f"import sys\nfrom oldfix.cli.app import main\ntry:\n    main()\nfinally:\n    {code}"
    environment = os.environ | {"OLDFIX_PLUGINS": str(PLUGINS), "OLDFIX_BLOCK": ""}
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_help_imports_nothing_heavy() -> None:
    heavy = "print('HEAVY', {'torch', 'numpy', 'cv2', 'PIL', 'rich'} & set(sys.modules))"
    assert "HEAVY set()" in start(heavy, "--help")


@pytest.mark.parametrize(
    "command", [("stages",), ("plugins",), ("plan", "--faces"), ("weights", "list")]
)
def test_looking_around_imports_no_torch(command: tuple[str, ...]) -> None:
    text = start("print('TORCH', 'torch' in sys.modules)", *command)
    assert "TORCH False" in text


def test_broken_plugins_are_listed_and_hurt_nobody(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, album: Path
) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "kit.py").write_text((PLUGINS / "kit.py").read_text())
    (folder / "zz_explodes.py").write_text("raise ImportError('no module named nothing')")
    (folder / "zz_twin.py").write_text((PLUGINS / "kit.py").read_text())
    monkeypatch.setenv("OLDFIX_PLUGINS", str(folder))
    rows = {row["name"]: row["error"] for row in json.loads(cli("plugins", "--json").stdout)}
    assert "no module named nothing" in rows["zz_explodes"]
    assert "already provided by plugin 'kit'" in rows["zz_twin"]
    assert rows["kit"] is None
    assert cli("restore", album / "a.png").exit_code == 0
    doctor = cli("doctor")
    assert doctor.exit_code == 3
    assert "WRONG plugin zz_explodes" in doctor.stdout


def test_doctor_finds_nothing_wrong_with_what_ships(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OLDFIX_BLOCK", "OLDFIX_WEIGHTS", "OLDFIX_PLUGINS"):
        monkeypatch.delenv(name)
    found = cli("doctor")
    assert found.exit_code == 0, found.stdout
    assert "weights for upscale: none installed, and none comes with oldfix" in found.stdout


def test_plugins_add_commands(cli: Cli) -> None:
    assert cli("wave").stdout == "hello from a plugin\n"


def test_stage_page_shows_options(cli: Cli) -> None:
    text = cli("stages", "lighten").stdout
    for word in ("amount", "0.1", "between 0 and 1", "how much lighter"):
        assert word in text


def test_train_calls_the_cards_function(cli: Cli, tmp_path: Path) -> None:
    result = cli("train", "kit-s", "--data", tmp_path, "--minutes", 3, "-o", tmp_path / "runs")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.strip() == str(tmp_path / "runs" / "kit-s" / "trained-for-3.bin")


@pytest.mark.parametrize(
    ("flags", "recipe"),
    [({}, "cpu"), ({"device": "cuda:1"}, "gpu"), ({"device": "cuda", "recipe": "cpu"}, "cpu")],
)
def test_all_flags_of_a_training_reach_it(
    flags: dict[str, str], recipe: str, tmp_path: Path
) -> None:
    (tmp_path / "a").touch()
    card = next(iter(discover().cards.values()))
    given = {"minutes": 5.0, "seed": 3, "resume": True, "workers": 4, **flags}
    given["init"] = tmp_path / "a"
    request = TrainFlags(out=tmp_path, **given).request(card, [Path("b"), Path("c")])
    assert (request.data, request.out) == ((Path("b"), Path("c")), tmp_path / card.id)
    assert (request.card, request.recipe) == (card, recipe)
    assert all(getattr(request, name) == value for name, value in given.items())


class TestAge:
    def test_same_seed_same_damage(self, cli: Cli, tmp_path: Path) -> None:
        pixels = np.full((64, 64, 3), 128, np.uint8)
        Image.fromarray(pixels).save(tmp_path / "a.png")
        for number, seed in enumerate((3, 3, 4)):
            out = tmp_path / f"{number}.png"
            assert cli("age", tmp_path / "a.png", "--seed", seed, "-o", out).exit_code == 0
        one, two, three = (tmp_path.joinpath(f"{i}.png").read_bytes() for i in range(3))
        assert one == two
        assert one != three

    def test_truth(self, cli: Cli, album: Path) -> None:
        result = cli("age", album / "a.png", "--recipe", "scratches", "--truth")
        assert result.exit_code == 0, result.stderr
        made = {path.name for path in album.glob("a.aged*")}
        assert made == {
            "a.aged.png",
            "a.aged.target.png",
            "a.aged.defects.png",
            "a.aged.steps.json",
        }
        assert json.loads((album / "a.aged.steps.json").read_text())["recipe"] == "scratches"
        (album / "a.aged.png").unlink()
        again = cli("age", album / "a.png", "--truth")
        assert "a.aged.target.png: exists already" in again.stderr
        assert not (album / "a.aged.png").exists()

    def test_no_two_share_their_truth(self, cli: Cli, tmp_path: Path) -> None:
        for name in ("a.png", "a.jpg"):
            Image.fromarray(np.full((64, 64, 3), 128, np.uint8)).save(tmp_path / name)
        assert "a.aged.target.png" in cli("age", tmp_path, "--truth").stderr
        assert not list(tmp_path.glob("*aged*"))
        assert cli("age", tmp_path).exit_code == 0

    def test_bad_ones_among_good_ones(self, cli: Cli, album: Path) -> None:
        result = cli("age", album / "gone.jpg", album / "a.png")
        assert result.exit_code == 4
        assert "gone.jpg: not found" in result.stderr
        assert (album / "a.aged.png").exists()


class TestDemo:
    def test_portrait(self, cli: Cli, tmp_path: Path) -> None:
        result = cli("demo", "-o", tmp_path, "--json")
        assert result.exit_code == 0, result.stderr
        report = json.loads(result.stdout)
        assert all(Path(file).exists() for file in report["files"])
        names = {path.name for path in tmp_path.glob("portrait*")}
        assert names == {
            "portrait.original.png", "portrait.aged.png", "portrait.restored.png",
            "portrait.restored.png.oldfix.json", "portrait.side-by-side.png", "portrait.damage.png",
        }  # fmt: skip
        assert {row["against"] for row in report["measured"]} == {
            "original in colour",
            "its luminance",
        }
        assert set(report["seconds"]) >= {"restore", "colorize"}

    def test_photograph_of_the_user(self, cli: Cli, album: Path, tmp_path: Path) -> None:
        for _ in range(2):
            result = cli("demo", album / "b.jpg", "-o", tmp_path / "demo")
            assert result.exit_code == 0, result.stderr
        assert (tmp_path / "demo" / "b.restored.png").exists()
        assert "PSNR" not in result.stdout


def test_bars_move_forward(capsys: pytest.CaptureFixture[str]) -> None:
    with Bars() as bars:
        bars.begin("a.jpg", 1, 2)
        for index in range(2):
            bars(StepStarted("a.jpg", "one", index, 2))
            bars(StepProgress("a.jpg", "one", 1, 2))
            bars(Warned("a.jpg", "one", "look [here]"))
            bars(StepFinished("a.jpg", "one", 0.1))
        bars.end()
        bars.result("a.jpg -> b.jpg")
    shown = capsys.readouterr()
    assert "look [here]" in shown.err
    assert shown.out == "a.jpg -> b.jpg\n"


def test_long_names_leave_room_for_the_bar() -> None:
    assert shorten("a.jpg") == "a.jpg"
    assert shorten("a very long name of a photograph 1936.jpg") == "a very long …aph 1936.jpg"


def test_examples_in_help_name_what_there_is() -> None:
    """With the real plugins: no stage, option or network in an example is made up."""
    examples = {info.name: str(info.epilog) for info in build_app().registered_commands}
    words = examples["plan"].split()[2:]
    assert CliRunner().invoke(build_app(), words).exit_code in (0, 3), "3: weights not installed"
    name = examples["train"].split()[3]
    assert discover().cards[name].train
    stage = examples["stages"].split()[3]
    assert discover().resolve(stage).name == stage


def test_the_module_is_the_command() -> None:
    def said(*command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout

    from oldfix import __version__

    assert said(sys.executable, "-m", "oldfix", "--version") == f"oldfix {__version__}\n"
    assert "restore" in said(sys.executable, "-m", "oldfix", "--help")
