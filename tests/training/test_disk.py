"""Disks that are full, folders that cannot be, and files that are no weights."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oldfix import EnvironmentProblem, UsageError
from oldfix.training import PhotoPool, fit, publish, read_recipe
from oldfix.training.log import CsvLog
from tests.training.test_loop import SETTINGS, Doubling, request
from tests.training.test_recipes import write as write_recipe

FULL = OSError(28, "No space left on device")


def full(*_: Any, **__: Any) -> None:
    raise FULL


@pytest.mark.parametrize("error", [FULL, RuntimeError("PytorchStreamWriter failed writing file")])
def test_a_full_disk_ends_the_run_and_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    save, calls = torch.save, iter(range(100))

    def fail(values: Any, part: Path) -> None:
        if next(calls) < 8:
            save(values, part)
            return
        part.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", fail)
    often = replace(SETTINGS, checkpoint_every_minutes=0)
    with pytest.raises(EnvironmentProblem, match=r"checkpoint\.pt: cannot be written.*--resume"):
        fit(Doubling(), often, request(tmp_path / "parts"))
    assert not list((tmp_path / "parts").glob("*.part"))
    monkeypatch.undo()
    parts = fit(Doubling(), SETTINGS, request(tmp_path / "parts", resume=True))
    whole = fit(Doubling(), SETTINGS, request(tmp_path / "whole"))
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name])


def test_a_full_disk_is_named_by_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = CsvLog(tmp_path / "log.csv")
    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(EnvironmentProblem, match=r"log\.csv: cannot be written \(No space left"):
        log.add(1, {"loss": 2.0})


def test_a_full_disk_is_named_when_the_network_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(tmp_path)
    recipe = read_recipe(write_recipe(tmp_path), "net", asked)
    pool = PhotoPool(((("grey", np.full((64, 64, 3), 9, np.uint8)),),))
    net = torch.nn.Conv2d(3, 3, 1)
    net.config = {}  # type: ignore[assignment]
    # The module's name is taken by its function, so it is looked up among the modules.
    monkeypatch.setattr(sys.modules["oldfix.training.publish"], "write_network", full)
    with pytest.raises(EnvironmentProblem, match=r"net\.safetensors: cannot be written"):
        publish(net, asked, "net", recipe=recipe, figures={}, photographs=pool)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"cannot be made or written into \(Not a directory\)"):
        fit(Doubling(), SETTINGS, request(tmp_path / "file" / "run"))


def test_a_file_that_holds_no_weights_is_named(tmp_path: Path) -> None:
    (tmp_path / "init.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(UsageError, match=r"init\.safetensors: does not fit this network"):
        fit(Doubling(), SETTINGS, request(tmp_path, init=tmp_path / "init.safetensors"))
