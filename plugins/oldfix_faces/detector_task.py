"""Training of the small face detector by distillation: scenes, teacher, loss and measure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix.degrade import age
from oldfix.training import PhotoPool
from oldfix_faces.anchors import Found, decode, distinct, overlaps
from oldfix_faces.detector_net import FaceDetector
from oldfix_faces.scenes import Portrait, Scenes

Array = NDArray[np.float32]

SCENE_PX = 256
_GREY, _SOUND = 0.75, 0.3
#: The teacher's score from which a face counts as truth when measuring, and its smallest side.
_TRUE, _SMALLEST_PX = 0.7, 16.0
_VALIDATION_SCENES = 64
_THRESHOLDS = tuple(i / 20 for i in range(4, 19))


class DetectorTask:
    """Teaches a `FaceDetector` to see in an aged scene what a teacher sees in the clean one.

    The student has the teacher's anchors, so every anchor has a target, also where nobody
    labelled anything. Nothing of the teacher's weights goes into the student.

    Args:
        faces: folder of aligned faces.
        people: folder of photographs of people; every fifth is kept for validation.
        places: folders of photographs to paste faces into.
        teacher: the network to learn from.
    """

    def __init__(
        self, faces: Path, people: Path, places: Sequence[Path], teacher: FaceDetector
    ) -> None:
        self.net: nn.Module = student()
        self.teacher = teacher.eval().requires_grad_(False)
        train, held = PhotoPool.read([people]).split(every=5)
        aligned = _images(PhotoPool.read([faces], min_side=128))
        grounds = _images(PhotoPool.read(places))
        self.scenes = Scenes(aligned, self.portraits(train), grounds, SCENE_PX)
        kept = Scenes(aligned[::97], self.portraits(held), grounds, SCENE_PX)
        self.held = [
            self.aged(rng, kept.photographed(rng) if index % 4 else kept.draw(rng))
            for index in range(_VALIDATION_SCENES)
            if (rng := np.random.default_rng([1, index]))
        ]
        self.truth = [self.found(self.teacher, clean, _TRUE) for clean, _ in self.held]

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """Return (clean, aged), each (SCENE_PX, SCENE_PX, 3) uint8 RGB."""
        return self.aged(rng, self.scenes.draw(rng))

    def aged(
        self, rng: np.random.Generator, scene: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Age a scene, most of the time to grey first; some stay sound."""
        image = scene.astype(np.float32) / np.float32(255)
        if rng.random() < _GREY:
            image = np.repeat(image @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
        if rng.random() >= _SOUND:
            image = age(image, rng=rng, recipe="face" if rng.random() < 0.15 else "old-photo").image
        return scene, np.round(image * 255).astype(np.uint8)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Distil every anchor: its face probability, and box and points where there is a face."""
        clean, aged = batch
        assert isinstance(net, FaceDetector)
        with torch.no_grad():
            wanted = self.teacher.to(clean.device).values(clean)
        return distillation(net.values(aged), wanted)

    def validate(self, net: nn.Module) -> Mapping[str, float]:
        """Best F1 over thresholds against the teacher on the clean scenes, with its parts."""
        assert isinstance(net, FaceDetector)
        found = [self.found(net, aged, min(_THRESHOLDS)) for _, aged in self.held]
        rows = [measure(found, self.truth, threshold) for threshold in _THRESHOLDS]
        best = max(rows, key=lambda row: row["score"])
        return best

    def portraits(self, pool: PhotoPool) -> list[Portrait]:
        """Find the faces of photographs; those without a face are left out."""
        found = [(image, self.found(self.teacher, image, 0.8).boxes) for image in _images(pool)]
        return [Portrait(image, boxes) for image, boxes in found if len(boxes)]

    def found(self, net: FaceDetector, image: NDArray[np.uint8], threshold: float) -> Found:
        """Run a detector over a picture (H, W, 3) uint8."""
        height, width = image.shape[:2]
        padded = np.pad(image, ((0, -height % 32), (0, -width % 32), (0, 0)), mode="edge")
        tensor = torch.from_numpy(padded.transpose(2, 0, 1)[None].copy()).float() / 255
        with torch.no_grad():
            folded = net(tensor)[0].float().numpy().transpose(1, 2, 0)
        return distinct(decode(folded, threshold))


def student() -> FaceDetector:
    """The small network with random weights that says "no face" everywhere to begin with."""
    net = FaceDetector("mobile0.25")
    for head in net.retinaface.ClassHead:
        with torch.no_grad():
            head.conv1x1.bias.copy_(torch.tensor([2.3, -2.3]).repeat(len(head.conv1x1.bias) // 2))
    return net


def distillation(values: Tensor, wanted: Tensor) -> tuple[Tensor, Mapping[str, float | Tensor]]:
    """Loss of a student's values (N, anchors, 15) under a teacher's.

    Quality focal loss for the probability (Li et al., "Generalized Focal Loss", NeurIPS 2020,
    equation 4, beta = 2), smooth L1 for boxes and points weighted by the teacher's probability.
    """
    truth = torch.sigmoid(wanted[..., 4])
    logit = values[..., 4]
    focus = (truth - torch.sigmoid(logit)).square()
    share = truth * (truth > 0.3)
    faces = share.sum().clamp(min=1.0)
    score = (focus * F.binary_cross_entropy_with_logits(logit, truth, reduction="none")).sum()
    away = F.smooth_l1_loss(values, wanted, reduction="none") * share[..., None]
    parts = {
        "probability": score / faces,
        "box": away[..., :4].sum() / faces,
        "points": away[..., 5:].sum() / faces,
    }
    total = 4 * parts["probability"] + 0.5 * parts["box"] + 0.3 * parts["points"]
    return total, {name: value.detach() for name, value in parts.items()}


def measure(found: Sequence[Found], truth: Sequence[Found], threshold: float) -> dict[str, float]:
    """Precision and recall of boxes at an overlap of 0.5, and F1 as "score".

    Faces smaller than 16 pixels count neither as missed nor as wrong.
    """
    hits = misses = wrong = 0
    for candidates, theirs in zip(found, truth, strict=True):
        mine = candidates[candidates.scores >= threshold]
        overlap = overlaps(theirs.boxes, mine.boxes) >= 0.4
        large = _sides(theirs.boxes) >= _SMALLEST_PX
        hit = overlap.any(axis=1)
        hits += int((hit & large).sum())
        misses += int((~hit & large).sum())
        wrong += int((~overlap.any(axis=0) & (_sides(mine.boxes) >= _SMALLEST_PX)).sum())
    precision, recall = hits / max(1, hits + wrong), hits / max(1, hits + misses)
    score = 2 * precision * recall / max(1e-9, precision + recall)
    return {"score": score, "precision": precision, "recall": recall, "threshold": threshold}


def _sides(boxes: Array) -> Array:
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0), np.float32)


def _images(pool: PhotoPool) -> list[NDArray[np.uint8]]:
    return [image for group in pool.groups for _, image in group]
