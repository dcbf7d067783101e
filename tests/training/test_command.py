"""``oldfix train``: what it asks of a network's training, and what it refuses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from oldfix import discover
from oldfix.cli.app import build_app
from oldfix.training import TrainRequest, installed

Train = Callable[..., Any]


@pytest.fixture
def requests() -> list[TrainRequest]:
    """What was asked for."""
    return []


@pytest.fixture
def train(requests: list[TrainRequest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Run ``oldfix train tone-s`` with more arguments and a training that leaves a checkpoint."""

    def training(request: TrainRequest) -> Path:
        requests.append(request)
        request.out.mkdir(parents=True, exist_ok=True)
        (request.out / "checkpoint.pt").write_bytes(b"")
        return request.out / "tone-s.safetensors"

    monkeypatch.setattr("oldfix.keys.resolve", lambda name: training)

    def run(*arguments: object) -> Any:
        common = ["train", "tone-s", "--data", str(tmp_path), "-o", str(tmp_path / "runs")]
        result = CliRunner().invoke(build_app(), [*common, *map(str, arguments)])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def test_a_run_is_not_overwritten_unasked(train: Train, requests: list[TrainRequest]) -> None:
    train()
    assert "holds a run; go on with --resume" in train().stderr
    train("--resume")
    train("--overwrite")
    assert [request.resume for request in requests] == [False, True, False]


def test_what_is_begun_anew_leaves_nothing_to_go_on_with(train: Train, tmp_path: Path) -> None:
    old = tmp_path / "runs" / "tone-s" / "head" / "checkpoint.pt"
    old.parent.mkdir(parents=True)
    old.touch()
    train("--resume")
    assert old.exists()
    assert "either --resume or --overwrite" in train("--resume", "--overwrite").stderr
    assert old.exists()
    train("--overwrite")
    assert not old.exists()
    assert old.with_suffix(".old").exists()  # what was asked for might not have been possible


def test_the_seed_decides_what_a_network_is_built_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []

    def training(request: TrainRequest) -> Path:
        logging.getLogger("oldfix.training").info("drew %d", len(drawn))
        drawn.append(float(torch.rand(())))
        return request.out

    monkeypatch.setattr("oldfix.keys.resolve", lambda name: training)
    for seed in (1, 2, 1):
        arguments = ["train", "tone-s", "--data", str(tmp_path), "--seed", str(seed)]
        result = CliRunner().invoke(build_app(), arguments)
        assert result.stderr.splitlines()[-1] == f"drew {len(drawn) - 1}"
    assert drawn[0] == drawn[2] != drawn[1]


@pytest.mark.parametrize("device", ["gpu", "auto"])
def test_a_device_that_cannot_be_is_told_before_anything_is_read(
    train: Train, requests: list[TrainRequest], device: str
) -> None:
    assert f"device '{device}'" in train("--device", device).stderr
    assert not requests


def test_training_starts_from_installed_weights_by_name(
    train: Train, requests: list[TrainRequest]
) -> None:
    train("--init", "tone-s")
    assert requests[0].init == installed(discover().cards["tone-s"])


def test_training_starts_from_a_file(
    train: Train, requests: list[TrainRequest], tmp_path: Path
) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(b"")
    train("--init", file)
    assert requests[0].init == file


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tone-z", "neither a file nor the name of weights; did you mean 'tone-s'"),
        ("gfpgan-1.4", "gfpgan-1.4"),
    ],
)
def test_weights_that_are_not_there_are_refused(
    train: Train, requests: list[TrainRequest], name: str, said: str
) -> None:
    result = train("--init", name)
    assert result.exit_code != 0
    assert said in result.stderr
    assert not requests
