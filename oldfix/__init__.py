"""oldfix restores old photographs: scratches, the whole picture, faces and colour.

Everything a plugin may import stands in ``__all__``, and in `oldfix.testing`, `oldfix.compat`,
`oldfix.degrade`, `oldfix.training` and `oldfix.evaluation`. Names are imported on first use, so
``import oldfix`` costs next to nothing and never loads torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oldfix.colour import (
        from_lab as from_lab,
        grey_to_luminance as grey_to_luminance,
        is_toned as is_toned,
        luminance as luminance,
        luminance_to_grey as luminance_to_grey,
        to_lab as to_lab,
        with_luminance_of as with_luminance_of,
    )
    from oldfix.engine.blocks import Residual as Residual, ResidualTrunk as ResidualTrunk
    from oldfix.engine.discs import wide_parts as wide_parts, with_rims as with_rims
    from oldfix.engine.filling import fill_marks as fill_marks
    from oldfix.engine.living import LivingSiLU as LivingSiLU
    from oldfix.engine.samplers import SAMPLERS as SAMPLERS, between as between
    from oldfix.engine.tensors import (
        fill_from_checkpoint as fill_from_checkpoint,
        load_network as load_network,
        read_network as read_network,
        write_network as write_network,
    )
    from oldfix.engine.timed import (
        TimedResidual as TimedResidual,
        TimedUNet as TimedUNet,
        TimeEmbedding as TimeEmbedding,
    )
    from oldfix.errors import (
        Cancelled as Cancelled,
        EnvironmentProblem as EnvironmentProblem,
        FileError as FileError,
        OldfixError as OldfixError,
        PhotoError as PhotoError,
        PipelineError as PipelineError,
        StageError as StageError,
        UsageError as UsageError,
        WeightsError as WeightsError,
        first_line as first_line,
    )
    from oldfix.files import (
        read_image as read_image,
        read_photo as read_photo,
        write_photo as write_photo,
    )
    from oldfix.hookspecs import hookimpl as hookimpl
    from oldfix.jobs import preset as preset, restore as restore
    from oldfix.keys import (
        DEFECTS as DEFECTS,
        FACES as FACES,
        IMAGE as IMAGE,
        LIBRARY as LIBRARY,
        REFERENCES as REFERENCES,
        Face as Face,
        Key as Key,
    )
    from oldfix.options import Field as Field, Options as Options
    from oldfix.photo import Meta as Meta, Photo as Photo
    from oldfix.pipeline import Pipeline as Pipeline, Step as Step
    from oldfix.plan import Plan as Plan
    from oldfix.registry import Registry as Registry, discover as discover
    from oldfix.resizing import check_enlargement as check_enlargement
    from oldfix.runner import Runner as Runner
    from oldfix.stage import (
        NO_WEIGHTS as NO_WEIGHTS,
        Context as Context,
        Model as Model,
        StageSpec as StageSpec,
    )
    from oldfix.weights.card import (
        Part as Part,
        WeightsCard as WeightsCard,
        read_cards as read_cards,
    )

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
        "first_line",
    ),
    "oldfix.options": ("Field", "Options"),
    "oldfix.keys": ("DEFECTS", "FACES", "IMAGE", "LIBRARY", "REFERENCES", "Face", "Key"),
    "oldfix.photo": ("Meta", "Photo"),
    "oldfix.resizing": ("check_enlargement",),
    "oldfix.stage": ("NO_WEIGHTS", "Context", "Model", "StageSpec"),
    "oldfix.weights.card": ("Part", "WeightsCard", "read_cards"),
    "oldfix.engine.blocks": ("Residual", "ResidualTrunk"),
    "oldfix.engine.discs": ("wide_parts", "with_rims"),
    "oldfix.engine.filling": ("fill_marks",),
    "oldfix.engine.living": ("LivingSiLU",),
    "oldfix.engine.samplers": ("SAMPLERS", "between"),
    "oldfix.engine.tensors": (
        "fill_from_checkpoint",
        "load_network",
        "read_network",
        "write_network",
    ),
    "oldfix.engine.timed": ("TimeEmbedding", "TimedResidual", "TimedUNet"),
    "oldfix.hookspecs": ("hookimpl",),
    "oldfix.registry": ("Registry", "discover"),
    "oldfix.pipeline": ("Pipeline", "Step"),
    "oldfix.plan": ("Plan",),
    "oldfix.runner": ("Runner",),
    "oldfix.files": ("read_image", "read_photo", "write_photo"),
    "oldfix.jobs": ("preset", "restore"),
    "oldfix.colour": (
        "from_lab",
        "grey_to_luminance",
        "is_toned",
        "luminance",
        "luminance_to_grey",
        "to_lab",
        "with_luminance_of",
    ),
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
