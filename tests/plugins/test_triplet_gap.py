"""The gap between real and synthetic latents: how it is measured, and the game against it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from oldfix import UsageError, write_network
from oldfix.training.settings import TrainRequest
from oldfix_triplet import mapping, study, train_vae, vae
from oldfix_triplet.examples import Domains
from oldfix_triplet.gap import domain_accuracy, squared_mmd, unbiased_mmd
from oldfix_triplet.train_vae import VaeTask
from tests.plugins.pictures import coarse_noise
from tests.plugins.test_triplet_training import tiny_task


def test_the_gap_is_none_between_equals_and_whole_between_strangers() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(2, 80, 4, 8, 8)
    assert 0.35 < domain_accuracy(a, b) < 0.65
    with torch.inference_mode():
        assert domain_accuracy(a, b + 1) == 1.0


def test_the_discrepancy_by_hand() -> None:
    a, b = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [3.0]])
    # Squared distances of two of 0, 1, 2, 3: 1 (three times), 4 (twice), 9; torch's median is 1
    # of an even number of values the lower, as each stands there twice: 1 1 1 1 1 1 4 4 4 4 9 9.
    near, far = math.exp(-1 / 2), math.exp(-9 / 2)
    middle = math.exp(-4 / 2)
    across = (near + 2 * middle + far) / 4
    assert unbiased_mmd(a, b) == pytest.approx(2 * near - 2 * across)


def test_the_discrepancy_is_none_between_equals_and_grows_with_the_distance() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(2, 80, 4, 8, 8)
    assert abs(squared_mmd(a, b)) < 0.02
    assert 0.02 < squared_mmd(a, b + 0.05) < squared_mmd(a, b + 0.3) <= 2


def test_the_study_compares_autoencoders_on_photographs_kept_apart(
    tmp_path: Path, capsys: Any
) -> None:
    from PIL import Image

    for folder in ("sound", "old"):
        (tmp_path / folder).mkdir()
        for name, image in coarse_noise().groups[0][:6]:
            shade = image // 3 if folder == "old" else image
            Image.fromarray(shade).save(tmp_path / folder / f"{name}.png")
    file = tmp_path / "run" / "vae.safetensors"
    file.parent.mkdir()
    net = vae.tiny()
    write_network(file, net, config=net.config)
    map_file, maps = tmp_path / "mapping.safetensors", mapping.tiny()
    write_network(map_file, maps, config=maps.config)
    given = [str(file), str(file), "--clean", str(tmp_path / "sound")]
    where = ["--crops", "24", "-o", str(tmp_path / "out")]
    assert study.main([*given, "--real", str(tmp_path / "old"), *where]) == 0
    assert "| run/vae.safetensors |" in capsys.readouterr().out
    dark, again = json.loads((tmp_path / "out" / "gap.json").read_text("utf-8"))["rows"]
    assert dark == again
    assert study.main([*given[:1], *given[2:], *where, "--mapping", str(map_file)]) == 0
    (stand_in,) = json.loads((tmp_path / "out" / "gap.json").read_text("utf-8"))["rows"]
    assert stand_in["found"] > stand_in["restored"]  # an untrained network only spoils
    assert dark["told_apart"] > 0.8 and dark["mmd2"] > stand_in["mmd2"]
    with pytest.raises(UsageError, match="must be even"):
        study.main([*given, "--crops", "7"])
    (only,) = (tmp_path / "old").glob("0.png")
    with pytest.raises(UsageError, match="holds one photograph"):
        study.main([*given, "--real", str(only), *where])


def test_the_discriminator_of_latents_learns_alone_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oldfix_triplet.train_vae._HELD", 8)
    torch.manual_seed(0)
    task = tiny_task("apart")
    game = task.net
    pair = {name: value.clone() for name, value in game.pair.named_parameters()}
    real, made = torch.rand(8, 3, 48, 48) * 0.2 + 0.7, torch.rand(8, 3, 48, 48) * 0.2
    samples = [
        tuple(x.permute(1, 2, 0).numpy() for x in (r, m, m))
        for r, m in zip(real, made, strict=True)
    ]
    monkeypatch.setattr(task, "sample", lambda rng: samples[int(rng.integers(8))])

    def caught() -> float:
        with torch.no_grad():
            return float(
                game.confused(game.pair.found.encode(real), game.pair.found.encode(made))[1]
            )

    before = caught()
    train_vae.head_start(game, task, seed=0)
    assert caught() < 0.1 < before
    for name, value in game.pair.named_parameters():
        torch.testing.assert_close(value, pair[name], rtol=0, atol=0)


@pytest.mark.parametrize(("init", "share"), [(None, 0.5), ("given", 1.0)])
def test_the_latent_game_has_all_the_time_where_autoencoders_are_given(
    init: str | None, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes: dict[str, Any] = {}

    def fit(task: VaeTask, settings: Any, request: TrainRequest) -> nn.Module:
        boxes[request.out.name] = request.minutes
        assert request.init is None
        return task.net

    monkeypatch.setattr("oldfix_triplet.phases.fit", fit)
    monkeypatch.setattr("oldfix_triplet.train_vae._HELD", 8)
    monkeypatch.setattr("oldfix_triplet.train_vae._CODES", 4)
    monkeypatch.setattr("oldfix_triplet.train_vae._HEAD_STEPS", 5)
    monkeypatch.setattr(
        "oldfix_triplet.train_vae.Domains.read", lambda data: Domains(coarse_noise())
    )
    path = None
    if init:
        path = tmp_path / "init.safetensors"
        pair = vae.VaePair(channels=16, width=64, blocks=2)
        write_network(path, pair, config=pair.config)
    train_vae.train(TrainRequest((), tmp_path, minutes=10.0, init=path))
    assert boxes["apart"] == pytest.approx(10 * share)
    assert ("together" in boxes) == (init is None)
