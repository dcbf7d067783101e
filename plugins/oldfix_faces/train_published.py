"""GFP-GAN's training as published: the prior, then restoration with adversaries."""

from __future__ import annotations

import logging
from pathlib import Path

from oldfix.training import TrainingRecipe, TrainRequest, fit, publish
from oldfix_faces.games import PriorGame, RestorationGame, start_near_identity
from oldfix_faces.judges import identity_network, perceptual_loss
from oldfix_faces.published_task import Faces, PriorTask, RestorationTask
from oldfix_faces.refiner_net import PUBLISHED, FaceRefiner
from oldfix_faces.refiner_task import read_faces

_log = logging.getLogger("oldfix.training")


def train_as_published(request: TrainRequest, recipe: TrainingRecipe, name: str) -> Path:
    """Train a refiner of any size by the published objective.

    Args:
        request: ``data`` are folders of aligned faces (FFHQ template, square).
        recipe: phases "prior" and "restoration". Of ``network``, "gfpgan" are arguments of
            ``GFPGANv1Clean`` where they differ from the published ones, "prior" and "game" those
            of the two games, "identity" is the card of an identity network.
        name: of the file written.

    Returns:
        The network's safetensors file in ``request.out``; its figures say which terms were left
        out because their networks are not installed.
    """
    chosen = recipe.network
    pool = read_faces(request.data)
    refiner = FaceRefiner(residual=False, **{**PUBLISHED, **chosen.get("gfpgan", {})})
    faces = Faces(pool, refiner.size)
    refiner = _with_prior(refiner, faces, request, recipe)
    start_near_identity(refiner)
    identity, perceptual = identity_network(chosen.get("identity", "auto")), perceptual_loss()
    off = _left_out({"identity": identity, "perceptual and style": perceptual})
    game = RestorationGame(refiner, **chosen.get("game", {}))
    task = RestorationTask(faces, game, identity=identity, perceptual=perceptual)
    settings = recipe.phases["restoration"].settings
    best = fit(task, settings, recipe.part(request, "restoration"))
    assert isinstance(best, RestorationGame)
    figures = {**task.validate(best), "losses left out": off}
    return publish(best.refiner, request, name, recipe=recipe, figures=figures, photographs=pool)


def _with_prior(
    refiner: FaceRefiner, faces: Faces, request: TrainRequest, recipe: TrainingRecipe
) -> FaceRefiner:
    """Train the decoder, if the recipe has a phase for it, and return the refiner with it."""
    if "prior" not in recipe.phases:
        return refiner
    game = PriorGame(refiner, **recipe.network.get("prior", {}))
    # Only the decoder takes part; the rest has no gradient and stays as it is.
    refiner.requires_grad_(False)
    refiner.gfpgan.stylegan_decoder.requires_grad_(True)
    best = fit(
        PriorTask(faces, game), recipe.phases["prior"].settings, recipe.part(request, "prior")
    )
    assert isinstance(best, PriorGame)
    trained: FaceRefiner = best.refiner.requires_grad_(True)
    return trained


def _left_out(networks: dict[str, object | None]) -> str:
    """Name the terms whose networks are not there, and tell of them."""
    missing = [term for term, network in networks.items() if network is None]
    if missing:
        _log.warning("training without %s: no network for it is installed", " and ".join(missing))
    return ", ".join(missing) or "none"
