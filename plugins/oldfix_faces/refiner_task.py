"""Training of the face refiner: samples, loss and measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from oldfix.degrade import age
from oldfix.evaluation.metrics import psnr
from oldfix.training import PhotoPool, charbonnier
from oldfix_faces.refiner_net import FaceRefiner

Array = NDArray[np.float32]
#: A damaged face and the sound one, each (size, size, 3) uint8.
Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]
Part = Literal["head", "whole", "finish"]

#: How often damage is that of the recipe "face", else "old-photo-no-tone"; and how often grey.
_FACE_RECIPE, _GREY = 0.75, 0.5
#: How far a detector's landmarks may be off: shift and size as parts of the crop, and degrees.
_SHIFT, _SIZE, _TURN = 0.03, 0.06, 6.0
#: How often a face lies exactly on the template, so that nothing has softened the target.
_EXACT = 0.5
#: Side of the window that "finish" looks through, where its corner may lie, as parts of the
#: face's side (left, top), and what it must be a multiple of: the head's coarsest position.
_WINDOW, _LEFT, _TOP, _GRID = 5 / 8, (1 / 16, 5 / 16), (1 / 8, 3 / 8), 16
#: Weight of the PSNR in the loss. It counts a face with little damage like one with much.
_DECIBELS: Mapping[Part, float] = {"head": 0.002, "whole": 0.002, "finish": 0.006}
_VALIDATION_FACES = 32


class RefinerTask:
    """Teaches a `FaceRefiner` to undo damage on aligned faces.

    Args:
        pool: aligned faces on the FFHQ template; every 20th is kept for validation.
        net: the network to train; one that paints faces only in the part "finish".
        part: what is trained. "head": the head alone, as if gfpgan's network added nothing,
            which is true of a fresh one and three times as fast. "whole": everything. "finish":
            the head alone on what gfpgan's network gives as it is, seen through a window around
            the middle of the face, since that is where a refiner is used.
    """

    def __init__(self, pool: PhotoPool, net: FaceRefiner, *, part: Part = "whole") -> None:
        self.net: torch.nn.Module = net
        net.gfpgan.requires_grad_(part == "whole")
        self.part = part
        self.size = net.size
        train, held = pool.split(every=20)
        self.faces = [image for group in train.groups for _, image in group]
        kept = [image for group in held.groups for _, image in group]
        step = max(1, len(kept) // _VALIDATION_FACES)
        self.held = [
            self.damaged(np.random.default_rng(index), image, recipe="face")
            for index, image in enumerate(kept[::step][:_VALIDATION_FACES])
        ]

    def sample(self, rng: np.random.Generator) -> Pair:
        """Return (damaged, target), each (size, size, 3) uint8 RGB."""
        face = self.faces[int(rng.integers(len(self.faces)))]
        recipe = "face" if rng.random() < _FACE_RECIPE else "old-photo-no-tone"
        return self.damaged(rng, face, recipe=recipe)

    def damaged(self, rng: np.random.Generator, face: NDArray[np.uint8], *, recipe: str) -> Pair:
        """Displace a face as a detector would, make half of them grey, and age it."""
        image = displaced(rng, face, self.size)
        if rng.random() < _GREY:
            image = np.repeat(image @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
        aged = age(image, rng=rng, recipe=recipe)
        return to_bytes(aged.image), to_bytes(aged.target)

    def loss(
        self, net: torch.nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Charbonnier and gradient loss of the face, its PSNR, and L1 of the U-Net's pyramid."""
        damaged, target = batch
        wanted = (target - damaged).contiguous()
        assert isinstance(net, FaceRefiner)
        if self.part == "finish":
            view = window(damaged.shape[-1])
            *sides, image = [finished(net, damaged, view).float()]
            wanted = wanted[view].contiguous()
        else:
            *sides, image = (output.float() for output in self.outputs(net, damaged))
        error = image - wanted
        decibels = 10 * (error.square().mean(dim=(1, 2, 3)) + 1e-5).log10().mean()
        pixels = charbonnier(error).mean()
        total = pixels + 0.5 * gradient_loss(image, wanted) + _DECIBELS[self.part] * decibels
        pyramid = sum(
            (F.l1_loss(side, F.adaptive_avg_pool2d(wanted, side.shape[-1])) for side in sides),
            torch.zeros((), device=image.device),
        )
        figures = {"pixels": pixels.detach(), "psnr": -decibels.detach()}
        return total + 0.05 * pyramid, {**figures, "pyramid": pyramid.detach()}

    def outputs(self, net: FaceRefiner, damaged: Tensor) -> list[Tensor]:
        """What the part in training gives, the finished correction last."""
        if self.part == "whole":
            return net.pyramid(damaged)
        assert net.detail is not None
        return [net.detail(damaged, torch.zeros_like(damaged))]

    def validate(self, net: torch.nn.Module) -> Mapping[str, float]:
        """PSNR of held-out faces, and of the damaged faces as they came."""
        return measured(net, self.held)


def measured(net: torch.nn.Module, pairs: Sequence[Pair]) -> Mapping[str, float]:
    """PSNR of refined faces ("score") and of the damaged ones ("input")."""
    before, after = [], []
    for damaged, target in pairs:
        image, truth = ((part / np.float32(255)).astype(np.float32) for part in (damaged, target))
        before.append(psnr(image, truth))
        after.append(psnr(refined(net, image), truth))
    return {"score": float(np.mean(after)), "input": float(np.mean(before))}


def refined(net: torch.nn.Module, image: Array) -> Array:
    """Run a refiner over one aligned face (size, size, 3) and add its correction."""
    faces = torch.from_numpy(image.transpose(2, 0, 1)[None].copy())
    with torch.no_grad():
        correction = net(faces.to(next(net.parameters()).device))[0].float().cpu()
    return np.asarray(np.clip(image + correction.numpy().transpose(1, 2, 0), 0, 1), np.float32)


def window(size: int) -> tuple[Any, ...]:
    """Draw the window through which "finish" sees faces of ``size`` pixels, as an index."""
    starts = []
    for low, high in (_TOP, _LEFT):
        cells = int(low * size) // _GRID, int(high * size) // _GRID
        starts.append(_GRID * int(torch.randint(cells[0], cells[1] + 1, ())))
    side = max(_GRID, int(_WINDOW * size) // _GRID * _GRID)
    rows, columns = (slice(start, start + side) for start in starts)
    return np.s_[:, :, rows, columns]


def finished(net: FaceRefiner, damaged: Tensor, view: tuple[Any, ...]) -> Tensor:
    """Return the correction within a window; only the head sees the gradient."""
    with torch.no_grad():
        coarse = net.coarse(damaged)[-1][view]
    return net.finish(damaged[view], coarse)


def displaced(rng: np.random.Generator, face: NDArray[np.uint8], size: int) -> Array:
    """Mirror, turn, scale and shift a square face a little; (size, size, 3) float32.

    A part of the faces is only mirrored, if they have the right size.
    """
    if face.shape[0] == size and rng.random() < _EXACT:
        exact = face[:, ::-1] if rng.random() < 0.5 else face
        return exact.astype(np.float32) / np.float32(255)
    scale = size / face.shape[0] * (1 + rng.uniform(-_SIZE, _SIZE))
    matrix = cv2.getRotationMatrix2D(
        ((face.shape[0] - 1) / 2,) * 2, float(rng.uniform(-_TURN, _TURN)), scale
    )
    centre = (size - 1) / 2 - (face.shape[0] - 1) / 2
    matrix[:, 2] += centre + rng.uniform(-_SHIFT, _SHIFT, 2) * size
    if rng.random() < 0.5:
        face = np.ascontiguousarray(face[:, ::-1])
    warped: Array = cv2.warpAffine(
        face, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return warped.astype(np.float32) / np.float32(255)


def to_bytes(image: Array) -> NDArray[np.uint8]:
    """Round [0, 1] to 8 bits."""
    return np.round(image * 255).astype(np.uint8)


def gradient_loss(image: Tensor, target: Tensor) -> Tensor:
    """L1 between the horizontal and vertical differences of neighbouring pixels."""
    return sum(
        (F.l1_loss(image.diff(dim=axis), target.diff(dim=axis)) for axis in (2, 3)),
        torch.zeros((), device=image.device),
    )


def read_faces(folders: Sequence[Path]) -> PhotoPool:
    """Read aligned faces of at least 192 pixels; smaller ones would teach blur."""
    return PhotoPool.read(folders, min_side=192)
