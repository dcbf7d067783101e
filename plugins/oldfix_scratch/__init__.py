"""Scratches, creases, tears and dust: found by a network or by morphology, and filled."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from oldfix import (
    DEFECTS,
    IMAGE,
    Field,
    Options,
    StageSpec,
    WeightsCard,
    hookimpl,
    read_cards,
)

Mode = Literal["replace", "join"]


class ScratchOptions(Options):
    """Options of ``detect-scratches``."""

    model: str = Field("auto", description="weights to use; auto takes the best installed")
    threshold: float = Field(
        0.4, gt=0, lt=1, description="an area is marked if its probability reaches this somewhere"
    )
    low_threshold: float = Field(
        0.1, gt=0, lt=1, description="and extends as far as the probability stays above this"
    )
    enlarge: bool = Field(
        True,
        description="look at photographs below 1600 pixels at twice their size too: finds more "
        "specks, takes five times as long",
    )
    min_area_px: int = Field(6, ge=1, le=10_000, description="smaller marked areas are dropped")
    max_width_px: int = Field(
        16,
        ge=1,
        le=1000,
        description="wider marked areas are dropped: they are hands and flowers more often than "
        "damage; in proportion for photographs beyond 1600 and below 640 pixels",
    )
    grow_px: int = Field(1, ge=0, le=32, description="the marks are widened by this many pixels")
    mode: Mode = Field(
        "replace", description="what becomes of a mask already given: replace it, or join the two"
    )
    soft: bool = Field(
        False, description="give the probabilities themselves, without thresholds, to look at"
    )


class ClassicalScratchOptions(Options):
    """Options of ``detect-scratches-classical``."""

    threshold: float = Field(
        8.0, gt=0, le=40, description="a line must stand out by this many deviations somewhere"
    )
    low_threshold: float = Field(
        5.0, gt=0, le=40, description="and extends as far as it stands out by this many"
    )
    width_px: int = Field(5, ge=1, le=31, description="widest line that is found")
    length_px: int = Field(21, ge=5, le=101, description="length over which a line is averaged")
    min_area_px: int = Field(20, ge=1, le=10_000, description="smaller marked areas are dropped")
    grow_px: int = Field(1, ge=0, le=32, description="the marks are widened by this many pixels")
    mode: Mode = Field(
        "replace", description="what becomes of a mask already given: replace it, or join the two"
    )


class FillOptions(Options):
    """Options of ``fill-defects-classical``."""

    method: Literal["telea", "navier-stokes"] = Field(
        "telea", description="telea copies nearby tones along, navier-stokes continues edges"
    )
    radius_px: float = Field(3.0, ge=1, le=32, description="how far around a pixel is looked")


DETECT = StageSpec(
    name="detect-scratches",
    summary="Mark scratches, creases, tears and dust with a network.",
    run="oldfix_scratch.stage:detect",
    options=ScratchOptions,
    uses=frozenset({DEFECTS}),
    produces=frozenset({DEFECTS}),
    roles=frozenset({"detect-scratches"}),
    weights={"model": "scratch-detector"},
)

DETECT_CLASSICAL = StageSpec(
    name="detect-scratches-classical",
    summary="Mark thin lines by morphology and line integration, without a network.",
    run="oldfix_scratch.stage:detect_classical",
    options=ClassicalScratchOptions,
    uses=frozenset({DEFECTS}),
    produces=frozenset({DEFECTS}),
)

FILL_CLASSICAL = StageSpec(
    name="fill-defects-classical",
    summary="Fill marked pixels from their surroundings (OpenCV inpainting).",
    run="oldfix_scratch.stage:fill_classical",
    options=FillOptions,
    needs=frozenset({IMAGE, DEFECTS}),
    produces=frozenset({IMAGE}),
)


@hookimpl
def oldfix_stages() -> Iterable[StageSpec]:
    """Two detectors and a filler."""
    return [DETECT, DETECT_CLASSICAL, FILL_CLASSICAL]


@hookimpl
def oldfix_weights() -> Iterable[WeightsCard]:
    """The cards beside this file."""
    return read_cards(Path(__file__).with_name("weights.toml"))
