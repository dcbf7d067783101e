"""The four doors through which plugins reach oldfix.

A plugin is a module named in the ``oldfix`` entry-point group. It imports `hookimpl` from
`oldfix` and defines any of these functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from oldfix.stage import StageSpec
    from oldfix.weights.card import WeightsCard

hookspec = pluggy.HookspecMarker("oldfix")
hookimpl = pluggy.HookimplMarker("oldfix")


@hookspec
def oldfix_stages() -> Iterable[StageSpec]:  # type: ignore[empty-body]
    """Return the stages this plugin provides.

    Called once at start-up, also for ``oldfix --help``: do not import torch here.
    """


@hookspec
def oldfix_weights() -> Iterable[WeightsCard]:  # type: ignore[empty-body]
    """Return the weights cards this plugin's stages may choose from. Opens no weights."""


@hookspec
def oldfix_pipelines() -> Iterable[Path]:  # type: ignore[empty-body]
    """Return TOML files of named pipelines; the file's ``name`` is what ``-p`` takes."""


@hookspec
def oldfix_commands(app: Any) -> None:
    """Add commands to the command line; ``app`` is the Typer application."""
