"""Scenes to train a detector on: faces of many sizes in plausible surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

#: Sides of faces in a scene, in pixels; larger ones are found on smaller views.
FACE_SIDES = (16.0, 170.0)
#: The face's box is about this part of an aligned picture's side.
_FACE_IN_PICTURE = 0.55
_MOST_PASTED = 7


@dataclass(frozen=True, eq=False)
class Portrait:
    """A photograph of people: pixels (H, W, 3) and its faces' boxes (N, 4)."""

    image: Bytes
    boxes: NDArray[np.float32]


@dataclass(frozen=True)
class Scenes:
    """Makes square scenes.

    Attributes:
        faces: aligned faces, each (side, side, 3).
        portraits: photographs of people, each with at least one face.
        places: photographs to paste faces into, or to show without.
        size: side of a scene, in pixels.
    """

    faces: Sequence[Bytes]
    portraits: Sequence[Portrait]
    places: Sequence[Bytes]
    size: int

    def draw(self, rng: np.random.Generator) -> Bytes:
        """Return a scene (size, size, 3): of a photograph, composed, or without pasted faces."""
        kind = rng.random()
        if kind < 0.45:
            return self.photographed(rng)
        place = self.place(rng)
        return place if kind > 0.9 else self.composed(rng, place)

    def photographed(self, rng: np.random.Generator) -> Bytes:
        """Cut a window around a face of a photograph, at a random scale and a little turned.

        Where the photograph ends, a place shows, as in an album.
        """
        portrait = self.portraits[int(rng.integers(len(self.portraits)))]
        box = portrait.boxes[int(rng.integers(len(portrait.boxes)))]
        scale = side_of_face(rng) / float(max(box[2:] - box[:2]))
        # A photograph shrunk below the window would be mostly border.
        scale = max(scale, 0.6 * self.size / max(portrait.image.shape[:2]))
        centre = (float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2)
        matrix = cv2.getRotationMatrix2D(centre, float(rng.normal(0, 8)), scale)
        matrix[:, 2] += rng.uniform(0.15, 0.85, 2) * self.size - centre
        return mirrored(rng, warp(portrait.image, matrix, scale, self.place(rng)))

    def place(self, rng: np.random.Generator) -> Bytes:
        """Cut a window out of a photograph of a place."""
        image = self.places[int(rng.integers(len(self.places)))]
        scale = self.size / min(image.shape[:2]) * float(rng.uniform(1, 2))
        height, width = (scale * n for n in image.shape[:2])
        matrix = np.array([[scale, 0, 0], [0, scale, 0]], np.float64)
        matrix[:, 2] = -rng.uniform(0, [max(1, width - self.size), max(1, height - self.size)])
        window = np.zeros((self.size, self.size, 3), np.uint8)
        return mirrored(rng, warp(image, matrix, scale, window))

    def composed(self, rng: np.random.Generator, place: Bytes) -> Bytes:
        """Paste aligned faces into a place, largest behind, without much overlap."""
        scene = place.astype(np.float32)
        sides = sorted(side_of_face(rng) for _ in range(int(rng.integers(1, _MOST_PASTED))))
        if rng.random() < 0.4:  # a group: all about as large
            sides = [float(sides[0] * rng.uniform(0.85, 1.15)) for _ in sides]
        taken: list[tuple[float, float, float]] = []
        for side in reversed(sides):
            spot = free_spot(rng, taken, side, self.size)
            if spot is not None:
                taken.append((*spot, side))
                face = self.faces[int(rng.integers(len(self.faces)))]
                paste(rng, scene, face, spot, side / _FACE_IN_PICTURE)
        return np.clip(np.round(scene), 0, 255).astype(np.uint8)


def side_of_face(rng: np.random.Generator) -> float:
    """Draw a face's side, log-uniform over `FACE_SIDES`."""
    low, high = np.log(FACE_SIDES)
    return float(np.exp(rng.uniform(low, high)))


def warp(image: Bytes, matrix: NDArray[np.float64], scale: float, under: Bytes) -> Bytes:
    """Warp onto a square window; averaged down first where that would alias.

    Args:
        image: (H, W, C).
        matrix: (2, 3), from image to window.
        scale: window pixels per image pixel.
        under: (side, side, C) what shows beside the image. Changed.
    """
    if scale < 0.7:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        matrix = matrix.copy()
        factor = np.array([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]])
        matrix[:, 2] += matrix[:, :2] @ (0.5 * factor - 0.5)
        matrix[:, :2] *= factor
        image = np.asarray(small, np.uint8)
    warped = cv2.warpAffine(
        image,
        matrix,
        under.shape[1::-1],
        dst=under,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    return np.asarray(warped, np.uint8)


def mirrored(rng: np.random.Generator, image: Bytes) -> Bytes:
    """Mirror half of the time."""
    return np.ascontiguousarray(image[:, ::-1]) if rng.random() < 0.5 else image


def free_spot(
    rng: np.random.Generator, taken: list[tuple[float, float, float]], side: float, size: int
) -> tuple[float, float] | None:
    """Find a centre whose face overlaps none that is there; None after a few tries."""
    low, high = min(0.4 * side, size / 2), max(size - 0.4 * side, size / 2)
    for _ in range(8):
        x, y = rng.uniform(low, high, 2)
        if all(max(abs(x - a), abs(y - b)) > 0.55 * (side + other) for a, b, other in taken):
            return float(x), float(y)
    return None


def paste(
    rng: np.random.Generator,
    scene: NDArray[np.float32],
    face: Bytes,
    spot: tuple[float, float],
    width: float,
) -> None:
    """Paste an aligned face with a soft border of random shape; changes ``scene``."""
    side = face.shape[0]
    scale = width / side
    centre = ((side - 1) / 2,) * 2
    matrix = cv2.getRotationMatrix2D(centre, float(rng.normal(0, 10)), scale)
    matrix[:, 2] += np.subtract(spot, centre)
    matte = (soft_border(rng, side) * 255).astype(np.uint8)[..., None]
    layers = np.concatenate([mirrored(rng, face), matte], axis=2)
    under = np.zeros((*scene.shape[:2], 4), np.uint8)
    layer = warp(layers, matrix, scale, under).astype(np.float32)
    scene += layer[..., 3:] / 255 * (layer[..., :3] - scene)


def soft_border(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """Return an opacity (side, side): an ellipse or a rounded square, softly ending inside."""
    y, x = np.mgrid[:side, :side].astype(np.float32) / (side - 1) * 2 - 1
    power = float(rng.choice([2.0, 3.0, 8.0]))
    radius = (np.abs(x / rng.uniform(0.75, 0.95)) ** power + np.abs(y / 0.95) ** power) ** (
        1 / power
    )
    softness = float(rng.uniform(0.04, 0.3))
    return np.asarray(np.clip((1 - radius) / softness, 0, 1), np.float32)
