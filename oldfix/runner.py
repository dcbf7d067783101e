"""Run plans: one step after the other, every result checked against what its stage declares."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from oldfix.blending import limit_change, restore_grey
from oldfix.contract import check_result
from oldfix.errors import OldfixError, StageError
from oldfix.events import (
    Event,
    ModelLoaded,
    Observer,
    StepFinished,
    StepProgress,
    StepStarted,
    Warned,
)
from oldfix.keys import IMAGE
from oldfix.photo import Photo
from oldfix.plan import Plan, PlannedStep
from oldfix.weights.store import Store

if TYPE_CHECKING:
    from oldfix.engine.models import LoadedModel, ModelCache


class Runner:
    """Runs plans on photographs; keeps networks loaded between photographs.

    One runner may serve several threads: it keeps nothing of a photograph.

    Args:
        device: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1" …
        precision: "auto", "float32", "bfloat16" or "float16".
        seed: the run's seed; each step draws its own from it and its id.
        tile, batch: size and number of tiles run at a time; None means what suits the device.
        observer: called with every event; raising `Cancelled` in it stops the run.
    """

    def __init__(
        self,
        *,
        device: str = "auto",
        precision: str = "auto",
        seed: int = 0,
        tile: int | None = None,
        batch: int | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.device, self.precision, self.seed = device, precision, seed
        self.tile, self.batch = tile, batch
        self._observe: Observer = observer or (lambda event: None)
        self._models: ModelCache | None = None

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of every loaded network."""
        if self._models is not None:
            self._models.clear()

    def run(self, plan: Plan, photo: Photo) -> Photo:
        """Run every step and return the restored photograph with its history.

        Raises:
            StageError: a stage failed or broke its contract; names photograph and step.
            OldfixError: weights or device cannot be used, or the observer cancelled.
        """
        result = photo
        for _, after in self.steps(plan, photo):
            result = after
        return result

    def steps(self, plan: Plan, photo: Photo) -> Iterator[tuple[PlannedStep, Photo]]:
        """Like `run`, one step at a time: yields each step with the photograph after it."""
        for index, planned in enumerate(plan.steps):
            name = photo.meta.source
            self._observe(StepStarted(name, planned.step.id, index, len(plan.steps)))
            start = time.perf_counter()
            context = StepContext(self, plan, planned, name)
            after = self._run_step(planned, photo, context)
            seconds = time.perf_counter() - start
            entry = _history_entry(plan, planned, context, seconds)
            photo = after.record(entry)
            self._observe(StepFinished(name, planned.step.id, seconds))
            yield planned, photo

    def _run_step(self, planned: PlannedStep, photo: Photo, context: StepContext) -> Photo:
        where = f"{photo.meta.source}: step {planned.step.id} ({planned.spec.name})"
        try:
            after = planned.spec.function()(photo, planned.options, context)
        except OldfixError as error:
            if type(error) is StageError:
                raise StageError(f"{where}: {error}") from error
            raise
        except Exception as error:  # a stage's code may raise anything
            raise StageError(f"{where}: {type(error).__name__}: {error}") from error
        after = check_result(where, planned.spec, photo, after)
        return _finish(planned, photo, after)

    def models(self, store: Store) -> ModelCache:
        """The loaded networks; torch is imported here, the first time one is asked for."""
        if self._models is None:
            from oldfix.engine.models import ModelCache

            self._models = ModelCache(store, device=self.device, precision=self.precision)
        return self._models

    def tell(self, event: Event) -> None:
        """Pass an event to the observer."""
        self._observe(event)


class StepContext:
    """What one step of one photograph may ask of the host; see `oldfix.Context`."""

    def __init__(self, runner: Runner, plan: Plan, planned: PlannedStep, photo: str) -> None:
        self._runner, self._plan, self._planned, self._photo = runner, plan, planned, photo
        self.seed = step_seed(runner.seed, planned.step.id)
        self.rng = np.random.default_rng(self.seed)
        self.facts: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.used: dict[str, LoadedModel] = {}

    @contextmanager
    def model(self, card_id: str) -> Iterator[LoadedModel]:
        """Load a network (once) and keep it in memory while the block lasts."""
        card = self._planned.cards.get(card_id)
        if card is None:
            known = ", ".join(self._planned.cards) or "none"
            raise StageError(f"asked for weights '{card_id}', which it does not declare ({known})")
        models = self._runner.models(self._plan.store)
        with models.use(card, self._loaded) as model:
            self.used[card_id] = model
            yield model

    def apply(self, model: Any, image: Any, *planes: Any, part: str = "", **extra: Any) -> Any:
        """Run a network over an image in tiles."""
        from oldfix.engine.apply import apply

        return apply(self._job(model, part, extra), [image, *planes])

    def apply_many(
        self, model: Any, images: Sequence[Any], *, part: str = "", **extra: Any
    ) -> list[Any]:
        """Run a network over equally large images, in batches."""
        from oldfix.engine.apply import apply_many

        return apply_many(self._job(model, part, extra), images)

    def report(self, done: float, total: float) -> None:
        """Say how far the stage is."""
        self._runner.tell(StepProgress(self._photo, self._planned.step.id, done, total))

    def note(self, **facts: Any) -> None:
        """Write facts into the step's history entry."""
        self.facts.update(facts)

    def warn(self, message: str) -> None:
        """Tell the user something, and record it."""
        self.warnings.append(message)
        self._runner.tell(Warned(self._photo, self._planned.step.id, message))

    def _loaded(self, card_id: str, seconds: float) -> None:
        self._runner.tell(ModelLoaded(self._photo, self._planned.step.id, card_id, seconds))

    def _job(self, model: LoadedModel, part: str, extra: Mapping[str, Any]) -> Any:
        from oldfix.engine.apply import Job, Layout

        suited = Layout.for_device(model.device)
        layout = Layout(self._runner.tile or suited.tile, self._runner.batch or suited.batch)
        return Job(model, part, extra, layout, self.report, self.note)


def step_seed(run_seed: int, step_id: str) -> int:
    """A step's seed; adding a step does not change the others'."""
    digest = hashlib.sha256(f"{run_seed}/{step_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _finish(planned: PlannedStep, before: Photo, after: Photo) -> Photo:
    """Apply blend, mask and greyness to the picture a stage gave."""
    if after[IMAGE] is before[IMAGE]:
        return after
    image = after[IMAGE]
    if planned.spec.colours:
        after = after.with_meta(replace(after.meta, grey=False))
    elif before.meta.grey:
        image = restore_grey(image)
    mask = before[planned.only] if planned.only is not None else None
    image = limit_change(before[IMAGE], image, planned.step.blend, mask)
    return after.put(IMAGE, image) if image is not after[IMAGE] else after


def _history_entry(
    plan: Plan, planned: PlannedStep, context: StepContext, seconds: float
) -> Mapping[str, Any]:
    """What happened in a step, ready for JSON."""
    name = planned.spec.name
    entry: dict[str, Any] = {
        "step": planned.step.id,
        "stage": name,
        "plugin": plan.registry.owner(name),
        "version": plan.registry.version_of(name),
        "options": planned.options.model_dump(mode="json"),
        "seed": context.seed,
        "seconds": round(seconds, 3),
    }
    if context.used:
        model = next(iter(context.used.values()))
        entry["device"] = str(model.device)
        entry["weights"] = {
            name: {"sha256": model.card.sha256, "precision": model.precision}
            for name, model in context.used.items()
        }
    if context.facts:
        entry["notes"] = context.facts
    if context.warnings:
        entry["warnings"] = context.warnings
    return entry
