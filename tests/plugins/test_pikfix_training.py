"""Training of Pik-Fix: samples, the published losses by hand, and a tiny run that resumes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from oldfix import UsageError, read_network, write_network
from oldfix.degrade import Recipe
from oldfix.training import PhotoPool, Settings, TrainRequest, fit
from oldfix_colorize import losses, tasks
from oldfix_colorize.adversary import Adversary
from oldfix_colorize.histogram import ColourHistogram
from oldfix_colorize.net import PikFix, tiny
from oldfix_colorize.samples import Views, colourful
from oldfix_colorize.tasks import ColourTask, Game, JointTask, RestorationTask, Weights
from oldfix_colorize.train import train


@pytest.fixture(autouse=True)
def few_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validate on four samples instead of many: what is tested does not hang on their number."""
    monkeypatch.setattr(tasks, "_VALIDATED", 4)
    monkeypatch.setattr(tasks, "_PRIOR_SAMPLES", 8)


def scene(seed: int, height: int = 150, width: int = 160) -> np.ndarray:
    small = np.random.default_rng(seed).random((5, 6, 3), np.float32)
    return np.clip(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def pool(count: int = 24) -> PhotoPool:
    pictures = [(f"{i}.png", np.uint8(scene(i) * 255)) for i in range(count)]
    return PhotoPool((tuple(pictures),))


# Losses ----------------------------------------------------------------------------------------


def random_planes(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_ssim_is_that_of_wang():
    x, y = random_planes(1, 1, 40, 50), random_planes(1, 1, 40, 50, seed=1)
    y = 0.6 * x + 0.4 * y
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    _, plane = structural_similarity(
        x[0, 0].numpy(), y[0, 0].numpy(), data_range=1.0, full=True, **how
    )
    expected = plane[5:-5, 5:-5].mean()
    assert float(losses.ssim(x, y)) == pytest.approx(expected, abs=1e-4)
    assert float(losses.ssim(x, x)) == pytest.approx(1)


def test_reconstruction_of_a_shift():
    x = random_planes(2, 1, 20, 20)
    assert float(losses.reconstruction(x, x)) == pytest.approx(0, abs=1e-5)
    flat = torch.full((1, 1, 16, 16), 0.5)
    one, two, c1 = 0.5, 0.7, 0.01**2
    similar = (2 * one * two + c1) / (one**2 + two**2 + c1)
    expected = 2 * 0.2 + 1 - similar
    assert float(losses.reconstruction(flat, flat + 0.2)) == pytest.approx(expected, abs=1e-4)


def test_earth_mover_counts_how_far_mass_is_moved():
    one, near, far = (torch.zeros(1, 1, 10) for _ in range(3))
    one[..., 2], near[..., 3], far[..., 6] = 1, 1, 1
    assert float(losses.earth_mover(one, one)) == 0
    assert float(losses.earth_mover(one, near)) == pytest.approx(1 / 10)
    assert float(losses.earth_mover(one, far)) == pytest.approx(4 / 10)
    both = torch.cat([one, one], dim=1), torch.cat([near, far], dim=1)
    assert float(losses.earth_mover(*both)) == pytest.approx(5 / 10)


def test_histogram_loss_of_a_picture_that_is_one_colour():
    histogram = ColourHistogram()
    apart = 20 * histogram.width
    one = torch.full((1, 2, 6, 6), float(histogram.centres[120]))
    other = one + torch.tensor([apart, 0]).view(1, 2, 1, 1)
    soft = histogram.total(one)[0, 0].cumsum(0) - histogram.total(other)[0, 0].cumsum(0)
    told = float(losses.histogram_loss(histogram, one, other))
    assert told == pytest.approx(float(soft.square().mean()), rel=1e-5)
    assert told == pytest.approx(20 / 256, rel=0.1)  # but for the soft edges of the bins


def test_near_is_squared_first_and_straight_later():
    def at(value: float) -> float:
        error = torch.zeros(1, 2, 1, 1)
        error[0, 0] = value
        return float(losses.near(error, 0.1))

    assert at(0.01) == pytest.approx(0.01**2 / 0.2, rel=0.01)
    assert at(3.0) == pytest.approx(3 - 0.1, rel=0.01)
    assert at(0.3) == pytest.approx(math.hypot(0.3, 0.1) - 0.1)


def test_roughness_does_not_see_a_cast():
    error = random_planes(1, 2, 6, 6)
    assert float(losses.roughness(torch.full_like(error, 0.4))) == 0
    torch.testing.assert_close(losses.roughness(error + 0.4), losses.roughness(error))
    stripe = torch.zeros(1, 1, 2, 4)
    stripe[..., 2:] = 0.3
    assert float(losses.roughness(stripe)) == pytest.approx(0.1)


def test_game_on_chroma_is_wassersteins():
    torch.manual_seed(0)
    game = Adversary(8).eval()
    light, true = random_planes(1, 1, 16, 16), random_planes(1, 2, 16, 16, seed=1)
    made = random_planes(1, 2, 16, 16, seed=2).requires_grad_(True)
    fooling, caught = game(light, made, true)
    score = game.judge(torch.cat([light, made], 1)).mean()
    best = game.judge(torch.cat([light, true], 1)).mean()
    torch.testing.assert_close(fooling, -score)
    torch.testing.assert_close(caught, 0.02 * (score - best))
    fooling.backward()
    assert made.grad is not None and made.grad.abs().max() > 0
    assert all(p.grad is None for p in game.judge.parameters())


# Samples ---------------------------------------------------------------------------------------


def test_samples_are_seeded_and_carry_true_chroma():
    views = Views(pool(), size=32, with_reference=1, foreign=0, jittered=0)
    first, again = (views.draw(np.random.default_rng(4)) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert first.light.shape == first.target.shape == (32, 32, 1)
    assert first.chroma.shape == (32, 32, 2) and first.same == 1
    assert first.reference.shape == (32, 32, 4) and (first.reference[..., 3] == 1).all()
    assert all(plane.dtype == np.float32 for plane in first)


def test_samples_without_a_reference_have_none():
    sample = Views(pool(), size=32, with_reference=0).draw(np.random.default_rng(0))
    assert not sample.reference.any() and sample.same == 0


def test_foreign_references_are_told_from_those_of_the_scene():
    views = Views(pool(), size=32, with_reference=1, foreign=1)
    assert all(views.draw(np.random.default_rng(seed)).same == 0 for seed in range(5))


@pytest.mark.parametrize("damage", ["ageing", "pik-fix"])
def test_damage_keeps_the_geometry_where_colour_is_learnt(damage):
    recipe = Views(pool(), damage=damage).recipe
    assert isinstance(recipe, Recipe)
    assert {step.group for step in recipe.step} <= {"tone", "texture", "structure"}
    light = Views(pool(), size=48, damage=damage).draw(np.random.default_rng(1)).light
    assert light.shape == (48, 48, 1) and light.min() >= 0 and light.max() <= 1


def test_grey_photographs_teach_nothing():
    grey = np.repeat(np.uint8(scene(0)[..., :1] * 255), 3, axis=2)
    mixed = PhotoPool(((*pool(3).groups[0], ("grey.png", grey)),))
    assert colourful(mixed).names == pool(3).names
    with pytest.raises(UsageError, match="none of the 1 photographs has colours"):
        colourful(PhotoPool(((("grey.png", grey),),)))


# Tiny runs -------------------------------------------------------------------------------------


def stacked(task, count: int = 4) -> tuple[torch.Tensor, ...]:
    rng = np.random.default_rng(0)
    columns = zip(*(task.sample(rng) for _ in range(count)), strict=True)
    tensors = (torch.from_numpy(np.ascontiguousarray(np.stack(column))) for column in columns)
    return tuple(t.permute(0, 3, 1, 2) if t.ndim == 4 else t for t in tensors)


@pytest.mark.parametrize(
    ("kind", "level", "steps"),
    [(RestorationTask, 0.75, 30), (ColourTask, 0.85, 20), (JointTask, 0.85, 20)],
)
def test_a_few_steps_of_training_lower_the_loss(kind, level, steps):
    torch.manual_seed(0)
    net = tiny().train()
    task = kind(net, pool(), size=64)
    batch = stacked(task)
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 3e-3)
    told = []
    for _ in range(steps):
        loss, _ = task.loss(net, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        told.append(loss.item())
    assert told[-1] < level * told[0]
    with torch.inference_mode():
        figures = task.validate(net.eval())
    assert math.isfinite(figures["score"])


def test_a_phase_trains_its_own_sub_networks_only():
    net = tiny()
    RestorationTask(net, pool(), size=64)
    assert all(p.requires_grad for p in net.restoration.parameters())
    assert not any(p.requires_grad for p in net.colorization.parameters())
    ColourTask(net, pool(), size=64)
    assert not any(p.requires_grad for p in net.restoration.parameters())
    assert all(p.requires_grad for p in net.similarity.features.parameters())
    JointTask(net, pool(), size=64)
    assert all(p.requires_grad for p in net.parameters())


def test_a_weight_of_zero_leaves_a_term_out():
    net = tiny()
    batch = stacked(ColourTask(net, pool(), size=64), 2)
    bare = Weights(near=0, rough=0, classes=0, warped=0, published=0, histogram=0)
    task = ColourTask(net, pool(), size=64, weights=bare)
    assert task.loss(net, batch)[0].item() == 0


def test_the_last_stage_may_be_a_game():
    net = tiny()
    task = JointTask(net, pool(), size=64, weights=Weights(adversarial=0.5))
    assert isinstance(task.net, Game) and task.net.system is net
    loss, _ = task.loss(task.net, stacked(task, 2))
    loss.backward()
    assert ColourTask(net, pool(), size=64, weights=Weights(adversarial=0.5)).net is net
    judge = list(task.net.adversary.parameters())
    assert all(p.grad is not None for p in judge) and net.restoration.last.weight.grad is not None


def test_training_resumes_to_the_same_network(tmp_path: Path):
    settings = Settings(
        batch=2, steps=4, autocast=False, checkpoint_every_minutes=0, validate_every_minutes=9
    )
    request = TrainRequest((), tmp_path / "whole", workers=0)

    def run(request: TrainRequest, stop_at: int = 99) -> dict[str, torch.Tensor]:
        task, losses_of = ColourTask(tiny(), pool(), size=64), ColourTask.loss
        calls: list[int] = []

        def loss(net, batch):
            calls.append(1)
            if len(calls) == stop_at:
                raise KeyboardInterrupt
            return losses_of(task, net, batch)

        task.loss = loss
        return fit(task, settings, request).state_dict()

    whole = run(request)
    halved = replace(request, out=tmp_path / "halved")
    with pytest.raises(KeyboardInterrupt):
        run(halved, stop_at=3)
    resumed = run(replace(halved, resume=True))
    for name, tensor in whole.items():
        torch.testing.assert_close(resumed[name], tensor, msg=name)


def test_all_phases_end_in_one_file(tmp_path: Path, monkeypatch):
    for number, photo in enumerate(pool().groups[0]):
        cv2.imwrite(str(tmp_path / f"{number:02}.png"), photo[1])
    small = {"restoration": {"widths": [8, 8], "blocks": [1, 1], "layers": 1}}
    describer = {"branch": 4, "inner": [4] * 4, "residuals": 1}
    small |= {"similarity": {"width": 4, "describer": describer, "bins": 32}}
    small |= {"colorization": {"width": 8, "growth": [8, 8], "layers": 1, "bins": 32}}
    recipe = "[pikfix-s.cpu]\nminutes = 1\n"
    recipe += f"network = {_inline(small)}\n"
    for name in ("colour", "restoration", "joint"):
        recipe += f"[pikfix-s.cpu.phases.{name}]\nshare = 0.3\nbatch = 2\nsteps = 1\n"
    (tmp_path / "training.toml").write_text(recipe)
    monkeypatch.setattr("oldfix_colorize.train._RECIPES", tmp_path / "training.toml")
    request = TrainRequest((tmp_path,), tmp_path / "run", workers=0)
    config, _ = read_network(train(request))
    assert config["colorization"]["width"] == 8
    other = tmp_path / "other.safetensors"
    write_network(other, PikFix(), config={})
    with pytest.raises(UsageError, match="does not fit"):
        train(replace(request, init=other))


def _inline(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_inline(v)}" for k, v in value.items()) + "}"
    return str(value)
