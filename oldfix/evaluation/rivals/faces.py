"""Published face detectors; faces come back in pixels of the picture."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from oldfix import compat
from oldfix.evaluation.facecounts import POSSIBLE, matches
from oldfix.evaluation.rivals import nets
from oldfix.keys import Face

if TYPE_CHECKING:
    import torch

Image = NDArray[np.float32]
Detector = Callable[[Image], tuple[Face, ...]]
#: The longer side of what a detector is given lies between these.
SMALLEST_SIDE, LARGEST_SIDE = 640, 1600
#: Sizes, relative to that, over which the judge's landmarks are averaged.
_VIEWS = (0.7, 0.85, 1.2, 1.4)


def open_retinaface(files: Sequence[Path], device: torch.device) -> Detector:
    """facexlib's RetinaFace mobile0.25, with the package's own pre- and postprocessing."""
    look = _retinaface(files, device)
    return lambda image: look(image, 1.0)


def open_judge(files: Sequence[Path], device: torch.device) -> Detector:
    """The same detector, its landmarks averaged over pictures of five sizes.

    From one size to the next its landmarks move by about a twentieth of the eye distance.
    """
    look = _retinaface(files, device)

    def run(image: Image) -> tuple[Face, ...]:
        faces = look(image, 1.0)
        points = {id(face): [face.points] for face in faces}
        for size in _VIEWS:
            for other, face in matches(look(image, size), faces):
                points[id(face)].append(other.points)
        return tuple(replace(face, points=np.mean(points[id(face)], axis=0)) for face in faces)

    return run


def _retinaface(
    files: Sequence[Path], device: torch.device
) -> Callable[[Image, float], tuple[Face, ...]]:
    """The network as a function of a picture and the relative size at which it is looked at."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's, of the way facexlib calls it
        kind = compat.load("facexlib.detection.retinaface:RetinaFace")
        net = kind(network_name="mobile0.25", device=device)
    net.load_state_dict(nets.read_state(files[0], device))
    net.eval().requires_grad_(False)

    def look(image: Image, size: float) -> tuple[Face, ...]:
        pixels, scale = _view(image, size)
        found = net.detect_faces(pixels, conf_threshold=POSSIBLE)
        return tuple(_face(row[:4], row[4], row[5:15], scale) for row in found)

    return look


def open_yunet(files: Sequence[Path], device: torch.device) -> Detector:
    """YuNet by OpenCV's own detector class, scores from 0.7."""
    net = cv2.FaceDetectorYN.create(str(files[0]), "", (320, 320), 0.7, 0.3, 5000)

    def run(image: Image) -> tuple[Face, ...]:
        pixels, scale = _view(image)
        net.setInputSize((pixels.shape[1], pixels.shape[0]))
        found = net.detect(pixels)[1]
        rows = np.zeros((0, 15), np.float32) if found is None else found
        rows[:, 2:4] += rows[:, :2]
        return tuple(_face(row[:4], row[14], row[4:14], scale) for row in rows)

    return run


def _view(image: Image, size: float = 1.0) -> tuple[NDArray[np.uint8], float]:
    """The picture as 8-bit BGR at a size that detectors are made for, and its scale."""
    longest = max(image.shape[:2])
    scale = min(max(longest, SMALLEST_SIDE), LARGEST_SIDE) * size / longest
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=how)
    return np.ascontiguousarray(np.rint(scaled[..., ::-1] * 255).astype(np.uint8)), scale


def _face(
    box: NDArray[np.float32], score: float, points: NDArray[np.float32], scale: float
) -> Face:
    """A face in pixels of the picture, whose centres lie at integers."""
    x0, y0, x1, y1 = ((value + 0.5) / scale - 0.5 for value in box.tolist())
    placed = (points.reshape(5, 2) + 0.5) / scale - 0.5
    return Face((x0, y0, x1, y1), min(float(score), 1.0), placed.astype(np.float32))
