"""Colour for grey and toned photographs, from references or from experience: Pik-Fix.

Xu et al., "Pik-Fix: Restoring and Colorizing Old Photos", WACV 2023 (arXiv 2205.01902).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from oldfix import (
    IMAGE,
    LIBRARY,
    REFERENCES,
    Field,
    Options,
    StageSpec,
    WeightsCard,
    hookimpl,
    read_cards,
)


class ColorizeOptions(Options):
    """Options of ``colorize-reference``."""

    model: str = Field("auto", description="weights to use; auto takes the best installed")
    recolor: bool = Field(
        False, description="also colour a photograph that has colours, from its luminance alone"
    )
    saturation: float = Field(
        1.0, ge=0, le=2, description="strength of the colours; 1 as predicted, 0 grey"
    )
    doubt: float = Field(
        0.6,
        ge=0,
        le=1,
        description="how far red and orange that look guessed are weakened where no reference is "
        "given, and pale yellow and green strengthened; 0 treats all colours alike",
    )


class FindOptions(Options):
    """Options of ``find-references``."""

    count: int = Field(3, ge=1, le=12, description="how many references to find")
    least: float = Field(
        0.25,
        ge=-1,
        le=1,
        description="take none that is less alike than this; 1 is the same, 0 by chance",
    )
    features: Literal["both", "network", "classical"] = Field(
        "both",
        description="what photographs are compared by: the colorizer's features, gradients and "
        "light (classical; needs no weights), or both",
    )
    model: str = Field("if-installed", description="weights whose features are compared")


class RestoreOptions(Options):
    """Options of ``restore-pikfix``."""

    model: str = Field("auto", description="weights to use; auto takes the best installed")


class TransferOptions(Options):
    """Options of ``transfer-color-classical``."""

    saturation: float = Field(
        1.0, ge=0, le=2, description="strength of the colours; 1 as in the references, 0 grey"
    )


COLORIZE = StageSpec(
    name="colorize-reference",
    summary="Colour a grey or toned photograph, after reference photographs if any are given.",
    run="oldfix_colorize.stage:colorize",
    options=ColorizeOptions,
    uses=frozenset({REFERENCES}),
    produces=frozenset({IMAGE}),
    colours=True,
    roles=frozenset({"colorize"}),
    weights={"model": "colorizer"},
)

RESTORE = StageSpec(
    name="restore-pikfix",
    summary="Repair luminance with Pik-Fix's restoration network; colours are kept.",
    run="oldfix_colorize.stage:restore",
    options=RestoreOptions,
    roles=frozenset({"restore-luminance"}),
    weights={"model": "colorizer"},
)

FIND = StageSpec(
    name="find-references",
    summary="Find the photographs of a folder that are most like this one, to take colour from.",
    run="oldfix_colorize.stage:find",
    options=FindOptions,
    needs=frozenset({IMAGE, LIBRARY}),
    uses=frozenset({REFERENCES}),
    produces=frozenset({REFERENCES}),
    roles=frozenset({"find-references"}),
    weights={"model": "colorizer"},
)

TRANSFER_CLASSICAL = StageSpec(
    name="transfer-color-classical",
    summary="Match the colour statistics of reference photographs, without a network.",
    run="oldfix_colorize.stage:transfer_classical",
    options=TransferOptions,
    needs=frozenset({IMAGE, REFERENCES}),
    produces=frozenset({IMAGE}),
    colours=True,
)


@hookimpl
def oldfix_stages() -> Iterable[StageSpec]:
    """Pik-Fix's two halves, a classical baseline, and what finds references."""
    return [COLORIZE, RESTORE, FIND, TRANSFER_CLASSICAL]


@hookimpl
def oldfix_weights() -> Iterable[WeightsCard]:
    """The cards beside this file."""
    return read_cards(Path(__file__).with_name("weights.toml"))
