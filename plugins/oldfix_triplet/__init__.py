"""Bringing Old Photos Back to Life: restoration as a translation between three domains.

Wan et al., CVPR 2020 (arXiv 2004.09484) and TPAMI 2022 (arXiv 2009.07047).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from oldfix import DEFECTS, IMAGE, Field, Options, StageSpec, WeightsCard, hookimpl, read_cards

#: The cards of this plugin: the two autoencoders, then what maps between their latents.
CARDS = read_cards(Path(__file__).with_name("weights.toml"))


class TripletOptions(Options):
    """Options of ``restore-triplet``."""

    mapping: Literal["network", "diffusion"] = Field(
        "network",
        description="what leads from the found latent to the clean one: the paper's network, or "
        "diffusion between the two",
    )
    steps: int = Field(1, ge=1, le=10, description="steps of the diffusion; the network needs one")
    fill_px: int = Field(
        16,
        ge=0,
        le=1000,
        description="fill marked parts up to this width before they are encoded; wider ones only "
        "where their colour is far from what surrounds them",
    )
    model: str = Field("auto", description="weights of the mapping network")
    diffusion: str = Field("if-installed", description="weights of the diffusion")


RESTORE = StageSpec(
    name="restore-triplet",
    summary="Restore by mapping the latent of old photographs to that of clean ones.",
    run="oldfix_triplet.stage:restore",
    options=TripletOptions,
    uses=frozenset({DEFECTS}),
    produces=frozenset({IMAGE}),
    roles=frozenset({"restore"}),
    weights={"model": "triplet-mapping", "diffusion": "triplet-diffusion"},
)


@hookimpl
def oldfix_stages() -> Iterable[StageSpec]:
    """Return ``restore-triplet``."""
    return [RESTORE]


@hookimpl
def oldfix_weights() -> Iterable[WeightsCard]:
    """Return the cards of the autoencoders, the mapping network and the diffusion."""
    return CARDS


@hookimpl
def oldfix_commands(app: Any) -> None:
    """Add ``oldfix import-triplet``."""
    from oldfix_triplet.command import import_triplet

    app.command(
        "import-triplet",
        epilog="Example: oldfix import-triplet global_checkpoints.zip -o published/",
    )(import_triplet)
