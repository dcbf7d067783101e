"""Rows of installed stages: found by role, run with every set of weights that is installed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from oldfix.errors import OldfixError, UsageError
from oldfix.evaluation.rows import Row, Skipped
from oldfix.evaluation.samples import Sample
from oldfix.evaluation.sets import Also, EvaluationSet
from oldfix.jobs import preset
from oldfix.keys import DEFECTS, FACES, IMAGE, LIBRARY, REFERENCES, Key
from oldfix.photo import Meta, Photo
from oldfix.pipeline import Pipeline, Step
from oldfix.plan import Plan
from oldfix.registry import Registry
from oldfix.runner import Runner
from oldfix.stage import StageSpec
from oldfix.weights.card import WeightsCard
from oldfix.weights.count import parameters
from oldfix.weights.store import Store

#: File of facexlib's small RetinaFace, the judge of face detectors.
OFFICIAL_DETECTOR = "detection_mobilenet0.25_Final.pth"

#: The role whose stages find a key that others take.
_FINDERS: Mapping[Key[Any], str] = {
    DEFECTS: "detect-scratches",
    FACES: "detect-faces",
    REFERENCES: "find-references",
}
#: What a finder has to be given besides the picture.
_FOUND_IN: Mapping[Key[Any], tuple[Key[Any], ...]] = {REFERENCES: (LIBRARY,)}
#: What the samples of a kind of question know besides the picture.
_KNOWN: Mapping[str, Key[Any]] = {
    "restore": DEFECTS,
    "inpaint": DEFECTS,
    "faces": FACES,
    "colour": REFERENCES,
}
#: What a kind of question looks at in the photograph that comes back.
_RESULTS: Mapping[str, Key[Any]] = {"scratches": DEFECTS, "detection": FACES}
#: Shares of a threshold's upper limit at which a detector is run to rank its pixels.
_SWEEP = (0.005, 0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
#: Side of the tiles, in pixels, with which a network alone is run a second time.
_SMALL_TILE = 128
#: Cleaning that is left out there: it is done to masks, not to scores.
_UNCLEANED = {"min_area_px": 1, "max_width_px": 1000, "grow_px": 0}


@dataclass(frozen=True)
class Host:
    """What stages are run with."""

    registry: Registry
    store: Store
    runner: Runner

    def millions(self, cards: Iterable[WeightsCard]) -> float:
        """Parameters of networks together, in millions; nan where a file cannot be counted."""
        files = [self.store.find(card) for card in cards]
        try:
            return sum(parameters(file) for file in files if file is not None) / 1e6
        except UsageError:  # a published file of another kind
            return math.nan

    def plan(self, steps: tuple[Step, ...], given: tuple[Key[Any], ...] = ()) -> Plan:
        """Plan a few steps for photographs that come with the given keys."""
        return Pipeline(steps, "eval").plan(self.registry, given=(IMAGE, *given), store=self.store)

    def run(self, plan: Plan, sample: Sample, given: tuple[Key[Any], ...] = ()) -> Photo:
        """Run a plan on a sample, telling it what it may know."""
        values = {IMAGE: sample.image, **{key: sample.known[key] for key in given}}
        photo = Photo(values, meta=Meta(source=sample.name))
        return self.runner.run(plan, photo)


@dataclass(frozen=True)
class _Variant:
    """One way of running a stage: what it is told, and what has to run before it."""

    told: tuple[str, ...] = ()
    before: tuple[Step, ...] = ()
    given: tuple[Key[Any], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __add__(self, other: _Variant) -> _Variant:
        return _Variant(
            self.told + other.told,
            self.before + other.before,
            self.given + other.given,
            {**self.options, **other.options},
        )

    def label(self, stage: str) -> str:
        return f"{stage} ({', '.join(self.told)})" if self.told else stage


def stage_rows(chosen: EvaluationSet, host: Host) -> list[Row | Skipped]:
    """Return a row for each fitting stage, each of its weights, and each way of running it.

    A stage that takes a mask, faces or references is run with what the sample knows, with what
    an installed stage finds, and without it where it can do without.
    """
    rows: list[Row | Skipped] = []
    for name in chosen.stages:
        found = [s for s in host.registry.stages.values() if name == s.name or name in s.roles]
        rows += chain.from_iterable(_rows_of(spec, chosen.kind_of_rows, host) for spec in found)
        if not found:
            rows.append(Skipped(name, "no installed stage has this name or fills this role"))
    rows += chain.from_iterable(_rows_with_options(also, chosen, host) for also in chosen.also)
    rows += chain.from_iterable(_rows_of_networks(role, host) for role in chosen.networks)
    if chosen.chain:
        rows.append(_chain_row(chosen.chain, host))
    return rows


def official_detector_file(host: Host) -> Path | None:
    """The file of facexlib's small RetinaFace among the installed weights, or None."""
    cards = [card for card in host.registry.cards.values() if card.file == OFFICIAL_DETECTOR]
    return next((path for card in cards if (path := host.store.find(card)) is not None), None)


def _rows_of(spec: StageSpec, kind: str, host: Host) -> Iterator[Row | Skipped]:
    variants = [_Variant()]
    for key in sorted((spec.needs | spec.uses) - spec.produces - {IMAGE}, key=lambda k: k.name):
        ways = list(_ways(key, key in spec.needs, kind))
        variants = [variant + way for variant in variants for way in ways]
    models = list(_models(spec, host))
    for variant in (model + way for way in variants for model in models):
        yield _row(spec, variant, kind, host)


def _rows_with_options(also: Also, chosen: EvaluationSet, host: Host) -> Iterator[Row | Skipped]:
    """A stage with options of its own, with each of its weights, told what it needs alone."""
    spec = host.registry.stages.get(also.stage)
    if spec is None:
        return
    unknown = sorted(key.name for key in spec.uses - spec.produces - {IMAGE})
    told = (*(f"no {name}" for name in unknown), *(f"{n} {v}" for n, v in also.options.items()))
    known = _KNOWN.get(chosen.kind_of_rows)
    given = (known,) if known is not None and known in spec.needs else ()
    variant = _Variant(told, given=given, options=also.options)
    for model in _models(spec, host):
        yield _row(spec, model + variant, chosen.kind_of_rows, host)


def _ways(key: Key[Any], needed: bool, kind: str) -> Iterator[_Variant]:
    """Ways to deal with a key that a stage takes."""
    if _KNOWN.get(kind) is key:
        yield _Variant((f"{key.name} known",), given=(key,))
    if key in _FINDERS:
        yield _Variant(
            (f"{key.name} found",), before=(Step(_FINDERS[key]),), given=_FOUND_IN.get(key, ())
        )
    if not needed:
        yield _Variant((f"no {key.name}",))


def _models(spec: StageSpec, host: Host) -> Iterator[_Variant]:
    """One variant for each installed set of weights, or one without a choice."""
    if not spec.weights:
        yield _Variant()
        return
    option, role = next(iter(spec.weights.items()))
    cards = [card for card in host.registry.cards.values() if card.role == role]
    installed = [card.id for card in cards if host.store.installed(card)]
    for name in installed or ["auto"]:
        yield _Variant((name,), options={option: name})


def _row(spec: StageSpec, variant: _Variant, kind: str, host: Host) -> Row | Skipped:
    name = variant.label(spec.name)
    step = Step(spec.name, options=variant.options)
    result = _RESULTS.get(kind, IMAGE)
    try:
        plan = host.plan((*variant.before, step), variant.given)
    except OldfixError as error:
        return Skipped(name, str(error))
    how = ", then ".join(planned.spec.name for planned in plan.steps)
    scores = _swept(spec, step, host) if kind == "scratches" else None

    def run(sample: Sample) -> Any:
        return host.run(plan, sample, variant.given).get(result)

    cards = {card.id: card for planned in plan.steps for card in planned.cards.values()}
    millions = host.millions(cards.values())
    return Row(name, "oldfix", how, run, scores, host.registry.owner(spec.name), millions)


def _rows_of_networks(role: str, host: Host) -> Iterator[Row | Skipped]:
    """A row for each installed network of a role, called as a whole."""
    cards = [card for card in host.registry.cards.values() if card.role == role]
    installed = [card for card in cards if host.store.installed(card)]
    if not installed:
        yield Skipped(role, "no installed network fills this role")
    for card in installed:
        yield _network_row(card, host)
        yield _network_row(card, host, tile=_SMALL_TILE)


def _network_row(card: WeightsCard, host: Host, tile: int | None = None) -> Row:
    """A network over a picture; in pieces of its own size, or in smaller ones."""
    from oldfix.engine.apply import Job, Layout, apply
    from oldfix.engine.models import ModelCache

    cache = ModelCache(host.store, device=host.runner.device, precision=host.runner.precision)
    layout = Layout.for_device(cache.device) if tile is None else Layout(tile, batch=1)

    def run(sample: Sample) -> Any:
        with cache.use(card, lambda *_: None) as model:
            job = Job(model, "", {}, layout, lambda *_: None, lambda **_: None)
            return np.clip(apply(job, [sample.image]), 0, 1)

    name = card.id if tile is None else f"tiled {card.id}"
    how = card.variant or "the network alone"
    told = how if tile is None else f"{how}, in tiles of {tile} px"
    return Row(name, "oldfix", told, run, millions=host.millions([card]))


def _chain_row(switches: tuple[str, ...], host: Host) -> Row | Skipped:
    """The preset chain with some switches on."""
    name = f"oldfix restore ({', '.join(switches)})"
    try:
        plan = host.plan(preset(**dict.fromkeys(switches, True)).steps)
    except OldfixError as error:
        return Skipped(name, str(error))
    how = ", then ".join(planned.spec.name for planned in plan.steps)
    cards = {card.id: card for planned in plan.steps for card in planned.cards.values()}

    def run(sample: Sample) -> Any:
        return host.run(plan, sample)[IMAGE]

    return Row(name, "oldfix", how, run, millions=host.millions(cards.values()))


def _swept(spec: StageSpec, step: Step, host: Host) -> Callable[[Sample], Any] | None:
    """Rank pixels by what a detector gives without thresholds, if it has an option ``soft``.

    Otherwise by the highest threshold at which it still marks them; None if the stage has no number
    called ``threshold`` with limits on both sides.
    """
    if "soft" in spec.options.model_fields:
        soft = host.plan((replace(step, options={**step.options, "soft": True}),))
        return lambda sample: host.run(soft, sample)[DEFECTS]
    names = {"threshold", "low_threshold"} & set(spec.options.model_fields)
    limits = [pair for name in names if (pair := _limits(spec, name)) is not None]
    if "threshold" not in names or len(limits) < len(names):
        return None
    low, high = max(pair[0] for pair in limits), min(pair[1] for pair in limits)

    uncleaned = {k: v for k, v in _UNCLEANED.items() if k in spec.options.model_fields}

    def plan_at(value: float) -> Plan:
        options = {**step.options, **uncleaned, **dict.fromkeys(names, value)}
        return host.plan((replace(step, options=options),))

    plans = {share: plan_at(low + share * (high - low)) for share in _SWEEP}

    def scores(sample: Sample) -> Any:
        maps = [share * (host.run(p, sample)[DEFECTS] > 0.5) for share, p in plans.items()]
        return np.max(maps, axis=0)

    return scores


def _limits(spec: StageSpec, option: str) -> tuple[float, float] | None:
    """Lowest and highest value of a number, or None."""
    schema = spec.options.model_json_schema()["properties"][option]
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if schema.get("type") != "number" or low is None or high is None:
        return None
    return float(low), float(high)
