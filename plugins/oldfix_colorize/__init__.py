"""Colour for grey and toned photographs, from references or from experience."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from oldfix import (
    IMAGE,
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
    """A colorizer and its classical baseline."""
    return [COLORIZE, TRANSFER_CLASSICAL]


@hookimpl
def oldfix_weights() -> Iterable[WeightsCard]:
    """The cards beside this file."""
    return read_cards(Path(__file__).with_name("weights.toml"))
