"""Fading, yellowing and colour casts undone by curves, estimated from a thumbnail."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from oldfix import DEFECTS, Field, Options, StageSpec, WeightsCard, hookimpl, read_cards


class ToneOptions(Options):
    """Options of ``restore-tone``."""

    model: str = Field("auto", description="weights to use; auto takes the best installed")
    strength: float = Field(
        1.0, ge=0, le=1, description="0 leaves the tone as it is, 1 corrects it wholly"
    )
    cast: Literal["auto", "keep", "remove"] = Field(
        "auto",
        description="auto balances colour photographs and keeps the tone of sepia ones; keep "
        "corrects lightness alone; remove turns toned photographs grey as well",
    )


RESTORE_TONE = StageSpec(
    name="restore-tone",
    summary="Undo fading, yellowing and colour casts.",
    run="oldfix_tone.stage:restore_tone",
    options=ToneOptions,
    uses=frozenset({DEFECTS}),
    roles=frozenset({"restore-tone"}),
    weights={"model": "tone-estimator"},
)


@hookimpl
def oldfix_stages() -> Iterable[StageSpec]:
    """One stage."""
    return [RESTORE_TONE]


@hookimpl
def oldfix_weights() -> Iterable[WeightsCard]:
    """The cards beside this file."""
    return read_cards(Path(__file__).with_name("weights.toml"))
