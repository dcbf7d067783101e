"""From flags to a plan: pipelines, ``--set`` and ``--give``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oldfix.cli.options import ChainFlags, PlanFlags, PresetFlags
from oldfix.errors import UsageError
from oldfix.files.find import find_photos
from oldfix.jobs import preset
from oldfix.keys import LIBRARY, REFERENCES, Key
from oldfix.options import did_you_mean
from oldfix.pipeline import Pipeline
from oldfix.plan import Plan
from oldfix.registry import Registry, discover

Given = Mapping[Key[Any], list[Path]]
_PRESET = "restore"


@dataclass(frozen=True)
class Chain:
    """A pipeline with what goes into it.

    Attributes:
        plan: checked, ready to run.
        given: files for further keys.
    """

    plan: Plan
    given: Given = field(default_factory=dict)


def preset_chain(flags: PresetFlags, plan_flags: PlanFlags) -> Chain:
    """Plan what ``oldfix restore`` does.

    Raises:
        UsageError: flags that contradict each other.
        PipelineError, WeightsError: as `oldfix.plan.make_plan`.
    """
    for name, used in (("--reference", flags.references), ("--recolor", flags.recolor)):
        if used and not flags.colorize:
            raise UsageError(f"{name}: has no effect without --colorize; add it")
    references = _references(flags.references)
    pipeline = preset(
        faces=flags.faces,
        colorize=flags.colorize,
        library=LIBRARY in references,
        scratches=not flags.no_scratches,
        tone=not flags.no_tone,
    )
    if flags.recolor:
        pipeline = pipeline.set("colorize.recolor", True)
    return make_chain(pipeline, plan_flags, discover(), references)


def chosen_chain(flags: ChainFlags, plan_flags: PlanFlags) -> Chain:
    """Plan the pipeline named by ``-p`` or ``--step``.

    Raises:
        UsageError: not exactly one of them, or no such pipeline.
        PipelineError, WeightsError: as `oldfix.plan.make_plan`.
    """
    registry = discover()
    if bool(flags.pipeline) == bool(flags.steps):
        raise UsageError("run: takes either -p FILE|NAME or --step STAGE; give one of them")
    if flags.steps:
        return make_chain(Pipeline.of(*flags.steps), plan_flags, registry)
    return make_chain(_named(flags.pipeline, registry), plan_flags, registry)


def make_chain(
    pipeline: Pipeline, flags: PlanFlags, registry: Registry, given: Given | None = None
) -> Chain:
    """Plan a pipeline with ``--set`` and ``--give``."""
    known = {**(given or {}), **parse_given(flags.given, registry)}
    plan = pipeline.plan(registry, given=tuple(known), settings=parse_settings(flags.settings))
    return Chain(plan, known)


def _named(name: str, registry: Registry) -> Pipeline:
    """A pipeline by file, or by the name a plugin gives it."""
    if name.endswith(".toml") or Path(name).is_file():
        return Pipeline.read(name)
    if name == _PRESET:
        return preset(faces=True, colorize=True)
    if name not in registry.pipelines:
        known = [_PRESET, *registry.pipelines]
        cure = did_you_mean(name, known) or f"; there are: {', '.join(known)}, or give a .toml file"
        raise UsageError(f"-p {name}: no pipeline of this name{cure}")
    return Pipeline.read(registry.pipelines[name])


def parse_settings(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """Parse ``STEP.OPTION=VALUE`` texts into values by step and option.

    Raises:
        UsageError: another form.
    """
    settings: dict[str, dict[str, str]] = {}
    for text in texts:
        where, equals, value = text.partition("=")
        step, dot, option = where.strip().partition(".")
        if not (equals and dot and step and option):
            raise UsageError(f"--set {text}: must have the form STEP.OPTION=VALUE")
        settings.setdefault(step, {})[option] = value.strip()
    return settings


def parse_given(texts: Iterable[str], registry: Registry) -> dict[Key[Any], list[Path]]:
    """Parse ``KEY=FILE|FOLDER`` texts into paths by key.

    Raises:
        UsageError: another form, an unknown key, one that cannot be read, or a missing path.
    """
    keys = {name: key for name, key in registry.keys().items() if key.read is not None}
    given: dict[Key[Any], list[Path]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not value:
            raise UsageError(f"--give {text}: must have the form KEY=FILE or KEY=FOLDER")
        if name not in keys:
            cure = did_you_mean(name, keys) or f"; there are: {', '.join(sorted(keys))}"
            raise UsageError(f"--give {text}: nothing named '{name}' can be given{cure}")
        path = Path(value).expanduser()
        if not path.exists():
            raise UsageError(f"--give {text}: {path} does not exist; check the name")
        given.setdefault(keys[name], []).append(path)
    return given


def _references(items: Iterable[str]) -> dict[Key[Any], list[Path]]:
    """What ``--reference`` gives: files are references, folders are where they are found.

    Raises:
        UsageError: a file that does not exist, or a folder or pattern without a photograph.
    """
    items = list(items)
    folders = [Path(item).expanduser() for item in items if Path(item).expanduser().is_dir()]
    files = [item for item in items if not Path(item).expanduser().is_dir()]
    found, problems = find_photos(files)
    problems += find_photos(folders)[1]
    missing = [one.path for one in found if not one.path.exists()]
    if problems:
        raise UsageError(f"--reference: {problems[0]}")
    if missing:
        raise UsageError(f"--reference: {missing[0]} does not exist; check the name")
    given: dict[Key[Any], list[Path]] = {}
    if found:
        given[REFERENCES] = [one.path for one in found]
    if folders:
        given[LIBRARY] = folders
    return given


def read_sidecar(path: Path) -> dict[str, Any]:
    """Read a sidecar for ``--replay``.

    Raises:
        UsageError: it cannot be read, or is none.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--replay {path}: cannot be read as a sidecar ({error})") from None
    if not isinstance(content, dict) or "pipeline" not in content:
        raise UsageError(f"--replay {path}: is no sidecar; they are named NAME.oldfix.json")
    return content
