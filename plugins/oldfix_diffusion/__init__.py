"""Restoration by diffusion in a latent, between the clean picture and the photograph as found."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from oldfix import DEFECTS, IMAGE, Field, Options, StageSpec, WeightsCard, hookimpl, read_cards

#: The cards of this plugin: the autoencoder first, then the restorer.
CARDS = read_cards(Path(__file__).with_name("weights.toml"))


class RestoreOptions(Options):
    """Options of ``restore-diffusion``."""

    steps: int = Field(1, ge=1, le=10, description="diffusion steps; one is fastest and closest")
    sampler: Literal["origin", "improved", "indi"] = Field(
        "improved", description="how to step: improved averages, indi keeps more texture"
    )
    fill_px: int = Field(
        16,
        ge=0,
        le=1000,
        description="fill marked parts up to this width first; wider ones, stains, show through",
    )
    model: str = Field("auto", description="weights of the restorer")


RESTORE = StageSpec(
    name="restore-diffusion",
    summary="Fill defects and take away grain, blur and JPEG damage, by latent diffusion.",
    run="oldfix_diffusion.stage:restore",
    options=RestoreOptions,
    uses=frozenset({DEFECTS}),
    produces=frozenset({IMAGE}),
    roles=frozenset({"restore"}),
    weights={"model": "restorer"},
)


@hookimpl
def oldfix_stages() -> Iterable[StageSpec]:
    """Return ``restore-diffusion``."""
    return [RESTORE]


@hookimpl
def oldfix_weights() -> Iterable[WeightsCard]:
    """Return the cards of the autoencoder and the restorer."""
    return CARDS
