"""Train the refiner's head on faces as a pipeline hands them over: restored already."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from oldfix import IMAGE, Photo, Pipeline, Plan, Runner, Step, UsageError, discover
from oldfix.training import (
    PhotoPool,
    TrainingRecipe,
    TrainRequest,
    fit,
    installed_network,
    publish,
)
from oldfix_faces.refiner_net import FaceRefiner, load
from oldfix_faces.refiner_task import Pair, RefinerTask, measured, read_faces, to_bytes

_log = logging.getLogger("oldfix.training")
#: The stage that restores whole photographs before their faces are refined.
_BEFORE = "restore-diffusion"
#: Restored faces that are made once, what part of the examples they are, and their seed.
_EXAMPLES, _SHARE, _SEED = 1000, 0.5, 1
#: How far the trained weights are moved back towards those they started from.
_BACK = 0.5


def train_after_restoring(request: TrainRequest, recipe: TrainingRecipe, name: str) -> Path:
    """Train the head of the installed refiner on, on restored faces and on faces as found.

    Args:
        request: ``init`` is a network without a head, to be put beneath that head instead of
            gfpgan's network in the installed refiner.
        recipe: its only phase is "after".
        name: card of the refiner.

    Raises:
        WeightsError: the refiner, or what the stage before it needs, is not installed, or
            ``init`` is no refiner.
        UsageError: ``init`` has a head of its own.
    """
    pool = read_faces(request.data)
    shipped = installed_network(discover().cards[name])
    assert isinstance(shipped, FaceRefiner)
    net = shipped if request.init is None else under_head(load(request.init), shipped)
    assert net.detail is not None
    net.detail.requires_grad_(True)
    before = start_of(net, request)
    task = RestoredTask(pool, net, device=request.device)
    settings = recipe.phases["after"].settings
    _log.info("before training: %s", dict(task.validate(net)))
    best = fit(task, settings, replace(recipe.part(request, "after"), init=None))
    assert isinstance(best, FaceRefiner)
    _log.info("after training: %s", dict(task.validate(best)))
    move_back(best, before)
    figures = {**task.validate(best), "without gfpgan": task.without_gfpgan(best)}
    return publish(best, request, name, recipe=recipe, figures=figures, photographs=pool)


def start_of(net: FaceRefiner, request: TrainRequest) -> dict[str, torch.Tensor]:
    """The tensors that a run began with, which it is moved back to even if it was interrupted."""
    file = request.out / "start.safetensors"
    if request.resume and file.is_file():
        return dict(load_file(file))
    request.out.mkdir(parents=True, exist_ok=True)
    save_file(net.state_dict(), file)
    return {name: value.clone() for name, value in net.state_dict().items()}


def under_head(gfpgan: FaceRefiner, headed: FaceRefiner) -> FaceRefiner:
    """Put a network without a head beneath the head of another, which does not see it yet.

    Raises:
        UsageError: it has a head, which would be lost.
    """
    if gfpgan.detail is not None:
        raise UsageError(
            "train: --init has a head of its own; name a network without one, or leave it out"
        )
    net = FaceRefiner(**{**gfpgan.config, "detail": headed.config["detail"]})
    assert net.detail is not None and headed.detail is not None
    net.gfpgan.load_state_dict(gfpgan.gfpgan.state_dict())
    net.detail.load_state_dict(headed.detail.state_dict())
    with torch.no_grad():
        entry = net.detail.entry.weight
        entry[:, entry.shape[1] // 2 :] = 0  # the planes of the coarse correction
    net.eval()
    return net


def move_back(net: FaceRefiner, before: Mapping[str, torch.Tensor]) -> None:
    """Move a network's weights half-way back to those that its training started from.

    Half-way between the two a network keeps most of what either does best (Wortsman et al.,
    "Robust fine-tuning of zero-shot models", CVPR 2022).

    Args:
        net: changed in place.
        before: the state it started from.
    """
    with torch.no_grad():
        for name, value in net.state_dict().items():
            if value.is_floating_point():
                value.lerp_(before[name].to(value), _BACK)


def restored(pairs: Iterable[Pair], device: str) -> list[Pair]:
    """Run the stage before over the damaged faces of pairs."""
    plan = Pipeline((Step(_BEFORE),), "restored faces").plan(discover(), given=(IMAGE,))
    with Runner(device=device) as runner:
        return [(_run(runner, plan, damaged), target) for damaged, target in pairs]


class RestoredTask(RefinerTask):
    """`RefinerTask` for the head, half of whose faces were restored before.

    Args:
        pool: aligned faces on the FFHQ template.
        net: the network; its head is trained.
        examples: number of restored faces, made once.
        device: that restores them.
    """

    def __init__(
        self, pool: PhotoPool, net: FaceRefiner, examples: int = _EXAMPLES, device: str = "cpu"
    ) -> None:
        super().__init__(pool, net, part="finish")
        _log.info("restoring %d faces, which is not part of the time box", examples)
        rng = np.random.default_rng(_SEED)
        drawn = [super(RestoredTask, self).sample(rng) for _ in range(examples)]
        self.restored, self.held_restored = restored(drawn, device), restored(self.held, device)

    def sample(self, rng: np.random.Generator) -> Pair:
        """Return (damaged or restored, target), each (size, size, 3) uint8 RGB."""
        if rng.random() < _SHARE:
            return self.restored[int(rng.integers(len(self.restored)))]
        return super().sample(rng)

    def validate(self, net: torch.nn.Module) -> Mapping[str, float]:
        """PSNR of held-out faces as found and restored, before and after; "score" is the mean."""
        found, after = measured(net, self.held), measured(net, self.held_restored)
        return {
            "score": (found["score"] + after["score"]) / 2,
            **{f"found_{name}": value for name, value in found.items()},
            **{f"restored_{name}": value for name, value in after.items()},
        }

    def without_gfpgan(self, net: torch.nn.Module) -> float:
        """The score if gfpgan's network said nothing: what the head does alone."""
        assert isinstance(net, FaceRefiner)
        return self.validate(_HeadAlone(net))["score"]


class _HeadAlone(torch.nn.Module):  # type: ignore[misc]
    def __init__(self, net: FaceRefiner) -> None:
        super().__init__()
        self.net = net

    def forward(self, faces: torch.Tensor) -> torch.Tensor:
        return self.net.finish(faces, torch.zeros_like(faces))


def _run(runner: Runner, plan: Plan, damaged: NDArray[np.uint8]) -> NDArray[np.uint8]:
    photo = Photo.from_array(damaged.astype(np.float32) / np.float32(255))
    return to_bytes(runner.run(plan, photo)[IMAGE])
