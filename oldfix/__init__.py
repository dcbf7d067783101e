"""oldfix restores old photographs: scratches, the whole picture, faces and colour.

Everything a plugin may import stands in ``__all__``, and in `oldfix.testing`, `oldfix.compat`,
`oldfix.degrade`, `oldfix.training` and `oldfix.evaluation`. Names are imported on first use, so
``import oldfix`` costs next to nothing and never loads torch.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "oldfix.errors": (
        "Cancelled",
        "EnvironmentProblem",
        "FileError",
        "OldfixError",
        "PhotoError",
        "PipelineError",
        "StageError",
        "UsageError",
        "WeightsError",
    ),
    "oldfix.options": ("Field", "Options"),
    "oldfix.photo": ("DEFECTS", "FACES", "IMAGE", "REFERENCES", "Face", "Key", "Meta", "Photo"),
    "oldfix.stage": ("Context", "Model", "StageSpec"),
    "oldfix.weights.card": ("Part", "WeightsCard", "read_cards"),
    "oldfix.engine.tensors": ("read_network", "write_network"),
    "oldfix.hookspecs": ("hookimpl",),
    "oldfix.registry": ("Registry", "discover"),
    "oldfix.pipeline": ("Pipeline", "Plan", "Step"),
    "oldfix.runner": ("Runner",),
    "oldfix.files": ("read_image", "read_photo", "write_photo"),
    "oldfix.restore": ("restore",),
    "oldfix.colour": ("is_toned", "luminance", "with_luminance_of"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}
__all__ = sorted(_HOME_OF)  # noqa: PLE0605
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'oldfix' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
