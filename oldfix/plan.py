"""Plans: a pipeline checked against what is installed. Only a plan can run.

Planning imports no stage code and no torch, and reports every problem at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from oldfix.errors import PipelineError, UsageError, WeightsError
from oldfix.keys import IMAGE, Key
from oldfix.options import OptionProblems, Options, did_you_mean
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import Registry
from oldfix.stage import NO_WEIGHTS, StageSpec
from oldfix.weights.card import WeightsCard
from oldfix.weights.store import Store


@dataclass(frozen=True)
class PlannedStep:
    """A step with its stage found, its options typed and its weights chosen.

    Attributes:
        step: the step as written, its options now typed and complete where they were set.
        spec: the stage.
        options: every option, with "auto" and "if-installed" replaced by the id of the chosen
            weights, or by "none".
        cards: the weights it may load, by id, companions included.
        only: the mask key the step is limited to, or None.
    """

    step: Step
    spec: StageSpec
    options: Options
    cards: Mapping[str, WeightsCard]
    only: Key[Any] | None = None


@dataclass(frozen=True)
class Plan:
    """A pipeline that can run.

    Attributes:
        pipeline: the pipeline with typed options and chosen weights; running it again gives the
            same plan.
        steps: what happens, in order.
        registry, store: what it was planned against.
    """

    pipeline: Pipeline
    steps: tuple[PlannedStep, ...]
    registry: Registry
    store: Store


def make_plan(
    pipeline: Pipeline,
    registry: Registry,
    *,
    given: Iterable[Key[Any]] = (IMAGE,),
    settings: Mapping[str, Mapping[str, str]] | None = None,
    store: Store | None = None,
) -> Plan:
    """Check a pipeline: stages, options, keys in order, weights.

    Args:
        pipeline: what to run.
        registry: what is installed.
        given: keys that come with the photograph (the image always does).
        settings: text values of options by step id, as ``--set`` gives them.
        store: where weights are; the default places if None.

    Raises:
        PipelineError: every problem, one line each.
        WeightsError: nothing but weights is missing or damaged.
    """
    settings = settings or {}
    planner = _Planner(registry, store or Store(), {IMAGE, *given})
    planner.check_ids(pipeline, settings)
    steps = []
    for number, step in enumerate(pipeline.steps, 1):
        planner.place = f"step {number} ({step.id})"
        planned = planner.plan_step(step, settings.get(step.id, {}))
        if planned is not None:
            steps.append(replace(planned, only=planner.check_keys(planned)))
            planner.available |= planned.spec.produces
    planner.raise_problems(pipeline.name)
    typed = replace(pipeline, steps=tuple(item.step for item in steps))
    return Plan(typed, tuple(steps), registry, planner.store)


@dataclass
class _Planner:
    """What planning knows so far; problems gather here until the last step is looked at."""

    registry: Registry
    store: Store
    available: set[Key[Any]]
    place: str = ""
    problems: list[str] = field(default_factory=list)
    weights_problems: list[str] = field(default_factory=list)

    def raise_problems(self, where: str) -> None:
        if self.problems:
            raise PipelineError(where, [*self.problems, *self.weights_problems])
        if self.weights_problems:
            raise WeightsError("\n".join(f"{where}: {line}" for line in self.weights_problems))

    def check_ids(self, pipeline: Pipeline, settings: Mapping[str, Mapping[str, str]]) -> None:
        ids = [step.id for step in pipeline.steps]
        for repeated in sorted({name for name in ids if ids.count(name) > 1}):
            count = ids.count(repeated)
            self.problems.append(f"{count} steps have the id '{repeated}'; give each its own id")
        for name in settings:
            if name not in ids:
                cure = did_you_mean(name, ids) or f"; it has: {', '.join(ids)}"
                self.problems.append(f"--set {name}.…: no step '{name}' in this pipeline{cure}")
        if not ids:
            self.problems.append("has no steps left to run; switch at least one on")

    def plan_step(self, step: Step, text: Mapping[str, str]) -> PlannedStep | None:
        """Find the stage, type its options, choose its weights; None without a stage."""
        try:
            spec = self.registry.resolve(step.use)
        except UsageError as error:
            self._problem(str(error))
            return None
        options = self._parse_options(spec, step, text)
        if options is None:
            return PlannedStep(step, spec, spec.options.model_construct(), {})
        chosen, cards = self._choose_weights(spec, options)
        complete = options.model_copy(update=chosen)
        kept = {name: getattr(complete, name) for name in options.model_fields_set | set(chosen)}
        return PlannedStep(replace(step, options=kept), spec, complete, cards)

    def check_keys(self, planned: PlannedStep) -> Key[Any] | None:
        """Check what the step needs, its blend and its mask; return the mask's key."""
        spec, step = planned.spec, planned.step
        for key in sorted(spec.needs - self.available, key=lambda k: k.name):
            self._problem(self._missing(key))
        if (step.blend != 1.0 or step.only) and (IMAGE not in spec.produces or spec.resizes):
            why = "changes the picture's size" if spec.resizes else "does not change the picture"
            self._problem(f"blend and only have no meaning here: it {why}")
        if not step.only:
            return None
        keys = self.registry.keys()
        mask = keys.get(step.only)
        if mask is None:
            self._problem(f"only: no key named '{step.only}'{did_you_mean(step.only, keys)}")
        elif mask not in self.available:
            self._problem(f"only: {self._missing(mask)}")
        return mask

    def _problem(self, text: str) -> None:
        self.problems.append(f"{self.place}: {text}")

    def _weights_problem(self, text: str) -> None:
        self.weights_problems.append(f"{self.place}: {text}")

    def _parse_options(
        self, spec: StageSpec, step: Step, text: Mapping[str, str]
    ) -> Options | None:
        """Parse typed values strictly and text ones leniently; text wins."""
        found: list[str] = []
        parsed: list[Options] = []
        typed = {name: value for name, value in step.options.items() if name not in text}
        for values, as_text in ((typed, False), (text, True)):
            try:
                parsed.append(spec.options.parse(values, text=as_text))
            except OptionProblems as error:
                found += error.problems
        for line in found:
            self._problem(line)
        if found:
            return None
        return parsed[0].model_copy(update={name: getattr(parsed[1], name) for name in text})

    def _choose_weights(
        self, spec: StageSpec, options: Options
    ) -> tuple[dict[str, str], dict[str, WeightsCard]]:
        """Resolve each weights option to a card's id; check the files of all cards needed."""
        chosen: dict[str, str] = {}
        cards: dict[str, WeightsCard] = {}
        for option, role in spec.weights.items():
            card = self._pick(option, role, getattr(options, option))
            if card is not None:
                chosen[option] = card.id
                cards |= {item.id: item for item in (card, *self._companions(card))}
            elif getattr(options, option) in {NO_WEIGHTS, "if-installed"}:
                chosen[option] = NO_WEIGHTS
        for card in cards.values():
            try:
                self.store.verify(card)
            except WeightsError as error:
                self._weights_problem(str(error))
        return chosen, cards

    def _pick(self, option: str, role: str, wanted: str) -> WeightsCard | None:
        """The card an option names, the best installed one of its role, or none."""
        if wanted == NO_WEIGHTS:
            return None
        fitting = {c.id: c for c in self.registry.cards.values() if c.role == role}
        if wanted in {"auto", "if-installed"}:
            best = self.store.best(fitting.values(), role)
            if best is None and wanted == "auto":
                names = ", ".join(fitting) or "none known"
                self._weights_problem(
                    f"no weights for '{role}' are installed (known: {names}); "
                    "see 'oldfix weights list'"
                )
            return best
        if (own := _own_folder(wanted, fitting.values())) is not None:
            return own
        if wanted not in fitting:
            cure = did_you_mean(wanted, fitting) or f"; it has: {', '.join(['auto', *fitting])}"
            self._problem(f"{option}: no weights named '{wanted}'{cure}")
        return fitting.get(wanted)

    def _companions(self, card: WeightsCard) -> tuple[WeightsCard, ...]:
        """Cards that a card says it works with."""
        known = self.registry.cards
        for name in card.requires:
            if name not in known:
                self._weights_problem(f"{card.id} needs weights '{name}', which nobody provides")
        return tuple(known[name] for name in card.requires if name in known)

    def _missing(self, key: Key[Any]) -> str:
        """Say that nothing before produces a key, and what would."""
        makers = [s.name for s in self.registry.stages.values() if key in s.produces]
        cures = [f"put {makers[0]} before it"] if makers else []
        if key.read is not None:
            cures.append(f"pass --give {key.name}=FILE")
        cure = f"; {' or '.join(cures)}" if cures else ""
        return f"needs '{key.name}', which nothing before it produces{cure}"


def _own_folder(wanted: str, fitting: Iterable[WeightsCard]) -> WeightsCard | None:
    """The card of a folder that an option names by its path, or None if it names no path."""
    folders = [card for card in fitting if card.layout]
    if not folders or not ("/" in wanted or os.sep in wanted or wanted.startswith("~")):
        return None
    common = [name for name in folders[0].layout if all(name in card.layout for card in folders)]
    return folders[0].model_copy(update={"layout": tuple(common)}).at(Path(wanted))
