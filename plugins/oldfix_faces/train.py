"""Train the two face networks; each function is what a card names in ``train``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from oldfix import UsageError
from oldfix.training import PhotoPool, TrainRequest, fit, publish, read_recipe
from oldfix_faces.detector_net import load_published_mobile
from oldfix_faces.detector_task import DetectorTask
from oldfix_faces.landmark_net import LandmarkNet
from oldfix_faces.landmark_task import LandmarkTask, read_known_faces
from oldfix_faces.refiner_net import FaceRefiner, build, config_small, load
from oldfix_faces.refiner_task import Part, RefinerTask, read_faces
from oldfix_faces.train_after import train_after_restoring
from oldfix_faces.train_published import train_as_published
from oldfix_faces.transfer import train_from_restorer

REFINER, DETECTOR = "gfpgan-256-oldfix", "retinaface-mobile0.25-oldfix"
GFPGAN, LANDMARKS = "gfpgan-s", "landmarks-s"
_RECIPES = Path(__file__).with_name("training.toml")


def train_refiner(request: TrainRequest) -> Path:
    """Train the 256-pixel face refiner: from the start, or from or after the restorer.

    Args:
        request: ``data`` are folders of aligned faces (FFHQ template, square).

    Returns:
        ``gfpgan-256-oldfix.safetensors`` in ``request.out``, with figures beside it.

    Raises:
        UsageError: the recipe goes on with a network, and ``init`` names none, or one without a
            head.
    """
    recipe = read_recipe(_RECIPES, REFINER, request)
    if "transfer" in recipe.phases:
        return train_from_restorer(request, recipe, REFINER)
    if "after" in recipe.phases:
        return train_after_restoring(request, recipe, REFINER)
    pool = read_faces(request.data)
    if recipe.goes_on and request.init is not None:
        net, asked = with_head(request.init), replace(request, init=None)
    else:
        net, asked = build({**config_small(), **recipe.network}), request
    for name, phase in recipe.phases.items():
        task = RefinerTask(pool, net, part=cast(Part, name))
        net = fit(task, phase.settings, recipe.part(asked, name))
    figures = task.validate(net)
    return publish(net, request, REFINER, recipe=recipe, figures=figures, photographs=pool)


def with_head(file: Path) -> FaceRefiner:
    """Load a refiner whose head can be trained on, of whatever size.

    Raises:
        UsageError: it has no head.
    """
    net = load(file)
    if net.detail is None:
        raise UsageError(f"{file}: has no head to train on; name a refiner that has one by --init")
    net.detail.requires_grad_(True)
    return net


def train_gfpgan(request: TrainRequest) -> Path:
    """Train GFP-GAN as published, small or at its size; see `train_as_published`.

    Args:
        request: ``data`` are folders of aligned faces (FFHQ template, square).

    Returns:
        ``gfpgan-s.safetensors`` in ``request.out``, with figures beside it.
    """
    return train_as_published(request, read_recipe(_RECIPES, GFPGAN, request), GFPGAN)


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
    recipe = read_recipe(_RECIPES, DETECTOR, request)
    task = DetectorTask(faces, people, places, load_published_mobile(teachers[0]))
    net = fit(task, recipe.phases["whole"].settings, recipe.part(request, "whole"))
    photographs = PhotoPool.read(folders)
    figures = task.validate(net)
    return publish(net, request, DETECTOR, recipe=recipe, figures=figures, photographs=photographs)


def train_landmarks(request: TrainRequest) -> Path:
    """Train the network that places the landmarks of a face that was found.

    Args:
        request: ``data`` are a folder of faces and a table of their landmarks (CSV; see
            `landmark_task.read_known_faces`).

    Returns:
        ``landmarks-s.safetensors`` in ``request.out``, with figures beside it.

    Raises:
        UsageError: the folder or the table is missing, or does not fit the other.
    """
    tables = [path for path in request.data if path.suffix == ".csv"]
    folders = [path for path in request.data if path.suffix != ".csv"]
    if len(folders) != 1 or len(tables) != 1:
        raise UsageError(
            f"training data: got {len(folders)} folders and {len(tables)} .csv files; give one "
            "folder of faces and one table of their landmarks"
        )
    recipe = read_recipe(_RECIPES, LANDMARKS, request)
    task = LandmarkTask(read_known_faces(tables[0], folders[0]), LandmarkNet(**recipe.network))
    net = fit(task, recipe.phases["whole"].settings, recipe.part(request, "whole"))
    photographs, figures = PhotoPool.read(folders), task.validate(net)
    return publish(net, request, LANDMARKS, recipe=recipe, figures=figures, photographs=photographs)
