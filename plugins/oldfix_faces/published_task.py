"""The tasks of GFP-GAN's training: what a batch is, and how far the network has come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix.degrade import Recipe, age, load_recipe
from oldfix.evaluation.metrics import psnr
from oldfix.training import PhotoPool
from oldfix_faces import published_losses as losses
from oldfix_faces.games import PriorGame, RestorationGame
from oldfix_faces.refiner_task import Array, refined, to_bytes

#: The recipe's ranges are for faces of this size; which of its parameters are lengths.
_RANGES_PX, _LENGTHS, _RATIOS = 256, ("sigma_px",), ("factor",)
_HELD, _THUMBNAIL = 32, 8


class Faces:
    """Aligned faces for training, and some kept for validation.

    Args:
        pool: aligned faces on the FFHQ template; every 20th is kept.
        size: of the faces that a network sees, in pixels.
    """

    def __init__(self, pool: PhotoPool, size: int) -> None:
        train, held = pool.split(every=20)
        self.size = size
        self.train = [image for group in train.groups for _, image in group]
        self.held = [image for group in held.groups for _, image in group][:_HELD]
        self.recipe = scaled(load_recipe("face-gfpgan"), size / _RANGES_PX)

    def draw(self, rng: np.random.Generator) -> Array:
        """A sound face, mirrored half of the time: (size, size, 3) float32."""
        face = self.sized(self.train[int(rng.integers(len(self.train)))])
        return np.ascontiguousarray(face[:, ::-1]) if rng.random() < 0.5 else face

    def sized(self, face: NDArray[np.uint8]) -> Array:
        """A face at the size of the network."""
        how = cv2.INTER_AREA if face.shape[0] > self.size else cv2.INTER_CUBIC
        square: Array = cv2.resize(face, (self.size, self.size), interpolation=how)
        return square.astype(np.float32) / np.float32(255)

    def damaged(self, rng: np.random.Generator, face: Array) -> tuple[Array, Array]:
        """A face with the published damage, and the face that should become of it."""
        aged = age(face, rng=rng, recipe=self.recipe)
        return aged.image, aged.target


class PriorTask:
    """Teaches a refiner's decoder what faces look like."""

    def __init__(self, faces: Faces, game: PriorGame) -> None:
        self.faces, self.net = faces, game

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """Return a face, (size, size, 3) uint8."""
        return (to_bytes(self.faces.draw(rng)),)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """See `PriorGame.forward`."""
        value: tuple[Tensor, Mapping[str, float | Tensor]] = net(_signed(batch[0]))
        return value

    def validate(self, net: nn.Module) -> Mapping[str, float]:
        """How far the thumbnails of drawn faces are from those of real ones.

        For each of 8 x 8 x 3 values the distance between its distributions over faces
        (Wasserstein-1, of values in [-1, 1]), and of these the mean.
        """
        assert isinstance(net, PriorGame)
        real = torch.from_numpy(np.stack([self.faces.sized(face) for face in self.faces.held]))
        real = real.permute(0, 3, 1, 2) * 2 - 1
        made, _ = net.faces(len(real), noise=False)
        thumbnails = [
            F.adaptive_avg_pool2d(faces.float().cpu(), _THUMBNAIL).flatten(1).sort(dim=0).values
            for faces in (real, made)
        ]
        distance = float((thumbnails[0] - thumbnails[1]).abs().mean())
        return {"score": -distance}


class RestorationTask:
    """Teaches a refiner to restore faces.

    Args:
        faces: to train on.
        game: the refiner and its judges.
        identity: tells people apart, or None.
        perceptual: basicsr's perceptual and style loss, or None.
    """

    def __init__(
        self,
        faces: Faces,
        game: RestorationGame,
        *,
        identity: nn.Module | None = None,
        perceptual: nn.Module | None = None,
    ) -> None:
        self.faces, self.net = faces, game
        # Not parts of the game: they are neither trained nor averaged, nor ever in training mode.
        self.identity, self.perceptual = identity, perceptual
        self.held = [
            self.faces.damaged(np.random.default_rng(number), self.faces.sized(face))
            for number, face in enumerate(self.faces.held)
        ]

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """Return (damaged, target), each (size, size, 3) uint8."""
        damaged, target = self.faces.damaged(rng, self.faces.draw(rng))
        return to_bytes(damaged), to_bytes(target)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """See `RestorationGame.forward`; with the terms of the networks that are installed."""
        damaged, target = (_signed(part) for part in batch)
        assert isinstance(net, RestorationGame)
        total, image, figures = net(damaged, target)
        if self.identity is not None:
            same = self.unlike(self.identity.to(image.device), image, target)
            total = total + net.weights["identity"] * same
            figures = {**figures, "identity": same.detach()}
        if self.perceptual is not None:
            likeness, style = self.perceptual.to(image.device)(image, target)
            total = total + likeness + style
            figures = {**figures, "perceptual": (likeness + style).detach()}
        return total, figures

    @staticmethod
    def unlike(identity: nn.Module, image: Tensor, target: Tensor) -> Tensor:
        """L1 between the identity network's numbers of refined and true faces."""
        with torch.no_grad():
            wanted = identity(losses.grey_for_identity(target))
        return F.l1_loss(identity(losses.grey_for_identity(image)), wanted)

    def validate(self, net: nn.Module) -> Mapping[str, float]:
        """PSNR of held-out faces, and of the damaged faces as they came."""
        assert isinstance(net, RestorationGame)
        pairs = [(refined(net.refiner, damaged), damaged, target) for damaged, target in self.held]
        after = float(np.mean([psnr(image, target) for image, _, target in pairs]))
        before = float(np.mean([psnr(damaged, target) for _, damaged, target in pairs]))
        return {"score": after, "input": before}


def scaled(recipe: Recipe, factor: float) -> Recipe:
    """Return a recipe whose lengths and reductions fit faces of ``factor`` times the size."""
    steps = []
    for step in recipe.step:
        values = dict(step.parameters)
        for name, value in values.items():
            if name in _LENGTHS:
                ends = {"low": value.low * factor, "high": value.high * factor}
            elif name in _RATIOS:
                ends = {"high": max(value.low, value.high * factor)}
            else:
                continue
            values[name] = value.model_copy(update=ends)
        steps.append(step.model_copy(update={"parameters": values}))
    return recipe.model_copy(update={"step": tuple(steps)})


def _signed(faces: Tensor) -> Tensor:
    """[0, 1] to [-1, 1], in the memory layout that StyleGAN2 wants."""
    return (faces * 2 - 1).contiguous()
