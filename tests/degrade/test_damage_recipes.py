"""Recipes: those that come with oldfix, their files, and messages for bad ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from oldfix.degrade import KINDS, Range, Recipe, Step, load_recipe, parameters_of, recipe_names
from oldfix.errors import UsageError

WANTED = {
    "old-photo", "bopbtl", "face-gfpgan", "film-scan", "halftone", "gaussian-25",
    "old-photo-no-tone", "tone", "scratches", "demo",
}  # fmt: skip


def test_the_recipes_are_there():
    assert set(recipe_names()) >= WANTED


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_called_as_its_file_and_survives_writing(name, tmp_path):
    recipe = load_recipe(name)
    assert recipe.name == name
    copy = tmp_path / "copy.toml"
    copy.write_text(recipe.to_toml(), encoding="utf-8")
    assert load_recipe(copy) == recipe


def test_white_noise_has_any_strength_and_faces_their_first_name():
    for sigma in (0, 15, 25, 50, 7.5):
        (step,) = load_recipe(f"gaussian-{sigma:g}").step
        assert step.parameters["std"] == Range(low=sigma, high=sigma)
    assert load_recipe("face") == load_recipe("face-gfpgan")


@pytest.mark.parametrize("name", ["gaussian-x", "gaussian-", "gaussian--3", "gaussian-nan"])
def test_white_noise_of_no_strength_is_refused(name):
    with pytest.raises(UsageError, match=rf"recipe {name}: .* is no deviation of noise"):
        load_recipe(name)


def test_every_parameter_is_described():
    for kind, function in KINDS.items():
        for name in parameters_of(kind):
            assert name in function.__doc__, f"{kind}: {name} is not described"


def test_old_photo_without_tone_is_old_photo_without_its_tone_steps():
    kept = tuple(step for step in load_recipe("old-photo").step if step.group != "tone")
    assert load_recipe("old-photo-no-tone").step == kept


@given(st.floats(0.01, 50), st.floats(0.01, 50), st.booleans(), st.integers(0, 999))
def test_values_are_drawn_inside_their_range(first, second, log, seed):
    low, high = sorted((first, second))
    value = Range(low=low, high=high, log=log).draw(np.random.default_rng(seed))
    assert low * (1 - 1e-9) <= value <= high * (1 + 1e-9)


def test_a_log_range_is_even_in_the_logarithm():
    rng = np.random.default_rng(0)
    values = [Range(low=1, high=100, log=True).draw(rng) for _ in range(2000)]
    assert np.median(values) == pytest.approx(10, rel=0.2)


def test_short_forms_of_ranges():
    step = Step.model_validate(
        {"kind": "dust", "group": "structure", "parameters": {"density": 5, "opacity": [0.1, 0.2]}}
    )
    assert step.parameters["density"] == Range(low=5, high=5)
    assert step.parameters["opacity"] == Range(low=0.1, high=0.2)


def written(tmp_path, body: str) -> str:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nsummary = "s"\n' + body, encoding="utf-8")
    return str(path)


STEP = '[[step]]\nkind = "{}"\ngroup = "structure"\n{}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (STEP.format("dustt", ""), "no damage named 'dustt'; did you mean 'dust'?"),
        (
            STEP.format("dust", "parameters = { densty = 3 }"),
            "dust has no parameter 'densty'; did you mean 'density'?",
        ),
        (
            STEP.format("dust", "parameters = { opacity = [0.2, 1.5] }"),
            "dust.opacity should be less than or equal to 1, got 1.5",
        ),
        (
            STEP.format("dust", "parameters = { opacity = [0.6, 0.5] }"),
            "step.0.parameters.opacity: low 0.6 is above high 0.5",
        ),
        (
            STEP.format("dust", "parameters = { density = { low = 0, high = 5, log = true } }"),
            "a log range must begin above 0, not at 0",
        ),
        (STEP.format("dust", 'parameters = { density = "3" }'), "step.0.parameters.density"),
        (STEP.format("dust", "parameters = { density = true }"), "step.0.parameters.density"),
        (STEP.format("dust", "probability = 1.2"), "step.0.probability: "),
        ('[[step]]\nkind = "dust"\ngroup = "dirt"\n', "step.0.group: "),
        ("[chance]\ntone = 2.0\n" + STEP.format("dust", ""), "chance.tone: "),
        ("", "step: field required"),
        ("step = []\n", "step: "),
        ("colour = 3\n" + STEP.format("dust", ""), "colour: extra inputs are not permitted, got 3"),
    ],
)
def test_a_bad_recipe_is_named_with_its_place_and_value(tmp_path, body, expected):
    path = written(tmp_path, body)
    with pytest.raises(UsageError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}: not a recipe of damage; correct the file:")
    assert expected in str(caught.value)


def test_all_problems_of_a_recipe_are_told_at_once(tmp_path):
    path = written(tmp_path, STEP.format("dustt", "") + STEP.format("hair", ""))
    with pytest.raises(UsageError, match=r"(?s)dustt.*hair"):
        load_recipe(path)


def test_a_name_that_does_not_exist():
    with pytest.raises(UsageError, match=r"recipe old-foto: .*; did you mean 'old-photo'\?"):
        load_recipe("old-foto")
    with pytest.raises(UsageError, match=r"there are: .*demo"):
        load_recipe("qqqqqqqq")


def test_files_that_cannot_be_used(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"notes\.txt: .* file ends in \.toml"):
        load_recipe(tmp_path / "notes.txt")
    with pytest.raises(UsageError, match=r"gone\.toml: cannot be read \(No such file"):
        load_recipe(tmp_path / "gone.toml")
    (tmp_path / "bad.toml").write_text("name = [", encoding="utf-8")
    with pytest.raises(UsageError, match=r"bad\.toml: not TOML"):
        load_recipe(tmp_path / "bad.toml")
    (tmp_path / "raw.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"raw\.toml: not UTF-8"):
        load_recipe(tmp_path / "raw.toml")


def test_a_recipe_can_be_made_in_python():
    recipe = Recipe(name="x", summary="y", step=(Step(kind="grey", group="tone"),))
    assert recipe.step[0].probability == 1


def test_the_recipe_in_the_guide_can_be_used(tmp_path):
    guide = Path(__file__).parents[2] / "docs" / "how-to" / "age-photographs.md"
    text = guide.read_text(encoding="utf-8")
    example = text.split("```toml\n")[1].split("```")[0]
    (tmp_path / "mine.toml").write_text(example, encoding="utf-8")
    assert [step.kind for step in load_recipe(tmp_path / "mine.toml").step] == [
        "yellow", "dust", "jpeg",
    ]  # fmt: skip
    for name in recipe_names():
        assert f"| `{name}` |" in text
