from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from oldfix import (
    DEFECTS,
    FACES,
    IMAGE,
    REFERENCES,
    Cancelled,
    Photo,
    Pipeline,
    Runner,
    StageError,
    StageSpec,
    Step,
)
from oldfix.events import Event, StepFinished, StepStarted
from oldfix.runner import step_seed
from oldfix.testing import TinyStore, example_photo, example_value
from tests.core import plugins
from tests.core.plugins import make_registry, spec


def run(photo: Photo, *steps: Step | str, registry: object = None, **runner: object) -> Photo:
    pipeline = Pipeline(tuple(Step(s) if isinstance(s, str) else s for s in steps))
    plan = pipeline.plan(registry or make_registry(), given=tuple(photo), store=TinyStore())  # type: ignore[arg-type]
    with Runner(device="cpu", **runner) as running:  # type: ignore[arg-type]
        return running.run(plan, photo)


def test_only_limits_a_step_to_the_mask() -> None:
    photo = example_photo(8, 8)
    after = run(photo, "mark", Step("brighten", options={"amount": 0.5}, only="defects"))
    np.testing.assert_array_equal(after[IMAGE][4:], photo[IMAGE][4:])
    assert (after[IMAGE][:4] > photo[IMAGE][:4]).all()


def test_blend_goes_part_of_the_way() -> None:
    photo = Photo.from_array(np.full((4, 4, 3), 0.2, np.float32))
    after = run(photo, Step("brighten", options={"amount": 0.4}, blend=0.5))
    np.testing.assert_allclose(after[IMAGE], 0.4, atol=1e-6)


def test_other_keys_follow_a_new_size() -> None:
    after = run(example_photo(9, 7), "mark", "halve")
    assert after.size == (5, 4)
    assert after[DEFECTS].shape == (5, 4)


def with_alpha(photo: Photo, alpha: object) -> Photo:
    return photo.with_meta(replace(photo.meta, alpha=alpha))


def test_alpha_follows_a_new_size() -> None:
    alpha = np.linspace(0, 1, 9, dtype=np.float32)[:, None].repeat(7, axis=1)
    after = run(with_alpha(example_photo(9, 7), alpha), "halve")
    assert after.meta.alpha.shape == (5, 4)
    assert (np.diff(after.meta.alpha[:, 0]) > 0).all()


def halve_both(photo: Photo, options: object, ctx: object) -> Photo:
    image = np.ascontiguousarray(photo[IMAGE][::2, ::2])
    return with_alpha(photo.put(IMAGE, image), photo.meta.alpha[::2, ::2])


def halve_image(photo: Photo, options: object, ctx: object) -> Photo:
    image = np.ascontiguousarray(photo[IMAGE][::2, ::2])
    return with_alpha(photo.put(IMAGE, image), photo.meta.alpha.copy())


def lose_alpha(photo: Photo, options: object, ctx: object) -> Photo:
    return with_alpha(photo, None)


def resizing(function: str, photo: Photo) -> Photo:
    stage = StageSpec("resizing", "changes the size", f"{__name__}:{function}", resizes=True)
    return run(photo, "resizing", registry=make_registry([stage]))


def test_a_stage_that_resizes_may_hand_back_its_own_alpha() -> None:
    alpha = np.random.default_rng(0).random((9, 7), np.float32)
    photo = with_alpha(example_photo(9, 7), alpha)
    after = resizing("halve_both", photo)
    np.testing.assert_array_equal(after.meta.alpha, alpha[::2, ::2])
    assert not after.meta.alpha.flags.writeable
    with pytest.raises(StageError, match=r"alpha has the size \(9, 7\), the picture \(5, 4\)"):
        resizing("halve_image", photo)
    with pytest.raises(StageError, match="alpha must be"):
        resizing("lose_alpha", photo)


def test_a_one_channel_photograph_stays_grey() -> None:
    image = run(example_photo(8, 8, grey=True), "noise")[IMAGE]
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_adding_a_step_does_not_change_the_seeds_of_others() -> None:
    assert step_seed(7, "noise") == step_seed(7, "noise")
    assert step_seed(7, "noise") != step_seed(8, "noise")
    photo = example_photo(8, 8)
    alone = run(photo, "noise", seed=7)
    after_another = run(photo, Step("brighten", blend=0.0), "noise", seed=7)
    np.testing.assert_array_equal(alone[IMAGE], after_another[IMAGE])


def test_keys_a_stage_leaves_alone_keep_their_identity() -> None:
    photo = example_photo(8, 8)
    for key in (FACES, REFERENCES):
        photo = photo.put(key, example_value(key, photo))
    after = run(photo, "brighten")
    assert after[FACES] is photo[FACES]


def lie_about_keys(photo: Photo, options: object, ctx: object) -> Photo:
    return photo.put(DEFECTS, np.zeros(photo.size, np.float32))


def lie_about_size(photo: Photo, options: object, ctx: object) -> Photo:
    return photo.put(IMAGE, np.zeros((2, 2, 3), np.float32))


def give_nan(photo: Photo, options: object, ctx: object) -> Photo:
    return photo.put(IMAGE, np.full(photo[IMAGE].shape, np.nan, np.float32))


def write_in_place(photo: Photo, options: object, ctx: object) -> Photo:
    photo[IMAGE][:] = 0
    return photo


def lie_about_alpha(photo: Photo, options: object, ctx: object) -> Photo:
    return with_alpha(photo, np.ones(photo.size, np.float32))


def lie_about_meta(photo: Photo, options: object, ctx: object) -> Photo:
    return photo.with_meta(replace(photo.meta, dpi=(300.0, 300.0)))


def give_nothing(photo: Photo, options: object, ctx: object) -> None:
    return None


@pytest.mark.parametrize(
    ("function", "what"),
    [
        ("lie_about_keys", "changed defects, which it does not declare"),
        ("lie_about_size", "without declaring resizes"),
        ("lie_about_alpha", "changed alpha without declaring resizes"),
        ("lie_about_meta", "meta or history"),
        ("give_nan", "finite"),
        ("write_in_place", "read-only"),
        ("give_nothing", "must return a Photo"),
    ],
)
def test_a_stage_that_breaks_its_contract_is_stopped(function: str, what: str) -> None:
    bad = StageSpec("bad", "breaks its contract", f"{__name__}:{function}")
    with pytest.raises(StageError, match=what) as caught:
        run(example_photo(8, 8), "bad", registry=make_registry([bad]))
    assert "example-8x8: step bad (bad)" in str(caught.value)


def test_the_observer_sees_steps_and_can_cancel() -> None:
    seen: list[Event] = []
    run(example_photo(8, 8), "noise", "brighten", observer=seen.append)
    assert [type(e) for e in seen] == [StepStarted, StepFinished, StepStarted, StepFinished]

    def stop(event: Event) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run(example_photo(8, 8), "noise", observer=stop)


def test_history_says_what_was_done() -> None:
    (entry,) = run(example_photo(8, 8), "smooth", seed=5).history
    assert entry["stage"] == "smooth"
    assert entry["plugin"] == "test"
    assert entry["options"]["model"] == "smooth"
    assert entry["weights"]["smooth"]["precision"] == "float32"
    assert entry["seed"] == step_seed(5, "smooth")


def test_threads_never_mix_photographs() -> None:
    plan = Pipeline.of("smooth", "brighten").plan(make_registry(), store=TinyStore())
    photos = [example_photo(40, 30, seed=n) for n in range(12)]
    with Runner(device="cpu") as runner:
        alone = [runner.run(plan, photo)[IMAGE] for photo in photos]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda photo: runner.run(plan, photo)[IMAGE], photos))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_undeclared_network_is_refused() -> None:
    sneaky = spec("sneaky", run="smooth", options=plugins.BrightenOptions)
    with pytest.raises(StageError, match="does not declare"):
        run(example_photo(8, 8), "sneaky", registry=make_registry([sneaky]))
