"""Enlarge a photograph by networks of the Real-ESRGAN family, or by Lanczos."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from oldfix import FACES, IMAGE, Field, Options, StageSpec, WeightsCard, hookimpl, read_cards


class UpscaleOptions(Options):
    """Options of ``upscale``."""

    factor: int = Field(2, ge=2, le=4, multiple_of=2, description="how many times larger: 2 or 4")
    model: str = Field("auto", description="weights of the network; none: enlarge by Lanczos")
    spare_faces: bool = Field(
        False, description="leave faces that were found to refine-faces: enlarge them by Lanczos"
    )
    max_megapixels: float = Field(
        200, gt=0, description="refuse to make a picture larger than this; it is held in memory"
    )


UPSCALE = StageSpec(
    name="upscale",
    summary="Enlarge two or four times, by a network of the Real-ESRGAN family or by Lanczos",
    run="oldfix_upscale.stage:upscale",
    options=UpscaleOptions,
    uses=frozenset({FACES}),
    produces=frozenset({IMAGE}),
    resizes=True,
    roles=frozenset({"upscale"}),
    weights={"model": "upscale"},
)


@hookimpl
def oldfix_stages() -> Iterable[StageSpec]:
    """Return ``upscale``."""
    return [UPSCALE]


@hookimpl
def oldfix_weights() -> Iterable[WeightsCard]:
    """Return the cards of the published networks."""
    return read_cards(Path(__file__).with_name("weights.toml"))
