"""Train the two face networks; each function is what a card names in ``train``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from oldfix import UsageError, write_network
from oldfix.training import Settings, TrainRequest, fit
from oldfix_faces.detector_net import load_published_mobile
from oldfix_faces.detector_task import DetectorTask
from oldfix_faces.refiner_net import config_small
from oldfix_faces.refiner_task import RefinerTask, read_faces


def train_refiner(request: TrainRequest) -> Path:
    """Train the 256-pixel face refiner.

    Args:
        request: ``data`` are folders of aligned faces (FFHQ template, square).

    Returns:
        ``gfpgan-256-oldfix.safetensors`` in ``request.out``, with figures in a JSON beside it.
    """
    task = RefinerTask(read_faces(request.data))
    settings = Settings(batch=4, learning_rate=8e-4, warmup=60, ema=0.995)
    net = fit(task, settings, request)
    path = request.out / "gfpgan-256-oldfix.safetensors"
    return _write(path, net, config_small(), task.validate(net))


def train_detector(request: TrainRequest) -> Path:
    """Train the small face detector by distillation.

    Args:
        request: ``data`` are, in this order: a folder of aligned faces, a folder of photographs
            of people, folders of photographs of places, and anywhere among them the teacher:
            facexlib's ``detection_mobilenet0.25_Final.pth``.

    Returns:
        ``retinaface-mobile0.25-oldfix.safetensors`` in ``request.out``, with figures beside it.

    Raises:
        UsageError: the teacher or a folder is missing.
    """
    teachers = [path for path in request.data if path.suffix == ".pth"]
    folders = [path for path in request.data if path.suffix != ".pth"]
    if len(teachers) != 1 or len(folders) < 3:
        raise UsageError(
            f"training data: got {len(folders)} folders and {len(teachers)} .pth files; give "
            "folders of aligned faces, people and places, and the teacher's .pth file"
        )
    faces, people, *places = folders
    task = DetectorTask(faces, people, places, load_published_mobile(teachers[0]))
    settings = Settings(batch=16, learning_rate=3e-3, warmup=40, ema=0.99, clip=5.0)
    net = fit(task, settings, request)
    path = request.out / "retinaface-mobile0.25-oldfix.safetensors"
    return _write(path, net, {"network": "mobile0.25"}, task.validate(net))


def _write(
    path: Path, net: torch.nn.Module, config: dict[str, Any], figures: Mapping[str, float]
) -> Path:
    write_network(path, net, config=config)
    path.with_suffix(".json").write_text(json.dumps(dict(figures), indent=2))
    return path
