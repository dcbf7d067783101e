"""Training of the landmark network on aged close-ups of faces whose landmarks are known."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix import UsageError
from oldfix.degrade import age
from oldfix_faces.align import MIRRORED, crop_face
from oldfix_faces.landmark_net import SIDE, LandmarkNet, close_up, expected, eye_distance

Array = NDArray[np.float32]
Rng = np.random.Generator

_POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
#: How wrong the detector may be: shift in eye distances, log of scale, turn in degrees, and each
#: point by itself in eye distances (standard deviations).
_SHIFT, _SCALE, _TURN_DEG, _POINT = 0.12, 0.14, 9.0, 0.08
_GREY = 0.6
_KEPT_EVERY = 20
_VALIDATION = 600


@dataclass(frozen=True, eq=False)
class KnownFace:
    """A picture (H, W, 3) uint8 and its five landmarks, (5, 2) in its pixels."""

    image: NDArray[np.uint8]
    points: NDArray[np.float64]


def read_known_faces(table: Path, folder: Path) -> list[KnownFace]:
    """Read the faces of a folder that a table lists.

    Args:
        table: CSV with a column ``file`` (a path relative to the table) and the columns ``X_x``
            and ``X_y`` for X in left_eye, right_eye, nose, mouth_left, mouth_right, in pixels.
        folder: only pictures in it are read.

    Raises:
        UsageError: the table is not of this kind, or lists no picture of the folder.
    """
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{table}: cannot be read ({error}); give a table in UTF-8") from error
    wanted = [f"{name}_{axis}" for name in _POINTS for axis in "xy"]
    if not rows or not {"file", *wanted} <= set(rows[0]):
        raise UsageError(f"{table}: is no table of landmarks; its columns must be file, {wanted}")
    faces = []
    for row in rows:
        path = table.parent / row["file"]
        if folder.resolve() in path.resolve().parents:
            image = cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)
            if image is None:
                raise UsageError(f"{path}: listed in {table}, cannot be read as a picture")
            try:
                points = np.array([float(row[name]) for name in wanted]).reshape(5, 2)
            except (TypeError, ValueError) as error:
                raise UsageError(
                    f"{table}: the landmarks of {row['file']} are no numbers ({error}); correct it"
                ) from error
            faces.append(KnownFace(np.asarray(image, np.uint8), points))
    if len(faces) < _KEPT_EVERY:
        raise UsageError(f"{table}: lists {len(faces)} pictures of {folder}; give {_KEPT_EVERY}")
    return faces


@dataclass
class LandmarkTask:
    """Close-ups as a detector would cut them in, where the landmarks are in them out.

    Attributes:
        faces: faces to learn from; every twentieth is kept for validation.
        net: what is trained.
        count: number of examples, made once.
    """

    faces: Sequence[KnownFace]
    net: LandmarkNet
    count: int = 24_000

    def __post_init__(self) -> None:
        kept = self.faces[_KEPT_EVERY - 1 :: _KEPT_EVERY]
        train = [face for i, face in enumerate(self.faces) if (i + 1) % _KEPT_EVERY]
        self._validation = _examples(kept, min(self.count, _VALIDATION), seed=7)
        self._training = _examples(train, self.count, seed=8)

    def sample(self, rng: Rng) -> tuple[NDArray[Any], ...]:
        """Return a close-up (64, 64, 3) uint8, half of them mirrored, and its offsets (10,)."""
        index = int(rng.integers(self.count))
        crop, offsets = (part[index] for part in self._training)
        if rng.random() < 0.5:
            return crop, offsets.ravel()
        return np.ascontiguousarray(crop[:, ::-1]), mirrored(offsets).ravel()

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Mean distance of the five points, in eye distances."""
        crops, offsets = batch
        away = distances(net(crops).flatten(1), offsets).mean()
        return away, {"distance": away.detach()}

    def validate(self, net: nn.Module) -> Mapping[str, float]:
        """Mean distance of the points in eye distances: as the close-up was cut, and found."""
        crops, offsets = (torch.from_numpy(part) for part in self._validation)
        with torch.no_grad():
            found = net(crops.permute(0, 3, 1, 2).float() / 255).float().flatten(1)
        offsets = offsets.flatten(1)
        away = float(distances(found, offsets).mean())
        before = float(distances(torch.zeros_like(offsets), offsets).mean())
        return {"score": -away, "before": before, "after": away}


def distances(found: Tensor, offsets: Tensor) -> Tensor:
    """Distance of each point, (N, 5), of two (N, 10)."""
    return ((found - offsets).unflatten(1, (5, 2)).square().sum(2) + 1e-6).sqrt()


def mirrored(offsets: Array) -> Array:
    """Offsets (5, 2) of the mirrored face."""
    return np.ascontiguousarray(offsets[MIRRORED] * np.array([-1, 1], np.float32))


def _examples(faces: Sequence[KnownFace], count: int, seed: int) -> tuple[NDArray[Any], ...]:
    """Close-ups (count, 64, 64, 3) uint8 and offsets (count, 5, 2) float32."""
    rng = np.random.default_rng(seed)
    crops = np.empty((count, SIDE, SIDE, 3), np.uint8)
    offsets = np.empty((count, 5, 2), np.float32)
    for index in range(count):
        crop, offsets[index] = make_example(faces[int(rng.integers(len(faces)))], rng)
        crops[index] = np.round(np.clip(crop, 0, 1) * 255)
    return crops, offsets


def make_example(face: KnownFace, rng: Rng) -> tuple[Array, Array]:
    """Cut a close-up by landmarks as wrong as a detector's, and age it.

    Returns:
        (64, 64, 3) float32, and the true offsets from `expected` (5, 2), in eye distances.
    """
    alignment = close_up(disturbed(face.points, rng))
    crop = crop_face(face.image.astype(np.float32) / np.float32(255), alignment)
    found = (alignment.to_crop(face.points) - expected()) / eye_distance()
    return aged(np.clip(crop, 0, 1), rng), found.astype(np.float32)


def disturbed(points: NDArray[np.float64], rng: Rng) -> NDArray[np.float64]:
    """Move, scale and turn landmarks together, and each a little by itself."""
    far = float(np.linalg.norm(points[0] - points[1]))
    turn = np.deg2rad(rng.normal(0, _TURN_DEG))
    factor = np.exp(rng.normal(0, _SCALE)) * np.array([np.cos(turn), np.sin(turn)])
    rotation = np.array([[factor[0], -factor[1]], [factor[1], factor[0]]])
    middle = points.mean(axis=0)
    moved = (points - middle) @ rotation.T + middle + rng.normal(0, _SHIFT * far, 2)
    return np.asarray(moved + rng.normal(0, _POINT * far, points.shape))


def aged(crop: Array, rng: Rng) -> Array:
    """Most close-ups are grey, some small in the photograph, most of them damaged."""
    if rng.random() < _GREY:
        crop = np.repeat(crop @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
    if rng.random() < 0.5:
        small = round(SIDE * rng.uniform(0.3, 0.9))
        crop = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
    kind = rng.random()
    if kind < 0.75:
        crop = age(crop, rng=rng, recipe="face" if kind < 0.15 else "old-photo").image
    if crop.shape[0] != SIDE:
        crop = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return np.asarray(crop, np.float32)
