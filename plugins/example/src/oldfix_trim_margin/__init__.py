"""An oldfix plugin with one stage: crop the empty margin around a scanned print."""

from __future__ import annotations

from collections.abc import Iterable

from oldfix import DEFECTS, FACES, IMAGE, Field, Options, StageSpec, hookimpl


class TrimOptions(Options):
    """Options of ``trim-margin``."""

    tolerance: float = Field(
        0.06, ge=0, le=1, description="a pixel this close to the margin's colour belongs to it"
    )
    dust: float = Field(
        0.02, ge=0, lt=1, description="share of other pixels that a line of margin may hold"
    )
    keep_px: int = Field(0, ge=0, le=1000, description="pixels of margin to leave standing")


TRIM = StageSpec(
    name="trim-margin",
    summary="Crop the empty margin that a scanner leaves around a print.",
    run="oldfix_trim_margin.stage:trim",
    options=TrimOptions,
    # The host would rescale these to the new size; a crop must cut and shift them instead.
    uses=frozenset({DEFECTS, FACES}),
    produces=frozenset({IMAGE, DEFECTS, FACES}),
    resizes=True,
)


@hookimpl
def oldfix_stages() -> Iterable[StageSpec]:
    """The one stage."""
    return [TRIM]
