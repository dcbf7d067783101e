"""The refiner's head trained on faces that were restored before, above any network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from oldfix import UsageError, write_network
from oldfix.training import PhotoPool, TrainRequest, read_recipe
from oldfix_faces import train, train_after
from oldfix_faces.refiner_net import FaceRefiner, tiny, tiny_published
from oldfix_faces.refiner_task import Pair
from oldfix_faces.train_after import RestoredTask, move_back, start_of, under_head


def faces(*, requires_grad: bool = False) -> torch.Tensor:
    drawn = torch.rand(2, 3, 128, 128, generator=torch.Generator().manual_seed(2))
    return drawn.requires_grad_(requires_grad)


def pool(size: int) -> PhotoPool:
    pictures = np.random.default_rng(0).integers(0, 256, (20, size, size, 3), dtype=np.uint8)
    return PhotoPool((tuple((str(n), picture) for n, picture in enumerate(pictures)),))


def headed() -> FaceRefiner:
    """A residual refiner whose head is not at its start."""
    net = tiny()
    assert net.detail is not None
    torch.nn.init.normal_(net.detail.exit.weight, std=0.05)
    return net


@torch.no_grad()
def test_a_new_head_does_not_see_the_network_beneath_it_yet() -> None:
    donor, painted = headed(), tiny_published()
    net = under_head(painted, donor)
    assert donor.detail is not None and net.detail is not None
    alone = donor.detail(faces(), torch.zeros_like(faces()))
    torch.testing.assert_close(net(faces()), alone)
    assert alone.abs().mean() > 1e-3


def test_a_head_is_not_lost_without_a_word() -> None:
    with pytest.raises(UsageError, match="has a head of its own"):
        under_head(headed(), headed())


@torch.no_grad()
def test_a_painted_face_reaches_the_head_as_a_correction() -> None:
    net = under_head(tiny_published(), headed())
    assert net.detail is not None
    small = torch.nn.functional.avg_pool2d(faces(), 4)
    painted, _ = net.gfpgan(small * 2 - 1, randomize_noise=False)
    correction = net.coarse(faces())[-1]
    wanted = ((painted + 1) / 2).clamp(0, 1) - small
    torch.testing.assert_close(
        torch.nn.functional.avg_pool2d(correction, 4), wanted, atol=0.2, rtol=0.2
    )
    before = net(faces())
    torch.nn.init.normal_(net.detail.entry.weight, std=0.1)
    assert (net(faces()) - before).abs().mean() > 1e-3


def test_trained_weights_are_moved_half_of_the_way_back() -> None:
    start, trained = headed(), headed()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(1.0)
    end = {name: value.clone() for name, value in trained.state_dict().items()}
    move_back(trained, start.state_dict())
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(value, (start.state_dict()[name] + end[name]) / 2, msg=name)


def test_a_run_that_goes_on_is_moved_back_to_where_it_began(tmp_path: Path) -> None:
    began, other = headed(), headed()
    torch.nn.init.ones_(other.detail.exit.bias)  # type: ignore[union-attr]
    asked = TrainRequest((), tmp_path / "run")
    start_of(began, asked)
    found = start_of(other, replace(asked, resume=True))
    assert found.keys() == began.state_dict().keys()
    for name, value in began.state_dict().items():
        assert torch.equal(found[name], value), name


def test_half_of_the_faces_were_restored_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def marked(pairs: list[Pair], device: str) -> list[Pair]:
        assert device == "cuda:7"
        return [(np.zeros_like(damaged), target) for damaged, target in pairs]

    monkeypatch.setattr(train_after, "restored", marked)
    task = RestoredTask(pool(128), headed(), examples=3, device="cuda:7")
    rng = np.random.default_rng(1)
    share = np.mean([not task.sample(rng)[0].any() for _ in range(60)])
    assert 0.3 < share < 0.7
    figures = task.validate(task.net)
    found, after = figures["found_score"], figures["restored_score"]
    assert figures["score"] == pytest.approx((found + after) / 2)
    assert figures["restored_input"] < figures["found_input"]
    assert task.without_gfpgan(task.net) != figures["score"]


def test_faces_are_restored_by_the_stage_that_runs_before() -> None:
    rng = np.random.default_rng(0)
    target = np.full((64, 64, 3), 128, np.uint8)
    damaged = np.clip(target + rng.normal(0, 20, target.shape), 0, 255).astype(np.uint8)
    [(result, same)] = train_after.restored([(damaged, target)], "cpu")
    assert same is target
    assert np.abs(result - 128.0).mean() < 0.7 * np.abs(damaged - 128.0).mean()


def test_what_goes_on_with_a_head_takes_one_of_any_size(tmp_path: Path) -> None:
    file = tmp_path / "refiner.safetensors"
    small = under_head(tiny_published(), headed())
    write_network(file, small, config=small.config)
    net = train.with_head(file)
    assert net.config == small.config and net.detail is not None
    assert all(parameter.requires_grad for parameter in net.detail.parameters())
    painter = tiny_published()
    write_network(file, painter, config=painter.config)
    with pytest.raises(UsageError, match="has no head to train on"):
        train.with_head(file)
    with pytest.raises(UsageError, match=r"'finish' goes on with a network .* --init"):
        train.train_refiner(TrainRequest((), tmp_path / "run", recipe="finish"))


def test_the_recipe_has_one_phase(tmp_path: Path) -> None:
    file = Path(train.__file__).with_name("training.toml")
    recipe = read_recipe(file, train.REFINER, TrainRequest((), tmp_path, recipe="after"))
    assert list(recipe.phases) == ["after"] and not recipe.network
