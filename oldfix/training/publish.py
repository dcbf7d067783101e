"""What a finished training leaves: the network, its figures, and a card that tells of both."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w
import torch
from safetensors import SafetensorError

from oldfix.checkout import commit
from oldfix.engine.tensors import write_network
from oldfix.errors import EnvironmentProblem, FileError
from oldfix.files import write_text
from oldfix.training.pool import PhotoPool
from oldfix.training.recipes import TrainingRecipe
from oldfix.training.settings import TrainRequest


def publish(
    net: torch.nn.Module,
    request: TrainRequest,
    name: str,
    *,
    recipe: TrainingRecipe,
    figures: Mapping[str, Any],
    photographs: PhotoPool,
) -> Path:
    """Write ``NAME.safetensors`` with how it came about, into the folder of the run.

    ``NAME.json`` holds the figures and the facts of the run. Where the request has a card,
    ``NAME.card.toml`` is that card with the new digest, size, source and figures, to be put in
    the place of the old one once the evaluation says so, and its licence and limits are stated.

    Args:
        net: the network; its ``config`` are the keyword arguments that construct it,
            JSON-serialisable.
        request: of the run.
        name: of the files.
        recipe: the run followed.
        figures: what validation measured.
        photographs: what it was trained on, those held out included.

    Returns:
        Path of the safetensors file.

    Raises:
        EnvironmentProblem: a file cannot be written (a full disk, say).
    """
    path = request.out / f"{name}.safetensors"
    try:
        write_network(path, net, config=dict(net.config))
        _write_facts(path, request, recipe, figures, photographs)
    except (OSError, FileError, SafetensorError) as error:
        raise EnvironmentProblem(
            f"{path}: cannot be written ({error}); free some space, then go on with --resume"
        ) from error
    return path


def _write_facts(
    path: Path,
    request: TrainRequest,
    recipe: TrainingRecipe,
    figures: Mapping[str, Any],
    photographs: PhotoPool,
) -> None:
    facts = {"figures": dict(figures), "run": _run(request, recipe, photographs)}
    write_text(path.with_suffix(".json"), json.dumps(facts, indent=2) + "\n", overwrite=True)
    if request.card is not None:
        data = path.read_bytes()
        table = request.card.model_dump(mode="json", exclude_defaults=True) | {
            "file": path.name,
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "source": _source(facts["run"]),
            # Neither is known of a network that nobody has looked at yet.
            "licence": "not stated; mind that of the photographs",
            "limits": f"not looked at yet; of the network before: {request.card.limits}",
            "figures": {"validation": json.dumps(dict(figures))},
        }
        card = path.with_suffix(".card.toml")
        write_text(card, tomli_w.dumps({"card": [table]}), overwrite=True)


def _run(request: TrainRequest, recipe: TrainingRecipe, photographs: PhotoPool) -> dict[str, Any]:
    """The facts of a run that another one would need to be its like."""
    return {
        "photographs": len(photographs),
        "data": photographs.digest,
        "recipe": request.recipe,
        "minutes": request.minutes or recipe.minutes,
        "seed": request.seed,
        "init": request.init.name if request.init else None,
        "device": _device(request.device),
        "commit": commit(),
        "torch": torch.__version__,
        "settings": recipe.model_dump(mode="json", exclude={"minutes"}),
    }


def _source(run: Mapping[str, Any]) -> str:
    start = f" from {run['init']}" if run["init"] else ""
    return (
        f"trained{start} on {run['photographs']} photographs (sha256 {run['data'][:12]}) for "
        f"{run['minutes']:g} minutes on {run['device']}, recipe {run['recipe']}, "
        f"seed {run['seed']}, commit {run['commit'] or 'unknown'}"
    )


def _device(name: str) -> str:
    if name.startswith("cuda"):
        return str(torch.cuda.get_device_name(torch.device(name)))
    threads = torch.get_num_threads()
    return f"{threads} thread{'s' if threads != 1 else ''} of a CPU ({platform.machine()})"
