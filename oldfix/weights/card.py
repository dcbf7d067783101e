"""Weights cards: what a network is, where it comes from, and what it can bear."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Part(BaseModel):
    """How one method of a network may be run over a picture.

    Attributes:
        mode: "tiles" cuts the picture; "whole" runs it at once.
        halo: receptive-field radius in input pixels, cut off every inner tile edge.
        multiple_of: width and height must be multiples of this; the host pads.
        scale: output pixels per input pixel (0.25 for an f4 encoder).
        seam: largest accepted difference between tiled and whole results.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Literal["tiles", "whole"] = "tiles"
    halo: int = Field(0, ge=0)
    multiple_of: int = Field(1, ge=1)
    scale: float = Field(1.0, gt=0)
    seam: float = Field(0.001, ge=0)


class WeightsCard(BaseModel):
    """One set of weights.

    Attributes:
        id: unique name, used by options and on the command line.
        role: what it can be chosen for; ``model = "auto"`` takes the best installed of a role.
        rank: higher wins among installed cards of one role.
        variant: free text telling siblings apart ("256 px, 7 M").
        file: file name in a weights folder; with ``layout``, the name of a folder there.
        layout: files that a folder of weights must hold; empty where the weights are one file.
        sha256: digest checked before the file is opened; a folder has none.
        bytes: size of the file; of a folder, roughly.
        url: where ``oldfix weights pull`` fetches it; empty for embedded weights.
        licence: licence of the weights (not of the code).
        source: who trained it and how.
        load: ``"module:function"`` of ``(path) -> torch module``.
        tiny: ``"module:function"`` of ``() -> torch module``: same class, tiny, for tests.
        train: ``"module:function"`` of ``(TrainRequest) -> path`` that trains it.
        precision: precisions that a test has compared with float32, fastest last.
        requires: ids of cards this one works with (a denoiser's autoencoder).
        limits: what it does badly.
        figures: what was measured, with set, seed and count.
        parts: limits of the network's methods; "" is calling the network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    role: str
    rank: int = 0
    variant: str = ""
    file: str
    layout: tuple[str, ...] = ()
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    bytes: int = Field(gt=0)
    url: str = ""
    licence: str
    source: str
    load: str
    tiny: str
    train: str = ""
    precision: tuple[Literal["float32", "bfloat16", "float16"], ...] = ("float32",)
    requires: tuple[str, ...] = ()
    limits: str
    figures: dict[str, str] = Field(default_factory=dict)
    parts: dict[str, Part] = Field(default_factory=lambda: {"": Part()})

    @model_validator(mode="after")
    def _files_have_digests(self) -> Self:
        if not self.layout and not self.sha256:
            raise ValueError(f"{self.id}: a file needs its sha256; only a folder has none")
        return self

    def at(self, folder: Path) -> WeightsCard:
        """The same for a folder of the user's own, whose path becomes its id."""
        path = str(folder.expanduser().absolute())
        unknown = {"url": "", "variant": "", "licence": "not stated", "source": "a user's own"}
        return self.model_copy(update={"id": path, "file": path, **unknown})


def read_cards(path: Path) -> tuple[WeightsCard, ...]:
    """Read a plugin's ``weights.toml``: one ``[[card]]`` table for each set of weights.

    Raises:
        ValueError: the file is not TOML, or a card is incomplete (pydantic says where).
    """
    tables: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8")).get("card", [])
    return tuple(WeightsCard.model_validate(table) for table in tables)
