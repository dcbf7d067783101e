from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from oldfix import (
    DEFECTS,
    IMAGE,
    NO_WEIGHTS,
    Pipeline,
    PipelineError,
    Step,
    UsageError,
    WeightsError,
)
from oldfix.testing import TinyStore
from tests.core.plugins import make_registry

_names = st.from_regex(r"[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4})?", fullmatch=True)
_values = st.one_of(st.booleans(), st.integers(-9, 9), st.floats(0, 1), st.text(max_size=8))
_steps = st.builds(
    Step,
    use=_names,
    id=_names,
    options=st.dictionaries(_names, _values, max_size=3),
    blend=st.floats(0, 1),
    only=st.sampled_from(["", "defects"]),
    when=st.sampled_from(["", "faces"]),
)


@given(steps=st.lists(_steps, min_size=1, max_size=4), name=st.text(max_size=12))
def test_toml_round_trip(steps: list[Step], name: str) -> None:
    pipeline = Pipeline(tuple(steps), name)
    assert Pipeline.from_toml(pipeline.to_toml()) == pipeline


def problems(*steps: Step, **how: object) -> str:
    with pytest.raises(PipelineError) as caught:
        Pipeline(steps).plan(make_registry(), store=TinyStore(), **how)  # type: ignore[arg-type]
    return str(caught.value)


def test_all_problems_come_at_once() -> None:
    text = problems(
        Step("brigten"),
        Step("brighten", options={"amount": 1.4}),
        Step("repair"),
        Step("noise", only="defcts"),
    )
    assert "4 problems, nothing was run" in text
    assert "did you mean 'brighten'?" in text
    assert "amount must be between 0 and 1, got 1.4" in text
    assert "needs 'defects', which nothing before it produces; put mark before it" in text
    assert "did you mean 'defects'?" in text


def test_a_repeated_stage_needs_an_id() -> None:
    assert "2 steps have the id 'noise'" in problems(Step("noise"), Step("noise"))


def test_options_are_strict_in_python_and_lenient_as_text() -> None:
    assert "amount" in problems(Step("brighten", options={"amount": "0.5"}))
    plan = Pipeline.of("brighten").plan(
        make_registry(), settings={"brighten": {"amount": "0.5"}}, store=TinyStore()
    )
    assert plan.steps[0].options.model_dump()["amount"] == 0.5
    assert plan.pipeline.steps[0].options == {"amount": 0.5}


def test_settings_for_an_unknown_step_are_a_problem() -> None:
    text = problems(Step("brighten"), settings={"brigten": {"amount": "1"}})
    assert "did you mean 'brighten'?" in text


def test_blend_has_no_meaning_for_a_mask_or_a_new_size() -> None:
    assert "does not change the picture" in problems(Step("mark", blend=0.5))
    assert "changes the picture's size" in problems(Step("halve", blend=0.5))


def test_a_role_stands_for_a_stage_that_fills_it() -> None:
    plan = Pipeline.of("lighten").plan(make_registry(), store=TinyStore())
    assert plan.steps[0].spec.name == "brighten"


def test_given_keys_and_earlier_steps_meet_needs() -> None:
    registry = make_registry()
    Pipeline.of("repair").plan(registry, given={IMAGE, DEFECTS}, store=TinyStore())
    Pipeline.of("mark", "repair").plan(registry, store=TinyStore())


def test_missing_weights_have_an_exit_code_of_their_own() -> None:
    from oldfix.weights.store import Store

    with pytest.raises(WeightsError, match="no weights for 'smoother' are installed") as caught:
        Pipeline.of("smooth").plan(make_registry(), store=Store(()))
    assert caught.value.exit_code == 3


def test_auto_is_resolved_once_and_kept() -> None:
    registry = make_registry()
    plan = Pipeline.of("smooth").plan(registry, store=TinyStore())
    assert plan.pipeline.steps[0].options == {"model": "smooth"}
    assert plan.pipeline.plan(registry, store=TinyStore()).steps == plan.steps


def test_optional_weights_are_taken_if_installed_and_can_be_declined() -> None:
    from oldfix.weights.store import Store

    registry = make_registry()
    for wanted, store, chosen in (
        ("if-installed", TinyStore(), "smooth"),
        ("if-installed", Store(()), NO_WEIGHTS),
        (NO_WEIGHTS, TinyStore(), NO_WEIGHTS),
    ):
        step = Step("smooth", options={"model": wanted})
        plan = Pipeline((step,)).plan(registry, store=store)
        assert plan.pipeline.steps[0].options == {"model": chosen}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("step = 3", "has no steps"),
        ("not toml", "is not TOML"),
        ('[[step]]\nid = "x"', 'needs use = "STAGE"'),
        ('[[step]]\nuse = "x"\nblnd = 1', "did you mean 'blend'"),
        ('[[step]]\nuse = "x"\nblend = 2', "between 0 and 1, got 2"),
        ('steps = []\n[[step]]\nuse = "x"', "no key named 'steps'"),
    ],
)
def test_a_misshapen_file_is_explained(text: str, what: str) -> None:
    with pytest.raises(PipelineError, match=what):
        Pipeline.from_toml(text, where="mine.toml")


def test_set_and_switches() -> None:
    pipeline = Pipeline((Step("a", when="faces"), Step("b")))
    assert [step.id for step in pipeline.switched([]).steps] == ["b"]
    assert pipeline.set("b.x", 3).steps[1].options == {"x": 3}
    with pytest.raises(UsageError, match="has no step 'c'; it has: a, b"):
        pipeline.set("c.x", 3)
    with pytest.raises(UsageError, match=r"step\.option"):
        pipeline.set("b", 3)


def test_of_numbers_repeated_stages() -> None:
    assert [step.id for step in Pipeline.of("a", "a", "b").steps] == ["a", "a-2", "b"]
