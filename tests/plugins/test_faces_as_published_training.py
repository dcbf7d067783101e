"""GFP-GAN trained as published: the prior, then the restoration with its adversaries."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from oldfix.testing import count_parameters
from oldfix.training import Settings, TrainRequest, fit, read_recipe
from oldfix_faces import train, train_published
from oldfix_faces.games import PriorGame, RestorationGame, start_near_identity
from oldfix_faces.published_task import Faces, PriorTask, RestorationTask
from oldfix_faces.refiner_net import PUBLISHED, FaceRefiner, load
from tests.plugins.test_faces_as_published import pool, refiner


def settings(steps: int, **how: Any) -> Settings:
    values = {"batch": 4, "learning_rate": 2e-3, "warmup": 1, "clip": 10.0, "ema": 0.8}
    return Settings(**{**values, "autocast": False, "log_every": 1, "steps": steps, **how})


def test_the_prior_learns_what_faces_look_like(tmp_path: Path) -> None:
    faces = Faces(pool(), 32)
    game = PriorGame(refiner())
    game.refiner.requires_grad_(False)
    game.refiner.gfpgan.stylegan_decoder.requires_grad_(True)
    task = PriorTask(faces, game)
    torch.manual_seed(1)
    with torch.no_grad():
        before = -task.validate(game)["score"]
    others = {
        n: p.clone() for n, p in game.refiner.gfpgan.named_parameters() if "stylegan" not in n
    }
    request = TrainRequest((), tmp_path, workers=0)
    trained = fit(task, settings(40, learning_rate=6e-3), request)
    torch.manual_seed(1)
    with torch.no_grad():
        after = -task.validate(trained)["score"]
    assert after < 0.7 * before
    assert float(trained.path_length) > 0 and int(trained.steps) == 40
    for name, value in others.items():
        assert torch.equal(dict(trained.refiner.gfpgan.named_parameters())[name], value), name


def test_restoration_learns_and_every_side_of_the_game_takes_part(tmp_path: Path) -> None:
    faces = Faces(pool(), 32)
    net = refiner()
    start_near_identity(net)
    game = RestorationGame(net, frozen_prior=False)
    start = {name: value.clone() for name, value in game.named_parameters()}
    request = TrainRequest((), tmp_path, workers=0)
    trained = fit(RestorationTask(faces, game), settings(30, learning_rate=1e-2), request)
    changed = {
        name.split(".")[0]
        for name, value in trained.named_parameters()
        if not torch.equal(value, start[name])
    }
    assert changed == {"refiner", "judge", "parts"}
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    # An untrained network's side outputs are 2.1 from the pyramid of faces, its faces 1.06.
    assert float(rows[0]["pyramid"]) > 2.0
    assert np.mean([float(row["pyramid"]) for row in rows[-5:]]) < 1.1
    assert np.mean([float(row["pixels"]) for row in rows[-5:]]) < 0.9
    assert {"adversarial", "components", "style", "judge", "real"} <= set(rows[0])


def test_a_frozen_prior_stays_and_the_pyramid_ends(tmp_path: Path) -> None:
    faces, net = Faces(pool(), 32), refiner()
    game = RestorationGame(net, pyramid_steps=1)
    decoder = {n: p.clone() for n, p in net.gfpgan.stylegan_decoder.named_parameters()}
    trained = fit(RestorationTask(faces, game), settings(2), TrainRequest((), tmp_path, workers=0))
    assert isinstance(trained, RestorationGame)
    for name, value in trained.refiner.gfpgan.stylegan_decoder.named_parameters():
        assert torch.equal(value, decoder[name]), name
    _, _, figures = trained(torch.rand(4, 3, 32, 32), torch.rand(4, 3, 32, 32))
    assert "pyramid" not in figures and "pixels" in figures


class Mean(nn.Module):
    """An identity network that knows people by their mean."""

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        return grey.mean(dim=(2, 3))


def test_terms_of_networks_that_are_there_are_part_of_the_loss() -> None:
    game = RestorationGame(refiner(), weights={"identity": 3.0})
    batch = (torch.rand(4, 3, 32, 32), torch.rand(4, 3, 32, 32))

    def total(**networks: Any) -> tuple[float, Any]:
        torch.manual_seed(0)
        game.steps.zero_()
        loss, figures = RestorationTask(Faces(pool(), 32), game, **networks).loss(game, batch)
        return float(loss.detach()), figures

    plain, _ = total()
    whole, figures = total(identity=Mean())
    assert whole == pytest.approx(plain + 3.0 * float(figures["identity"]), rel=1e-4)


@pytest.mark.parametrize("kind", ["prior", "restoration"])
def test_training_goes_on_where_it_stopped(kind: str, tmp_path: Path) -> None:
    def task() -> Any:
        faces = Faces(pool(), 32)
        if kind == "prior":
            return PriorTask(faces, PriorGame(refiner()))
        return RestorationTask(faces, RestorationGame(refiner()))

    def run(folder: str, steps: int, *, resume: bool = False) -> Any:
        request = TrainRequest((), tmp_path / folder, workers=0, resume=resume)
        # A constant learning rate, so that a run of two steps is the start of one of four.
        return fit(task(), settings(steps, final=1.0, warmup=0), request)

    whole = run("whole", 4)
    run("parts", 2)
    parts = run("parts", 4, resume=True)
    for (name, one), (_, other) in zip(
        whole.named_parameters(), parts.named_parameters(), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6, msg=name)


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_recipes_fit_the_networks(name: str, tmp_path: Path) -> None:
    file = Path(train.__file__).with_name("training.toml")
    recipe = read_recipe(file, train.GFPGAN, TrainRequest((), tmp_path, recipe=name))
    assert list(recipe.phases) == ["prior", "restoration"]
    assert set(recipe.network) <= {"gfpgan", "prior", "game", "identity"}
    with torch.device("meta"):
        net = FaceRefiner(residual=False, **{**PUBLISHED, **recipe.network.get("gfpgan", {})})
        RestorationGame(net, **recipe.network.get("game", {}))
    assert (count_parameters(net) > 80e6) == (name == "gpu")


def test_the_command_trains_both_phases_and_leaves_a_network_that_loads(
    tmp_path: Path, monkeypatch: Any
) -> None:
    from PIL import Image

    (tmp_path / "faces").mkdir()
    for name, image in pool().groups[0]:
        Image.fromarray(image).save(tmp_path / "faces" / f"{name}.png")
    file = Path(train.__file__).with_name("training.toml")
    text = file.read_text("utf-8").replace("out_size = 64", "out_size = 32")
    (tmp_path / "training.toml").write_text(text, "utf-8")
    monkeypatch.setattr(train, "_RECIPES", tmp_path / "training.toml")
    monkeypatch.setattr(train_published, "perceptual_loss", lambda: None)
    request = TrainRequest((tmp_path / "faces",), tmp_path / "run", minutes=1e-4, workers=0)
    path = train.train_gfpgan(request)
    figures = json.loads(path.with_suffix(".json").read_text())["figures"]
    assert figures["losses left out"] == "identity, perceptual and style"
    net = load(path)
    assert net.size == 32 and not net.residual
    assert (tmp_path / "run" / "prior" / "checkpoint.pt").is_file()
