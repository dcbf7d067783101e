"""Faces: find them, and refine them without making them someone else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from oldfix import (
    FACES,
    IMAGE,
    Field,
    Options,
    StageSpec,
    WeightsCard,
    hookimpl,
    read_cards,
)


class DetectOptions(Options):
    """Options of ``detect-faces``."""

    model: str = Field("auto", description="weights of the detector")
    min_size_px: float = Field(
        20, ge=4, description="smallest face, as the shorter side of its box, in pixels"
    )
    confidence: float = Field(
        0.5, gt=0, lt=1, description="smallest score of a face; lower finds more, also wrong ones"
    )
    confirm: bool = Field(
        True, description="look at each candidate again, alone and mirrored, before it counts"
    )
    landmarks: str = Field(
        "if-installed",
        description="weights that place the landmarks of each face; none: as the detector saw them",
    )
    which: Literal["all", "centre", "largest"] = Field(
        "all", description="all faces, only the one nearest to the middle, or only the largest"
    )
    aligned: bool = Field(
        False,
        description="the photograph is one face, cut out and aligned as FFHQ is: look for none",
    )


class RefineOptions(Options):
    """Options of ``refine-faces``."""

    model: str = Field("auto", description="weights of the refiner")
    detector: str = Field(
        "auto", description="weights of the detector that checks that a face stayed itself"
    )
    parser: str = Field(
        "if-installed",
        description="weights of the face parser that draws where a face may change; none: from its "
        "landmarks",
    )
    strength: float = Field(
        1.0, ge=0, le=1, description="how much of the refinement is applied; 0 leaves faces alone"
    )
    grain: float = Field(
        0.3, ge=0, le=1, description="how much of the photograph's own fine texture a face keeps"
    )


DETECT = StageSpec(
    name="detect-faces",
    summary="Find faces and their eyes, nose and mouth corners, from small to filling the picture",
    run="oldfix_faces.detect_stage:detect",
    options=DetectOptions,
    produces=frozenset({FACES}),
    roles=frozenset({"detect-faces"}),
    weights={"model": "detect-faces", "landmarks": "place-landmarks"},
)
REFINE = StageSpec(
    name="refine-faces",
    summary="Refine each face in place, and leave alone those that would become someone else",
    run="oldfix_faces.refine:refine",
    options=RefineOptions,
    needs=frozenset({IMAGE, FACES}),
    produces=frozenset({IMAGE}),
    roles=frozenset({"refine-faces"}),
    weights={"model": "refine-faces", "detector": "detect-faces", "parser": "parse-faces"},
)


@hookimpl
def oldfix_stages() -> Iterable[StageSpec]:
    """Return the two stages."""
    return [DETECT, REFINE]


@hookimpl
def oldfix_weights() -> Iterable[WeightsCard]:
    """Return the cards of detectors and refiners."""
    return read_cards(Path(__file__).with_name("weights.toml"))


@hookimpl
def oldfix_commands(app: Any) -> None:
    """Add ``oldfix faces``."""
    from oldfix_faces.command import faces

    app.command("faces", epilog="Example: oldfix faces photo.jpg -o faces/")(faces)
