"""What is installed: stages, weights cards and pipelines of every plugin, and broken plugins."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from oldfix import hookspecs
from oldfix.errors import UsageError
from oldfix.keys import BUILT_IN_KEYS, Key
from oldfix.options import did_you_mean
from oldfix.stage import StageSpec
from oldfix.weights.card import WeightsCard

_GROUP = "oldfix"


@dataclass(frozen=True)
class Plugin:
    """A plugin that works.

    Attributes:
        name: name of its entry point.
        version: version of the distribution it comes in, or "" for a single file.
        stages, cards, pipelines: what it provides.
        add_commands: calls its ``oldfix_commands`` hook, if it has one.
    """

    name: str
    version: str
    stages: tuple[StageSpec, ...]
    cards: tuple[WeightsCard, ...]
    pipelines: tuple[Path, ...]
    add_commands: Callable[[Any], None]


@dataclass(frozen=True)
class Broken:
    """A plugin that could not be used, and why, in one line."""

    name: str
    version: str
    error: str


@dataclass
class Registry:
    """Everything plugins provide, by name. Made by `discover`; read-only for everyone else."""

    plugins: list[Plugin] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    stages: dict[str, StageSpec] = field(default_factory=dict)
    cards: dict[str, WeightsCard] = field(default_factory=dict)
    pipelines: dict[str, Path] = field(default_factory=dict)

    def add(self, plugin: Plugin) -> None:
        """Add a plugin, whole or not at all.

        Raises:
            ValueError: it brings a name that another plugin already has.
        """
        clashes = [
            f"{kind} '{name}' is already provided by plugin '{self.owner(name)}'"
            for kind, known, names in self._names(plugin)
            for name in names
            if name in known
        ]
        if clashes:
            raise ValueError("; ".join(clashes))
        self.plugins.append(plugin)
        self.stages.update({spec.name: spec for spec in plugin.stages})
        self.cards.update({card.id: card for card in plugin.cards})
        self.pipelines.update({path.stem: path for path in plugin.pipelines})

    def owner(self, name: str) -> str:
        """Name of the plugin that provides a stage, card or pipeline."""
        return next((p.name for p in self.plugins if name in _provided(p)), "")

    def version_of(self, stage: str) -> str:
        """Version of the plugin that provides a stage."""
        return next((p.version for p in self.plugins if stage in _provided(p)), "")

    def resolve(self, use: str) -> StageSpec:
        """Return the stage of that name, or the first that fills that role.

        Raises:
            UsageError: there is none.
        """
        if use in self.stages:
            return self.stages[use]
        for spec in self.stages.values():
            if use in spec.roles:
                return spec
        known = {*self.stages, *chain.from_iterable(s.roles for s in self.stages.values())}
        cure = did_you_mean(use, known) or "; run 'oldfix stages' for a list"
        raise UsageError(f"no stage named '{use}'{cure}")

    def keys(self) -> dict[str, Key[Any]]:
        """Every key: the built-in ones and those that stages declare."""
        declared = chain.from_iterable(
            (*spec.needs, *spec.uses, *spec.produces) for spec in self.stages.values()
        )
        return {key.name: key for key in (*BUILT_IN_KEYS, *declared)}

    def _names(self, plugin: Plugin) -> tuple[tuple[str, Iterable[str], list[str]], ...]:
        return (
            ("stage", self.stages, [spec.name for spec in plugin.stages]),
            ("weights card", self.cards, [card.id for card in plugin.cards]),
            ("pipeline", self.pipelines, [path.stem for path in plugin.pipelines]),
        )


def discover(*, folder: Path | None = None) -> Registry:
    """Find every installed plugin; one that fails becomes a `Broken` row and stops nobody.

    Args:
        folder: also load the single-file plugins in this folder; ``$OLDFIX_PLUGINS`` by default.
            ``$OLDFIX_BLOCK`` holds names of plugins to leave out, separated by commas.
    """
    registry = Registry()
    blocked = set(os.environ.get("OLDFIX_BLOCK", "").split(","))
    # The toolkit's own plugins first, so that nobody takes a name from them.
    points = sorted(entry_points(group=_GROUP), key=lambda p: (_distribution(p) != _GROUP, p.name))
    for point in points:
        if point.name not in blocked:
            _load_into(registry, point.name, _version(point), point.load)
    named = folder or (Path(p) if (p := os.environ.get("OLDFIX_PLUGINS")) else None)
    for path in sorted(named.glob("*.py")) if named else ():
        if path.stem not in blocked:
            _load_into(registry, path.stem, "", partial(_load_file, path))
    return registry


def read_plugin(name: str, plugin_version: str, module: Any) -> Plugin:
    """Ask one plugin module for everything it provides.

    Raises:
        Exception: whatever the plugin's code raises; pluggy's own error for a misspelled hook.
    """
    manager = pluggy.PluginManager(_GROUP)  # one each, so that a raising hook hurts only its own
    manager.add_hookspecs(hookspecs)
    manager.register(module, name)
    _refuse_unknown_hooks(module)
    return Plugin(
        name=name,
        version=plugin_version,
        stages=tuple(chain.from_iterable(manager.hook.oldfix_stages())),
        cards=tuple(chain.from_iterable(manager.hook.oldfix_weights())),
        pipelines=tuple(Path(p) for p in chain.from_iterable(manager.hook.oldfix_pipelines())),
        add_commands=lambda app: manager.hook.oldfix_commands(app=app) and None,
    )


def _load_into(registry: Registry, name: str, plugin_version: str, load: Callable[[], Any]) -> None:
    try:
        registry.add(read_plugin(name, plugin_version, load()))
    except Exception as error:  # a plugin's code may raise anything
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = f"{type(error).__name__}: {'; '.join(lines)}"
        registry.broken.append(Broken(name, plugin_version, reason))


def _refuse_unknown_hooks(module: Any) -> None:
    """A function that looks like a hook but is none is a mistake, not a helper."""
    known = [name for name in vars(hookspecs) if name.startswith("oldfix_")]
    for name, value in vars(module).items():
        if not name.startswith("oldfix_") or not callable(value):
            continue
        if name not in known:
            raise ValueError(f"no hook named '{name}'{did_you_mean(name, known)}")
        if not hasattr(value, "oldfix_impl"):
            raise ValueError(f"{name}: is not marked; put @hookimpl above it")


def _provided(plugin: Plugin) -> set[str]:
    return {
        *(spec.name for spec in plugin.stages),
        *(card.id for card in plugin.cards),
        *(path.stem for path in plugin.pipelines),
    }


def _distribution(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else ""


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist is not None else ""


def _load_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path}: is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
