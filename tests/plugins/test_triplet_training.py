"""Training of the triplet: what it learns from, that it learns, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from oldfix import UsageError
from oldfix.testing import count_parameters
from oldfix.training import TrainingRecipe, read_recipe, stacked
from oldfix.training.settings import TrainRequest
from oldfix_triplet import bridge, mapping, train_diffusion, train_mapping, train_vae, vae
from oldfix_triplet.examples import CROP, FIRST, Domains, held_pairs
from oldfix_triplet.train_diffusion import BridgeGame, BridgeTask
from oldfix_triplet.train_mapping import MappingGame, MappingTask
from oldfix_triplet.train_vae import VaeGame, VaeTask
from tests.plugins.learning import losses_on
from tests.plugins.pictures import coarse_noise

SMALL = {"channels": 4, "width": 8, "blocks": 1}


def tiny_task(kind: str) -> Any:
    domains = Domains(coarse_noise(), coarse_noise() if kind == "apart" else None)
    if kind in {"together", "apart"}:
        return VaeTask(domains, VaeGame(SMALL, width=4), apart=kind == "apart")
    if kind == "mapping":
        arguments = {"channels": 4, "widths": [12], "blocks": 1, "attention": 6}
        game = MappingGame(arguments, pixels=1, width=4)
        return MappingTask(domains, vae.tiny(), game)
    arguments = {"channels": 4, "width": 12, "blocks": 1}
    return BridgeTask(domains, vae.tiny(), BridgeGame(arguments, pixels=1))


@pytest.mark.parametrize("kind", ["together", "apart", "mapping", "diffusion"])
def test_tasks_learn_on_a_batch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("train_vae", "train_mapping"):
        monkeypatch.setattr(f"oldfix_triplet.{module}._HELD", 8)
    torch.manual_seed(0)
    task = tiny_task(kind)
    before = {name: value.clone() for name, value in task.net.named_parameters()}
    rng = np.random.default_rng(1)
    batch = stacked(task.sample(rng) for _ in range(4))
    losses = losses_on(task, batch, rate=3e-3, steps=12)
    assert losses[-1] < losses[0]
    changed = {n.split(".")[0] for n, p in task.net.named_parameters() if not p.equal(before[n])}
    expected = {
        "together": {"pair"},
        "apart": {"pair", "latent_judge", "found_judge", "clean_judge"},
        "mapping": {"mapping", "judge"},
        "diffusion": {"bridge"},
    }
    assert changed == expected[kind]
    with torch.inference_mode():
        assert np.isfinite(list(task.validate(task.net).values())).all()


def falls(task: Any, batch: Any, figure: str, steps: int) -> tuple[float, float]:
    """The loss, or a figure of it, in the first step of a short training and in the last ten."""
    torch.manual_seed(0)
    optimizer = torch.optim.Adam([p for p in task.net.parameters() if p.requires_grad], 1e-2)
    found = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / steps)
        loss, figures = task.loss(task.net, batch())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(float({**figures, "loss": loss.detach()}[figure]))
    return found[0], float(np.mean(found[-10:]))


def test_an_autoencoder_learns_flat_pictures_exactly() -> None:
    torch.manual_seed(0)
    arguments = {**SMALL, "deviation": 0.01}
    task = VaeTask.__new__(VaeTask)
    task.net, task.apart = VaeGame(arguments, kl=0, alpha=1, image_gan=0, width=4), False
    batch = lambda: tuple(torch.rand(12, 3, 1, 1).expand(-1, -1, 16, 16).split(4))  # noqa: E731
    first, last = falls(task, batch, "loss", 200)
    assert first > 0.4  # three numbers for each picture fit into the latent: nothing need be lost
    assert last < 0.02


@pytest.mark.parametrize("kind", ["mapping", "diffusion"])
def test_a_known_shift_of_the_latent_is_learnt(kind: str) -> None:
    task = MappingTask.__new__(MappingTask) if kind == "mapping" else BridgeTask.__new__(BridgeTask)
    task.vaes = vae.tiny().requires_grad_(False)
    task.vaes.clean.load_state_dict(task.vaes.found.state_dict())
    task.vaes.clean.encoder[1].linear.bias.add_(torch.tensor([0.5, -0.5, 0.5, -0.5]))
    if kind == "mapping":
        game: Any = MappingGame({"channels": 4}, latent=1, features=0, gan=0, width=4)
        game.mapping = mapping.tiny()
    else:
        game = BridgeGame({"channels": 4}, latent=1)
        game.bridge = bridge.tiny()
    task.net = game

    def batch() -> tuple[torch.Tensor, ...]:
        x = torch.rand(4, 3, 32, 32)
        return x, x, torch.zeros(4, 1, 32, 32)

    first, last = falls(task, batch, "latent", 120)
    assert first > 0.3  # a half; the diffusion sees states of all times
    assert last < 0.06


def test_a_stopped_training_goes_on_in_its_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.setattr("oldfix_triplet.train_vae._HELD", 8)
    monkeypatch.setattr("oldfix_triplet.train_vae._CODES", 4)
    monkeypatch.setattr("oldfix_triplet.train_vae._HEAD_STEPS", 5)
    (tmp_path / "photos").mkdir()
    for name, image in coarse_noise().groups[0]:
        Image.fromarray(image).save(tmp_path / "photos" / f"{name}.png")
    steps = {"batch": 2, "checkpoint_every_minutes": 0, "validate_every_minutes": 9}
    phases = {"together": {**steps, "steps": 3}, "apart": {**steps, "steps": 4}}
    recipe = TrainingRecipe.model_validate(
        {"minutes": 1, "network": {"vae": SMALL, "image_gan": 0, "width": 4}, "phases": phases}
    )
    monkeypatch.setattr(train_vae, "read_recipe", lambda *_: recipe)

    def run(out: str, *, resume: bool = False) -> Path:
        torch.manual_seed(0)  # what a network starts from; the rest has its own seeds
        how = {"workers": 0, "resume": resume, "seed": 3}
        return train_vae.train(TrainRequest((tmp_path / "photos",), tmp_path / out, **how))

    whole = vae.load(run("whole"))
    told, calls = train_vae.VaeTask.loss, []

    def stopping(task: VaeTask, net: nn.Module, batch: Any) -> Any:
        calls.append(task.apart)
        if calls.count(True) == 3:
            raise KeyboardInterrupt
        return told(task, net, batch)

    monkeypatch.setattr(train_vae.VaeTask, "loss", stopping)
    with pytest.raises(KeyboardInterrupt):
        run("parts")
    calls.append(True)  # no further stop
    parts = vae.load(run("parts", resume=True))
    assert calls == [False] * 3 + [True] * 3 + [True] + [True] * 2  # two of four steps were left
    for name, value in whole.state_dict().items():
        assert torch.equal(value, parts.state_dict()[name]), name


def test_pairs_are_marked_hidden_and_sometimes_sound() -> None:
    x, y, mask = held_pairs(Domains(coarse_noise()), 24)
    assert x.shape == y.shape == (24, 3, CROP, CROP)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    sound = (x == y).flatten(1).all(1)
    assert not mask[sound].any()
    assert not sound.all()


def test_folders_named_real_are_the_old_photographs(tmp_path: Path) -> None:
    from PIL import Image

    for folder in ("clean", "real-album"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (120, 100), "gray").save(tmp_path / folder / "a.png")
    domains = Domains.read([tmp_path / "clean", tmp_path / "real-album"])
    assert domains.real is not None and "real-album" in domains.real.names[0]
    assert domains.real_old(np.random.default_rng(0)).shape == (CROP, CROP, 3)
    assert Domains.read([tmp_path / "clean"]).real is None
    with pytest.raises(UsageError, match="needs clean photographs"):
        Domains.read([tmp_path / "real-album"])


def test_the_diffusion_learns_blur_and_noise_before_the_rest() -> None:
    file = Path(vae.__file__).with_name("training.toml")
    for machine in ("cpu", "gpu"):
        request = TrainRequest((), Path(), recipe=machine)
        phases = read_recipe(file, "triplet-diffusion-s", request).phases
        assert list(phases) == list(train_diffusion._DAMAGE) == ["blur-noise", "whole"]
    first = BridgeTask(Domains(coarse_noise()), vae.tiny(), BridgeGame({"channels": 4}), FIRST)
    pairs = [first.sample(np.random.default_rng(i)) for i in range(12)]
    assert not any(mask.any() for _, _, mask in pairs)  # nothing structural
    assert np.mean([np.array_equal(x, y) for x, y, _ in pairs]) < 0.5
    everything = BridgeTask(Domains(coarse_noise()), vae.tiny(), BridgeGame({"channels": 4}))
    assert any(everything.sample(np.random.default_rng(i))[2].any() for i in range(12))


@pytest.mark.parametrize("recipe", ["cpu", "gpu"])
def test_recipes_build_their_networks(recipe: str, tmp_path: Path) -> None:
    file = Path(vae.__file__).with_name("training.toml")
    request = TrainRequest(data=(), out=tmp_path, recipe=recipe)
    games = {
        "triplet-vae-s": (VaeGame, {"together", "apart"}),
        "triplet-mapping-s": (MappingGame, {"whole"}),
        "triplet-diffusion-s": (BridgeGame, {"blur-noise", "whole"}),
    }
    for name, (game, phases) in games.items():
        found = read_recipe(file, name, request)
        assert set(found.phases) == phases
        game(**found.network)


def test_training_leaves_files_that_load_and_can_be_started_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    for module in ("train_vae", "train_mapping"):
        monkeypatch.setattr(f"oldfix_triplet.{module}._HELD", 8)
    (tmp_path / "photos").mkdir()
    for name, image in coarse_noise().groups[0]:
        Image.fromarray(image).save(tmp_path / "photos" / f"{name}.png")
    data = (tmp_path / "photos",)

    def run(name: str, train: Any, **how: Any) -> Path:
        request = TrainRequest(data, tmp_path / name, minutes=1e-4, workers=0, **how)
        return train(request)

    pair = run("triplet-vae-s", train_vae.train)
    figures = json.loads(pair.with_suffix(".json").read_text())["figures"]
    assert figures["before_psnr_clean"] > 15
    assert 0 <= figures["after_domains_told_apart"] <= 1
    mapped = run("triplet-mapping-s", train_mapping.train)
    bridged = run("triplet-diffusion-s", train_diffusion.train)
    assert (
        count_parameters(vae.load(pair))
        + count_parameters(mapping.load(mapped))
        + count_parameters(bridge.load(bridged))
        < 4e6
    )
    again = run("again", train_vae.train, init=pair)
    assert vae.load(again).config["channels"] == 16
    assert json.loads(again.with_suffix(".json").read_text())["run"]["minutes"] == 1e-4
    assert [folder.name for folder in again.parent.iterdir() if folder.is_dir()] == ["apart"]
    with pytest.raises(UsageError, match="does not fit this network"):
        run("wrong", train_mapping.train, init=pair)
