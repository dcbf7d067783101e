"""Denoising by diffusion in pixels, between the clean picture and the noisy photograph.

After "Real-World Denoising via Diffusion Model" (Yang, Liang and Su 2023, arXiv 2305.04457).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from oldfix import IMAGE, Field, Options, StageSpec, WeightsCard, hookimpl, read_cards

#: The cards of this plugin: the denoiser's first, then those of the networks beside it.
CARDS = read_cards(Path(__file__).with_name("weights.toml"))


class DenoiseOptions(Options):
    """Options of ``denoise-diffusion``."""

    steps: int = Field(
        2, ge=1, le=20, description="diffusion steps; one is fastest, two are a little closer"
    )
    sampler: Literal["origin", "improved", "indi"] = Field(
        "improved", description="how to step: improved averages, indi keeps more texture"
    )
    model: str = Field("auto", description="weights of the denoiser")


DENOISE = StageSpec(
    name="denoise-diffusion",
    summary="Take away noise and grain, and nothing else, by diffusion in pixels.",
    run="oldfix_denoise.stage:denoise",
    options=DenoiseOptions,
    produces=frozenset({IMAGE}),
    roles=frozenset({"denoise"}),
    weights={"model": "denoiser"},
)


class BaselineOptions(Options):
    """Options of ``denoise-baseline``."""

    model: str = Field("auto", description="weights of the network: DnCNN or NLRN")


BASELINE = StageSpec(
    name="denoise-baseline",
    summary="Take away noise in one pass of DnCNN or NLRN, to compare denoise-diffusion with.",
    run="oldfix_denoise.stage:denoise_at_once",
    options=BaselineOptions,
    produces=frozenset({IMAGE}),
    roles=frozenset({"denoise"}),
    weights={"model": "denoiser-baseline"},
)


@hookimpl
def oldfix_stages() -> Iterable[StageSpec]:
    """Return ``denoise-diffusion`` and ``denoise-baseline``."""
    return [DENOISE, BASELINE]


@hookimpl
def oldfix_weights() -> Iterable[WeightsCard]:
    """Return the cards of the denoiser, of DnCNN and of NLRN."""
    return CARDS
