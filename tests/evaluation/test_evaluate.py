"""Rows of stages, whole evaluations, and what they write, on stages made for the test."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage import data

from oldfix import DEFECTS, EnvironmentProblem, FileError, Runner, UsageError
from oldfix.evaluation import rows as classical_rows
from oldfix.evaluation.evaluate import Evaluation, Unmeasured, evaluate
from oldfix.evaluation.rows import Row, Skipped
from oldfix.evaluation.samples import Sample
from oldfix.evaluation.sets import Also, load_set, load_sets
from oldfix.evaluation.stages import _SWEEP, Host, stage_rows
from oldfix.registry import discover
from oldfix.testing import TinyStore
from oldfix.weights.store import Store
from tests.core.plugins import card
from tests.evaluation.plugins import registry


@pytest.fixture(scope="module")
def host() -> Host:
    return Host(registry((card("small"), card("large"))), TinyStore(), Runner(device="cpu"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for index in range(3):
        crop = data.astronaut()[index * 40 : index * 40 + 90, 120:240]
        Pillow.fromarray(crop).save(root / f"photo-{index}.png")
    return root


@pytest.fixture
def quick(monkeypatch):
    """Leave only the identity row above the stages."""
    slim = {name: rows[:1] for name, rows in classical_rows.CLASSICAL.items()}
    monkeypatch.setattr("oldfix.evaluation.evaluate.CLASSICAL", slim)


def names(found: list[Row | Skipped]) -> list[str]:
    return [row.name for row in found if isinstance(row, Row)]


def test_rows_cover_masks_and_weights(host):
    assert names(stage_rows(load_set("restore-mixed"), host)) == [
        "fill (defects known)",
        "fill (defects found)",
        "fill (no defects)",
        "must-fill (defects known)",
        "must-fill (defects found)",
        "smooth (small)",
        "smooth (large)",
        "fail",
    ]


def test_roles_that_nothing_fills_are_named(host):
    (row,) = stage_rows(load_set("tone"), host)
    assert isinstance(row, Skipped)
    assert row.name == "restore-tone"


def test_missing_weights_leave_a_row_out():
    empty = Host(registry((card("small"),)), Store(()), Runner(device="cpu"))
    skipped = [
        row for row in stage_rows(load_set("restore-mixed"), empty) if isinstance(row, Skipped)
    ]
    assert "smooth (auto)" in [row.name for row in skipped]
    assert any("no weights for 'smoother'" in row.why for row in skipped)


def test_a_detector_is_swept_over_its_threshold(host):
    (row, *_) = stage_rows(load_set("scratches"), host)
    ramp = np.linspace(0, 1, 101, dtype=np.float32)[None].repeat(4, 0)
    image = np.repeat(ramp[..., None], 3, axis=2)
    sample = Sample("ramp", image, truth=(ramp > 0.5).astype(np.float32))
    scores = row.scores(sample)
    assert len(np.unique(scores)) == len(_SWEEP) + 1  # and nothing, where it never marks
    assert np.all(np.diff(scores[0]) >= 0)
    np.testing.assert_array_equal(row.run(sample), sample.truth)


def test_a_row_is_told_only_what_it_says(host):
    image = np.full((12, 12, 3), 0.2, np.float32)
    image[5] = 1
    mask = np.zeros((12, 12), np.float32)
    mask[5] = 1
    sample = Sample("line", image, truth=image, known={DEFECTS: mask})
    by_name = {row.name: row for row in stage_rows(load_set("restore-mixed"), host)}
    known, blind = (by_name[f"fill ({how})"].run(sample) for how in ("defects known", "no defects"))
    np.testing.assert_array_equal(blind, image)
    assert known[5].max() == pytest.approx(0.2, abs=1e-5)


def test_an_evaluation_writes_table_page_and_sheet(host, folder, tmp_path, quick):
    page = evaluate("restore-mixed", folder, 7, tmp_path, host=host)
    assert page == tmp_path / "restore-mixed.md"
    table = json.loads((tmp_path / "restore-mixed.json").read_text())
    assert table["facts"]["seed"] == 7
    assert table["samples"] == ["photo-0.png", "photo-1.png", "photo-2.png"]
    by_name = {row["name"]: row for row in table["results"]}
    known, identity = by_name["fill (defects known)"], by_name["identity"]
    assert known["values"]["psnr_outside"] == identity["values"]["psnr_outside"]
    assert known["means"]["psnr"]["count"] == 3
    assert by_name["fill (no defects)"]["unchanged"] == 3
    with Pillow.open(tmp_path / "restore-mixed.png") as sheet:
        assert sheet.width >= 3 * 384
    text = page.read_text()
    assert "| identity |" in text
    assert "3 came back unchanged" in text


def test_a_failing_row_says_so_and_counts_nothing(host, folder, tmp_path, quick):
    evaluate("restore-mixed", folder, 7, tmp_path, limit=2, host=host)
    table = json.loads((tmp_path / "restore-mixed.json").read_text())
    (failed,) = (row for row in table["results"] if row["name"] == "fail")
    assert failed["means"]["psnr"] == {"mean": None, "low": None, "high": None, "count": 0}
    assert len(failed["failures"]) == 2
    page = (tmp_path / "restore-mixed.md").read_text()
    assert "| fail | – | – | – | – | – | – | – | – | 0 |" in page
    assert "2 failed" in page
    assert "this restorer never works" in page


def test_one_seed_gives_one_table(host, folder, tmp_path, quick):
    values = []
    for run in ("first", "second"):
        evaluate("scratches", folder, 3, tmp_path / run, limit=2, host=host)
        table = json.loads((tmp_path / run / "scratches.json").read_text())
        values.append([row["values"] for row in table["results"]])
    assert values[0] == values[1]


def test_detection_without_an_official_detector(host, folder, tmp_path):
    with pytest.raises(EnvironmentProblem, match="needs a published face detector"):
        evaluate("detection-old", folder, 1, tmp_path, host=host)


def test_everything_says_what_it_left_out(host, folder, tmp_path, quick):
    said: list[str] = []
    with pytest.raises(Unmeasured, match=r"3 of \d+ sets .*detection-old") as told:
        Evaluation(folder, tmp_path, 1, 1, host, said.append).run("all")
    page = told.value.page
    text = page.read_text()
    sets = load_sets()
    for name in sets:
        assert f"## {name}\n" in text
    assert "Not measured: eval detection" in text
    assert "holds no pair of files named X_real and X_mean" in text
    assert "restore-mixed: fill (defects found)" in said
    tables = json.loads(page.with_suffix(".json").read_text())
    missing = {"detection-people", "detection-old", "denoise-real"}
    assert [t["name"] for t in tables] == [name for name in sets if name not in missing]


def test_the_first_word_means_every_set_of_it(host, folder, tmp_path, quick):
    page = Evaluation(folder, tmp_path, 1, 1, host).run("restore")
    assert page == tmp_path / "restore.md"
    tables = json.loads((tmp_path / "restore.json").read_text())
    assert [t["name"].partition("-")[2] for t in tables] == [
        "mixed", "scratches", "blur", "noise", "grain", "jpeg",
    ]  # fmt: skip
    by_name = {t["name"]: t for t in tables}
    assert "fill (defects known)" in {r["name"] for r in by_name["restore-scratches"]["results"]}
    assert "fill (defects known)" not in {r["name"] for r in by_name["restore-blur"]["results"]}


def test_a_picture_that_cannot_be_read_costs_no_other_set(host, folder, tmp_path, quick):
    for name in ("CBSD68/a", "real_noise/CC15/b_real", "real_noise/CC15/b_mean"):
        path = tmp_path / "data" / "eval" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((folder / "photo-0.png").read_bytes() if name.endswith("a") else b"torn")
    with pytest.raises(Unmeasured, match=r"1 of 4 .*\(denoise-real\)") as told:
        Evaluation(tmp_path / "data", tmp_path / "out", 1, 1, host).run("denoise")
    assert told.value.exit_code == FileError.exit_code
    assert "Not measured: " in told.value.page.read_text()
    tables = json.loads((tmp_path / "out" / "denoise.json").read_text())
    assert [t["name"] for t in tables] == ["denoise-15", "denoise-25", "denoise-50"]


def test_nothing_measured_is_an_error(host, folder, tmp_path):
    with pytest.raises(EnvironmentProblem, match="needs a published face detector"):
        evaluate("detection", folder, 1, tmp_path, host=host)


def test_unknown_set(host, folder, tmp_path):
    with pytest.raises(UsageError, match="no set named 'colors'"):
        evaluate("colors", folder, 1, tmp_path, host=host)


def test_a_stage_is_measured_once_more_with_other_options(host):
    also = (Also(stage="mark", options={"threshold": 0.9}), Also(stage="gone", options={}))
    chosen = load_set("restore-mixed").model_copy(update={"stages": (), "also": also})
    (row,) = stage_rows(chosen, host)
    assert row.name == "mark (threshold 0.9)"


def test_options_of_the_sets_are_those_of_installed_stages():
    stages = discover().stages
    for chosen in load_sets().values():
        for also in chosen.also:
            stages[also.stage].options(**also.options)


def test_networks_alone_are_run_whole_and_in_tiles(host):
    chosen = load_set("latent").model_copy(update={"networks": ("smoother",)})
    whole, tiled, *_ = stage_rows(chosen, host)
    assert (whole.name, tiled.name) == ("small", "tiled small")
    sample = Sample("a", data.astronaut()[:300, :200].astype(np.float32) / 255, truth=None)
    np.testing.assert_allclose(tiled.run(sample), whole.run(sample), atol=1e-5)


def test_marks_on_sound_photographs_are_false(host, folder, tmp_path, quick):
    evaluate("sound-scratches", folder, 1, tmp_path, host=host)
    table = json.loads((tmp_path / "sound-scratches.json").read_text())
    by_name = {row["name"]: row["values"]["false_marks"] for row in table["results"]}
    assert by_name["identity"] == [0, 0, 0]
    pictures = [np.asarray(Pillow.open(folder / name)) / 255 for name in table["samples"]]
    bright = [100 * (picture.mean(axis=2) > 0.5).mean() for picture in pictures]
    assert by_name["mark"] == pytest.approx(bright, abs=0.1)


def test_landmarks_need_the_published_detector_and_say_so(host, folder, tmp_path, quick):
    evaluate("faces", folder, 1, tmp_path, limit=1, host=host)
    table = json.loads((tmp_path / "faces.json").read_text())
    assert "needs a published face detector" in table["skipped"]["column landmark_shift"]
    assert table["results"][0]["values"]["landmark_shift"] == [None]
