"""Means, intervals, pages and sheets."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from oldfix import FACES, Face, FileError
from oldfix.evaluation.columns import direction
from oldfix.evaluation.contact import best_median_worst, picture_of
from oldfix.evaluation.facecounts import box_overlap, judge, landmark_shift
from oldfix.evaluation.measures import MEASURES
from oldfix.evaluation.samples import Sample
from oldfix.evaluation.tables import (
    Result,
    Table,
    gain_of,
    mean_of,
    summary_of,
    to_json,
    to_markdown,
    write_table,
)

numbers = st.lists(st.floats(-100, 100), min_size=1, max_size=12)


@given(numbers)
def test_the_interval_stays_within_the_values(values):
    mean = mean_of(values)
    assert min(values) - 1e-9 <= mean.low <= mean.high <= max(values) + 1e-9
    assert mean.mean == pytest.approx(np.mean(values), abs=1e-9)


def test_the_interval_covers_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [
        (mean := mean_of(rng.normal(3, 1, 30), seed)).low <= 3 <= mean.high for seed in range(200)
    ]
    assert 0.88 < np.mean(hits) < 0.99


def test_undefined_values_are_left_out():
    assert mean_of([1, math.nan, 3]).count == 2
    assert str(mean_of([math.nan])) == "–"


def result(name: str, kind: str, **values: list[float]) -> Result:
    return Result(name, kind, "as written", values, 1.5)


def table(**values: list[float]) -> Table:
    metric = next(iter(values))
    base = result("identity", "identity", **{metric: [1.0, 2.0]})
    rows = (base, result("ours", "oldfix", **values))
    left_out = {"theirs": "needs\nweights"}
    return Table("tone", "Undo it.", (metric,), ("a.png", "b.png"), rows, left_out, {"seed": 4})


def test_gains_are_positive_where_better():
    less = table(ciede2000=[0.5, 1.0])
    more = table(psnr=[0.5, 1.0])
    assert gain_of(less.results[1], less.results[0], "ciede2000").mean == pytest.approx(0.75)
    assert gain_of(more.results[1], more.results[0], "psnr").mean == pytest.approx(-0.75)


def test_the_page_shows_rows_conventions_and_what_is_missing():
    page = to_markdown(table(ciede2000=[0.5, 1.0]))
    assert "| row | ciede2000 ↓ | gain in ciede2000 | s/MP | n |" in page
    assert "| ours | 0.75 (0.5 – 1) | 0.75 (0.5 – 1) | 1.50 | 2 |" in page
    assert "seed 4" in page
    assert "- **theirs**: needs weights" in page
    assert "D65" in page


def test_shares_are_best_at_a_hundred():
    page = to_markdown(table(colourfulness_share=[40.0, 80.0]))
    assert "| colourfulness_share → 100 |" in page
    assert "| 60 (40 – 80) |" in page
    assert direction("psnr") == "↑"


def test_share_of_colourfulness_is_that_of_the_truth():
    rng = np.random.default_rng(2)
    vivid = rng.uniform(0, 1, (8, 8, 3)).astype(np.float32)
    grey = np.repeat(vivid.mean(axis=2, keepdims=True), 3, axis=2)
    half = grey + (vivid - grey) / 2
    share = MEASURES["colourfulness_share"]
    assert share(half, Sample("x", grey, truth=vivid)) == pytest.approx(50, rel=1e-3)
    assert share(grey, Sample("x", grey, truth=vivid)) == pytest.approx(0, abs=1e-3)
    pale = grey + (vivid - grey) / 20
    assert math.isnan(share(vivid, Sample("x", grey, truth=pale)))


def test_json_has_no_nan():
    assert "NaN" not in to_json(table(psnr=[math.nan, math.inf]))


def test_best_median_and_worst_are_three_pictures():
    assert best_median_worst([3.0, 1.0, 2.0]) == {"best": 0, "worst": 1, "median": 2}
    assert best_median_worst([5.0]) == {"best": 0}
    assert best_median_worst([math.nan]) == {}


def test_outputs_become_pictures():
    image = np.full((40, 30, 3), 0.5, np.float32)
    assert picture_of(np.ones((40, 30), np.float32), image).min() == 255
    boxed = picture_of((face(5, 5, 20, 20),), image)
    assert boxed.shape == image.shape
    assert (boxed != 128).any()
    assert (picture_of(None, image) == 128).all()


def face(x0: float, y0: float, x1: float, y1: float, score: float = 1.0) -> Face:
    return Face((x0, y0, x1, y1), score, np.zeros((5, 2), np.float32))


def test_overlap_of_boxes():
    assert box_overlap(face(0, 0, 2, 2), face(0, 0, 2, 2)) == 1
    assert box_overlap(face(0, 0, 2, 2), face(1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert box_overlap(face(0, 0, 2, 2), face(5, 5, 6, 6)) == 0
    assert box_overlap(face(1, 1, 1, 1), face(1, 1, 1, 1)) == 0


def test_each_true_face_is_hit_once():
    truth = (face(0, 0, 30, 30), face(50, 50, 80, 80))
    found = (face(0, 0, 30, 30, 0.9), face(1, 0, 30, 30, 0.8))
    counts = judge(found, truth)
    assert (counts.hits, counts.true, counts.found) == (1, 2, 2)
    sample = Sample("x", np.zeros((9, 9, 3), np.float32), truth=truth, known={FACES: truth})
    assert MEASURES["face_recall"](found, sample) == 0.5
    assert MEASURES["face_precision"](found, sample) == 0.5
    assert MEASURES["face_f1"](found, sample) == 0.5
    assert math.isnan(MEASURES["face_precision"](None, sample))
    assert MEASURES["face_f1"](None, sample) == 0


def test_doubtful_and_small_faces_are_neither_missed_nor_false():
    truth = (face(0, 0, 30, 30, 0.6), face(50, 50, 60, 60), face(100, 0, 130, 30))
    nothing, everything = judge((), truth), judge(truth, truth)
    assert (nothing.true, nothing.found) == (1, 0)
    assert (everything.hits, everything.true, everything.found) == (1, 1, 1)
    assert judge((face(200, 0, 230, 30), face(200, 50, 210, 60)), ()).found == 1


def test_landmark_error_is_in_eye_distances():
    points = np.float32([[10, 10], [30, 10], [20, 20], [12, 28], [28, 28]])
    true = Face((0, 0, 40, 40), 1.0, points)
    moved = Face((0, 0, 40, 40), 1.0, points + np.float32([3, 4]))
    assert judge((moved,), (true,)).landmark_error == pytest.approx(5 / 20)


def test_pooled_decibels_are_those_of_the_mean_error():
    mean = summary_of(result("a", "oldfix", psnr_pooled=[20.0, 100.0]), "psnr_pooled")
    assert mean.mean == pytest.approx(10 * math.log10(2) + 20, abs=1e-4)
    assert mean.low == pytest.approx(20)


def test_ratios_are_of_sums():
    row = result("a", "oldfix", face_recall=[0.5, 1.0], faces_hit=[5, 1], faces_true=[10, 1])
    assert summary_of(row, "face_recall").mean == pytest.approx(6 / 11)
    none = result("a", "oldfix", face_recall=[math.nan], faces_hit=[0], faces_true=[0])
    assert str(summary_of(none, "face_recall")) == "–"


def test_figures_from_elsewhere_stand_apart():
    page = to_markdown(replace(table(psnr=[1.0, 2.0]), note="As is.", published={"X": "31 dB"}))
    assert "Published, not measured here: X 31 dB." in page
    assert "\n\nAs is.\n\n" in page


def test_landmarks_that_moved_or_were_lost():
    points = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], np.float32)
    large = Face((0, 0, 40, 40), 0.9, points)
    small = Face((100, 100, 110, 110), 1.0, points + 100)
    moved = Face((1, 1, 41, 41), 0.6, points + np.float32([3, 4]))
    assert landmark_shift([small, moved], [small, large]) == pytest.approx(5 / 20)
    assert landmark_shift([large], [small, large]) == 0
    assert landmark_shift([small], [small, large]) == 1
    assert np.isnan(landmark_shift([large], []))


def test_a_full_disk_leaves_no_half_written_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    page = write_table(table(psnr=[0.5, 1.0]), tmp_path)
    before = page.read_text("utf-8")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FileError, match=r"json: cannot be written \(No space left"):
        write_table(table(psnr=[2.0, 3.0]), tmp_path)
    assert page.read_text("utf-8") == before
    assert len(list(tmp_path.iterdir())) == 2
