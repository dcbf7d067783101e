"""The contract kit: what every stage must keep, as tests a plugin author inherits.

::

    from oldfix.testing import StageContract

    class TestRemoveDust(StageContract):
        stage = "remove-dust"
        options = {"radius_px": 2}

Networks are the cards' tiny ones, so the kit runs on any machine in seconds.
"""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from oldfix.errors import Cancelled, PipelineError
from oldfix.events import Event, StepProgress
from oldfix.keys import DEFECTS, FACES, IMAGE, REFERENCES, Face, Key, resolve
from oldfix.photo import Photo
from oldfix.pipeline import Pipeline, Step
from oldfix.plan import Plan
from oldfix.registry import Registry, discover
from oldfix.runner import Runner
from oldfix.stage import StageSpec
from oldfix.weights.card import WeightsCard
from oldfix.weights.store import Store

SIZES = ((1, 1), (31, 37), (64, 64), (200, 129))


class TinyStore(Store):
    """A store in which every card is installed, as its tiny network."""

    def __init__(self) -> None:
        super().__init__(())

    def installed(self, card: WeightsCard) -> bool:
        """Every card is."""
        return True

    def verify(self, card: WeightsCard) -> Path:
        """There is no file to check."""
        return Path(card.file)

    def network(self, card: WeightsCard) -> Any:
        """The card's tiny network, with the same random values each time."""
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return resolve(card.tiny)()


def count_parameters(net: Any) -> int:
    """How many numbers a network learns, frozen ones included."""
    return sum(parameter.numel() for parameter in net.parameters())


def example_photo(height: int, width: int, *, seed: int = 0, grey: bool = False) -> Photo:
    """A smooth coloured picture with some noise; the same for the same arguments."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = [np.sin(x / (7 + 3 * c)) * np.cos(y / (11 - 2 * c)) for c in range(3)]
    image = 0.5 + 0.3 * np.stack(waves, axis=2) + rng.normal(0, 0.03, (height, width, 3))
    if grey:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    image = np.clip(image, 0, 1).astype(np.float32)
    return Photo.from_array(image, source=f"example-{height}x{width}", grey=grey)


def example_value(key: Key[Any], photo: Photo) -> Any:
    """A value of a built-in key that fits the photograph."""
    height, width = photo.size
    if key is DEFECTS:
        mask = np.zeros((height, width), np.float32)
        mask[height // 3 : height // 3 + 2] = 1
        return mask
    if key is FACES:
        centre, size = np.array([width, height]) / 2, min(width, height) / 4
        offsets = [(-0.5, -0.4), (0.5, -0.4), (0, 0.1), (-0.4, 0.6), (0.4, 0.6)]
        points = (centre + np.array(offsets) * size).astype(np.float32)
        low, high = (centre - size * 1.2).tolist(), (centre + size * 1.2).tolist()
        return (Face((low[0], low[1], high[0], high[1]), 0.99, points),)
    if key is REFERENCES:
        return (example_photo(48, 56, seed=9)[IMAGE],)
    raise KeyError(f"no example value for '{key.name}'; override `given` in the test class")


class StageContract:
    """Inherit, name the stage, and run pytest.

    Attributes:
        stage: name of the stage.
        options: options to run it with.
        sizes: (height, width) of the pictures tried.
    """

    stage: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    sizes: ClassVar[tuple[tuple[int, int], ...]] = SIZES

    def given(self, key: Key[Any], photo: Photo) -> Any:
        """A value for a key the stage needs; override for a plugin's own keys."""
        return example_value(key, photo)

    @pytest.fixture
    def registry(self) -> Registry:
        """What is installed; override to test a plugin that is not."""
        return _installed()

    @pytest.fixture
    def spec(self, registry: Registry) -> StageSpec:
        """The stage's declaration."""
        return registry.stages[self.stage]

    @pytest.fixture
    def plan(self, registry: Registry, spec: StageSpec) -> Plan:
        """A plan of this one step, on tiny networks."""
        return self.make_plan(registry, spec)

    def make_plan(self, registry: Registry, spec: StageSpec, **step: Any) -> Plan:
        """Plan this one step; ``step`` sets blend or only."""
        pipeline = Pipeline((Step(self.stage, options=self.options, **step),))
        given = {IMAGE, DEFECTS, *spec.needs, *spec.uses}
        return pipeline.plan(registry, given=given, store=TinyStore())

    def photo(self, spec: StageSpec, height: int, width: int, **how: Any) -> Photo:
        """A photograph with everything the stage needs or uses."""
        photo = example_photo(height, width, **how)
        for key in sorted({*spec.needs, *spec.uses} - {IMAGE}, key=lambda k: k.name):
            photo = photo.put(key, self.given(key, photo))
        return photo

    def run(self, plan: Plan, photo: Photo, **runner: Any) -> Photo:
        """Run the plan on the CPU in float32."""
        settings = {"device": "cpu", "precision": "float32", **runner}
        with Runner(**settings) as running:
            return running.run(plan, photo)

    def test_is_declared_without_torch(self) -> None:
        code = (
            "import sys, oldfix.registry as r; registry = r.discover(); "
            f"assert {self.stage!r} in registry.stages; "
            "assert 'torch' not in sys.modules, 'discovery imports torch'"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def test_names_what_exists(self, registry: Registry, spec: StageSpec) -> None:
        assert callable(spec.function())
        for card in self.cards(registry, spec):
            assert callable(resolve(card.load)), card.id
            assert callable(resolve(card.tiny)), card.id
            assert all(name in registry.cards for name in card.requires), card.id

    def test_options_survive_toml_and_text(self, spec: StageSpec, plan: Plan) -> None:
        pipeline = plan.pipeline
        assert Pipeline.from_toml(pipeline.to_toml()) == pipeline
        options = spec.options.parse(self.options)
        text = {name: _as_text(value) for name, value in options.model_dump(mode="json").items()}
        assert spec.options.parse(text, text=True) == options

    def test_describes_every_option(self, spec: StageSpec) -> None:
        for name, option in spec.options.model_fields.items():
            assert option.description, f"{name} has no description"

    def test_refuses_unknown_options(self, registry: Registry, spec: StageSpec) -> None:
        pipeline = Pipeline((Step(self.stage, options={"no_such_option": 1}),))
        with pytest.raises(PipelineError, match="no_such_option"):
            pipeline.plan(registry, given={IMAGE, *spec.needs}, store=TinyStore())

    def test_takes_any_size(self, spec: StageSpec, plan: Plan) -> None:
        for height, width in self.sizes:
            photo = self.photo(spec, height, width)
            after = self.run(plan, photo)
            if not spec.resizes:
                assert after.size == photo.size

    def test_transparency_keeps_the_size_of_the_picture(self, spec: StageSpec, plan: Plan) -> None:
        photo = self.photo(spec, 64, 48)
        alpha = np.linspace(0, 1, 64 * 48, dtype=np.float32).reshape(64, 48)
        after = self.run(plan, photo.with_meta(replace(photo.meta, alpha=alpha)))
        assert after.meta.alpha.shape == after.size

    def test_leaves_its_input_alone(self, spec: StageSpec, plan: Plan) -> None:
        photo = self.photo(spec, 64, 64)
        before = photo[IMAGE].copy()
        self.run(plan, photo)
        np.testing.assert_array_equal(photo[IMAGE], before)

    def test_writes_a_history_that_json_can_hold(self, spec: StageSpec, plan: Plan) -> None:
        after = self.run(plan, self.photo(spec, 64, 64))
        assert len(after.history) == 1
        json.dumps(after.history[0])

    def test_same_seed_gives_the_same_pixels(self, spec: StageSpec, plan: Plan) -> None:
        photo = self.photo(spec, 64, 64)
        first, second = self.run(plan, photo, seed=3), self.run(plan, photo, seed=3)
        np.testing.assert_array_equal(first[IMAGE], second[IMAGE])

    def test_tiles_agree_with_the_whole(
        self, registry: Registry, spec: StageSpec, plan: Plan
    ) -> None:
        cards = self.cards(registry, spec)
        if not cards:
            pytest.skip("no networks")
        photo = self.photo(spec, 200, 129)
        tiled, whole = self.run(plan, photo, tile=64), self.run(plan, photo, tile=4096)
        seam = max(part.seam for card in cards for part in card.parts.values())
        for key in spec.produces:
            if isinstance(whole.get(key), np.ndarray):
                difference = np.abs(tiled[key] - whole[key])
                assert float(difference.max()) <= seam, f"{key.name}: a seam of {difference.max()}"

    def test_grey_stays_grey(self, spec: StageSpec, plan: Plan) -> None:
        if spec.colours:
            pytest.skip("gives colour")
        image = self.run(plan, self.photo(spec, 64, 64, grey=True))[IMAGE]
        np.testing.assert_array_equal(image[..., 0], image[..., 1])
        np.testing.assert_array_equal(image[..., 0], image[..., 2])

    def test_blend_zero_is_the_identity(self, registry: Registry, spec: StageSpec) -> None:
        if IMAGE not in spec.produces or spec.resizes:
            pytest.skip("blend has no meaning here")
        photo = self.photo(spec, 64, 64)
        after = self.run(self.make_plan(registry, spec, blend=0.0), photo)
        np.testing.assert_array_equal(after[IMAGE], photo[IMAGE])

    def test_only_touches_nothing_outside_the_mask(
        self, registry: Registry, spec: StageSpec
    ) -> None:
        if IMAGE not in spec.produces or spec.resizes:
            pytest.skip("only has no meaning here")
        photo = self.photo(spec, 64, 64)
        photo = photo.put(DEFECTS, example_value(DEFECTS, photo))
        after = self.run(self.make_plan(registry, spec, only="defects"), photo)
        sound = photo[DEFECTS] == 0
        np.testing.assert_array_equal(after[IMAGE][sound], photo[IMAGE][sound])

    def test_progress_only_grows(self, spec: StageSpec, plan: Plan) -> None:
        seen: list[Event] = []
        self.run(plan, self.photo(spec, 64, 64), observer=seen.append)
        steps = [event for event in seen if isinstance(event, StepProgress)]
        assert all(0 <= event.done <= event.total for event in steps)

    def test_cancelling_leaves_no_network_pinned(self, spec: StageSpec, plan: Plan) -> None:
        def stop(event: Event) -> None:
            if isinstance(event, StepProgress):
                raise Cancelled("enough")

        with Runner(device="cpu", observer=stop) as runner:
            with contextlib.suppress(Cancelled):
                runner.run(plan, self.photo(spec, 64, 64))
            assert runner.models(plan.store).pinned() == []

    def test_listed_precisions_are_close_to_float32(
        self, registry: Registry, spec: StageSpec, plan: Plan
    ) -> None:
        listed = {p for card in self.cards(registry, spec) for p in card.precision}
        if "bfloat16" not in listed:
            pytest.skip("runs in float32 alone")
        photo = self.photo(spec, 64, 64)
        exact = self.run(plan, photo)
        close = self.run(plan, photo, precision="bfloat16")
        assert float(np.abs(exact[IMAGE] - close[IMAGE]).mean()) < 0.02

    def cards(self, registry: Registry, spec: StageSpec) -> list[WeightsCard]:
        """Every card the stage may choose, companions included."""
        roles = set(spec.weights.values())
        chosen = [card for card in registry.cards.values() if card.role in roles]
        names = {name for card in chosen for name in card.requires}
        return [*chosen, *(registry.cards[name] for name in sorted(names))]


@functools.cache
def _installed() -> Registry:
    return discover()


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
