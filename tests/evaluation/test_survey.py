"""Surveys: what changed, where, who failed, and what the verdicts say."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage import color

from oldfix import (
    DEFECTS,
    FACES,
    IMAGE,
    Context,
    Face,
    Field,
    Options,
    Photo,
    Registry,
    Runner,
    StageSpec,
    UsageError,
)
from oldfix.colour import from_lab, to_lab
from oldfix.evaluation.changes import digest_of, luminance_change, most_changed
from oldfix.evaluation.pages import Cell, Grid, write_pages
from oldfix.evaluation.survey import write_survey
from oldfix.evaluation.verdicts import read_verdicts, score_verdicts, write_verdicts
from oldfix.pipeline import Pipeline, Step
from oldfix.plan import Plan
from oldfix.registry import read_plugin
from oldfix.weights.store import Store
from tests.core.plugins import plugin_module

HERE = __name__
BLACK = 0.01


class PatchOptions(Options):
    amount: float = Field(0.5, ge=0, le=1, description="how much lighter the patch gets")


def patch(photo: Photo, options: PatchOptions, ctx: Context) -> Photo:
    """Lighten rows 10-30 in proportion to the redness; a black photograph fails."""
    image = photo[IMAGE].copy()
    if image.max() < BLACK:
        raise RuntimeError("too dark")
    image[10:30, 40:60] = np.minimum(image[10:30, 40:60] + options.amount * image[0, 0, 0], 1)
    mask = np.zeros(photo.size, np.float32)
    mask[:, : photo.size[1] // 4] = 1
    face = Face((0, 0, 9, 9), 1.0, np.zeros((5, 2), np.float32))
    return photo.put(IMAGE, image).put(DEFECTS, mask).put(FACES, (face, face, face))


def refine(photo: Photo, options: Options, ctx: Context) -> Photo:
    ctx.note(refined=2)
    return photo


STAGES = (
    StageSpec(
        "patch",
        "Lighten a patch.",
        f"{HERE}:patch",
        options=PatchOptions,
        produces={IMAGE, DEFECTS, FACES},
    ),
    StageSpec("refine", "Refine.", f"{HERE}:refine", roles={"refine-faces"}),
)


def planned(**options: float) -> Plan:
    registry = Registry()
    registry.add(read_plugin("made", "1.0", plugin_module(STAGES)))
    steps = (Step("patch", options=options), Step("refine"))
    return Pipeline(steps, "survey").plan(registry, store=Store(()))


@pytest.fixture
def photos(tmp_path):
    """Four photographs of growing redness; the second is black and fails."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, red in enumerate((40, 0, 200, 120)):
        colour = (red, 0, 0) if index == 1 else (red, 100, 100)
        Pillow.new("RGB", (80, 60), colour).save(folder / f"p{index}.png")
    return sorted(folder.glob("*.png"))


@pytest.fixture
def runner():
    return Runner(device="cpu")


def test_a_survey_measures_shows_and_goes_on_after_a_failure(photos, runner, tmp_path):
    out = tmp_path / "out"
    made = write_survey(planned(), photos, out, runner=runner, crops=2)
    assert made.done == 3
    assert list(made.failed) == [str(photos[1])]
    assert "too dark" in made.failed[str(photos[1])]
    content = json.loads((out / "survey.json").read_text())
    assert content["failed"] == made.failed
    rows = content["photographs"]
    assert [row["photo"] for row in rows] == [str(photos[i]) for i in (0, 2, 3)]
    assert [row["number"] for row in rows] == [1, 3, 4]
    assert all(row["marked_percent"] == 25 and row["faces_found"] == 3 for row in rows)
    assert {row["faces_refined"] for row in rows} == {2}
    assert rows[1]["luminance_change"] > rows[2]["luminance_change"] > rows[0]["luminance_change"]
    assert {row["digest"] for row in rows} == {digest_of(planned())}
    with made.measures.open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [float(row["luminance_change"]) for row in table] == [
        row["luminance_change"] for row in rows
    ]


def test_sheets_hold_before_and_after_and_crops_the_most_changed(photos, runner, tmp_path):
    made = write_survey(planned(), photos, tmp_path / "out", runner=runner, crops=1)
    (overview,), (crops,) = made.sheets, made.crops
    assert overview.name == "overview-01.png"
    pixels = np.asarray(Pillow.open(crops))
    assert pixels.shape[1] == 2 * 384
    before, after = pixels[20 + 20, 50], pixels[20 + 20, 384 + 50]
    assert before.tolist() == [200, 100, 100]  # of the reddest photograph
    assert after[1] > 150
    np.testing.assert_array_equal(pixels[20 + 5, 50], pixels[20 + 5, 384 + 50])


def test_a_filled_in_table_is_never_written_over(photos, runner, tmp_path):
    made = write_survey(planned(), photos, tmp_path, runner=runner)
    made.verdicts.write_text("mine")
    with pytest.raises(UsageError, match="may hold verdicts already"):
        write_survey(planned(), photos, tmp_path, runner=runner)
    assert made.verdicts.read_text() == "mine"
    with pytest.raises(UsageError, match="needs photographs"):
        write_survey(planned(), [], tmp_path / "other", runner=runner)


def test_where_everything_fails_the_list_is_still_written(photos, runner, tmp_path):
    made = write_survey(planned(), photos[1:2], tmp_path / "out", runner=runner)
    assert (made.done, made.sheets, made.crops) == (0, (), ())
    assert "too dark" in (tmp_path / "out" / "survey.json").read_text()


def test_the_digest_is_that_of_steps_and_options():
    assert digest_of(planned()) == digest_of(planned())
    assert digest_of(planned()) != digest_of(planned(amount=0.25))


def test_luminance_change_is_ciede2000_of_greys():
    rng = np.random.default_rng(4)
    first, second = rng.uniform(0, 1, (2, 12, 9, 3)).astype(np.float32)
    labs = [to_lab(first).astype(float), to_lab(second).astype(float)]
    for lab in labs:
        lab[..., 1:] = 0
    expected = color.deltaE_ciede2000(*labs)
    np.testing.assert_allclose(luminance_change(first, second), expected, atol=1e-3)


def test_colour_alone_is_no_change_of_luminance():
    lab = np.full((6, 6, 3), 50, np.float32)
    lab[..., 1:] = 0
    grey = from_lab(lab)
    lab[..., 1] = 30
    assert luminance_change(grey, from_lab(lab)).max() < 0.002
    with pytest.raises(ValueError, match="shapes differ"):
        luminance_change(grey, grey[:3])


@pytest.mark.parametrize("corner", [(0, 0), (30, 12), (37, 52)])
def test_the_most_changed_window_is_found(corner):
    top, left = corner
    change = np.zeros((45, 60), np.float32)
    change[top : top + 8, left : left + 8] = 2
    assert most_changed(change, 8) == (top, left, pytest.approx(2))
    assert most_changed(change[:5, :6], 8)[:2] == (0, 0)


def test_pages_break_where_they_are_full(tmp_path):
    cells = [Cell(str(i), (np.full((30, 50, 3), i, np.uint8),)) for i in range(5)]
    pages = write_pages(tmp_path / "deep" / "page", cells, Grid(20, 2, 1))
    assert [page.name for page in pages] == ["page-01.png", "page-02.png", "page-03.png"]
    with Pillow.open(pages[0]) as page:
        assert page.size == (2 * 20 + 8, 20 + 20)
        assert page.getpixel((5, 25)) == (0, 0, 0)
        assert page.getpixel((28 + 5, 25)) == (1, 1, 1)


def filled(tmp_path, *verdicts: str):
    names = [f"{i} p|{i}.png" for i in range(len(verdicts))]
    path = write_verdicts(tmp_path / "verdicts.md", names)
    lines = path.read_text().splitlines()
    start = len(lines) - len(verdicts)
    for index, verdict in enumerate(verdicts):
        lines[start + index] = lines[start + index].replace("|  |  |", f"| {verdict} | a | b |")
    path.write_text("\n".join(lines))
    return path


def test_verdicts_are_counted(tmp_path):
    file = filled(tmp_path, "better", "Better", "same", "worse", "")
    assert list(read_verdicts(file)) == [rf"{i} p\|{i}.png" for i in range(5)]
    verdicts = score_verdicts([file])
    assert (verdicts.better, verdicts.same, verdicts.worse, verdicts.missing) == (2, 1, 1, 1)
    share, low, high = verdicts.share("better")
    assert share == 0.5
    assert (low, high) == (pytest.approx(0.0676, abs=1e-4), pytest.approx(0.9324, abs=1e-4))
    assert "better: 2, 50.0% (95 % interval 6.8% to 93.2%)" in str(verdicts)
    assert "without a verdict: 1" in str(verdicts)
    assert score_verdicts([file, file]).better == 4


def test_an_empty_table_has_no_shares(tmp_path):
    verdicts = score_verdicts([write_verdicts(tmp_path / "v.md", ["a", "b"])])
    assert verdicts.missing == 2
    assert "interval" not in str(verdicts)


def test_bad_tables_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"line \d+: 'good' is no verdict; write better, same"):
        score_verdicts([filled(tmp_path, "good")])
    with pytest.raises(UsageError, match="cannot be read"):
        score_verdicts([tmp_path / "gone.md"])
    other = tmp_path / "other.md"
    other.write_text("| a | b |\n| --- | --- |\n| c | d |\n")
    with pytest.raises(UsageError, match="holds no table of verdicts"):
        score_verdicts([other])
    twice = write_verdicts(tmp_path / "twice.md", ["a", "a"])
    with pytest.raises(UsageError, match="a second verdict on a"):
        score_verdicts([twice])
