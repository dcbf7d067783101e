"""Restoring, inpainting and upscaling by diffusion in a latent.

Our own networks walk between the clean picture and the photograph as found; published ones, from
a folder, walk from noise.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from oldfix import DEFECTS, IMAGE, Field, Options, StageSpec, WeightsCard, hookimpl, read_cards

#: The cards of this plugin: the autoencoder first.
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
        description="fill marked parts up to this width first; wider ones only where their colour "
        "is far from what surrounds them",
    )
    model: str = Field("auto", description="weights of the restorer")


class _WalkOptions(Options):
    """How to walk, shared by the stages that fill and enlarge."""

    steps: int = Field(
        0,
        ge=0,
        le=1000,
        description="diffusion steps; 0 is what suits the weights: 1 for oldfix's own, 50 else",
    )
    sampler: Literal["origin", "improved", "indi"] = Field(
        "improved", description="how oldfix's own weights step; indi keeps more texture"
    )
    scheduler: Literal["ddpm", "ddim", "dpm"] = Field(
        "ddim",
        description="how published weights step: ddpm adds noise on the way, ddim does not, "
        "dpm needs about 20 steps",
    )


class InpaintOptions(_WalkOptions):
    """Options of ``inpaint-diffusion``."""

    model: str = Field("auto", description="weights, or the folder of a pipeline you have")


class UpscaleOptions(_WalkOptions):
    """Options of ``upscale-diffusion``."""

    factor: int = Field(2, ge=2, le=4, multiple_of=2, description="how many times larger: 2 or 4")
    model: str = Field("auto", description="weights, or the folder of a pipeline you have")
    max_megapixels: float = Field(
        100, gt=0, description="refuse to make a picture larger than this; it is held in memory"
    )


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

INPAINT = StageSpec(
    name="inpaint-diffusion",
    summary="Paint marked pixels anew, and nothing else, by latent diffusion.",
    run="oldfix_diffusion.inpaint:inpaint",
    options=InpaintOptions,
    needs=frozenset({IMAGE, DEFECTS}),
    produces=frozenset({IMAGE}),
    roles=frozenset({"inpaint"}),
    weights={"model": "inpainter"},
)

UPSCALE = StageSpec(
    name="upscale-diffusion",
    summary="Make the picture two or four times larger, by latent diffusion.",
    run="oldfix_diffusion.upscale:upscale",
    options=UpscaleOptions,
    produces=frozenset({IMAGE}),
    resizes=True,
    roles=frozenset({"upscale"}),
    weights={"model": "upscaler"},
)


@hookimpl
def oldfix_stages() -> Iterable[StageSpec]:
    """Return ``restore-diffusion``, ``inpaint-diffusion`` and ``upscale-diffusion``."""
    return [RESTORE, INPAINT, UPSCALE]


@hookimpl
def oldfix_weights() -> Iterable[WeightsCard]:
    """Return the cards of the autoencoder, of what works in its latent, and of published ones."""
    return CARDS
