"""All systems side by side: which rows stand for them, the page, and the figure's photographs."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage import data

from oldfix import StageError, UsageError
from oldfix.evaluation import examples
from oldfix.evaluation.columns import CONVENTIONS
from oldfix.evaluation.metrics import niqe
from oldfix.evaluation.rows import Row
from oldfix.evaluation.seeds import chosen_rows, load_comparison, to_page
from oldfix.evaluation.sets import load_sets
from oldfix.evaluation.tables import Result, Table

TASK = load_comparison().task[0]


def row(name: str, kind: str, psnr: float, system: str = "", millions: float = math.nan) -> Result:
    values = {"psnr": [psnr, psnr + 2], "ssim": [0.5, 0.7]}
    return Result(name, kind, "", values, 0.25, system=system, millions=millions)


TABLE = Table(
    name="restore-mixed",
    summary="Undo.",
    metrics=("psnr", "ssim"),
    samples=("a", "b"),
    results=(
        row("identity", "identity", 20),
        row("median", "classical", 21),
        row("Telea", "classical", 29),
        row("mend (s, defects known)", "oldfix", 28, "triplet", 2.5),
        row("mend (s, no defects)", "oldfix", 24, "triplet", 2.5),
        row("mend (t, no defects)", "oldfix", 23, "triplet", 2.5),
        row("other", "oldfix", 22, "stranger"),
    ),
    skipped={},
    facts={"seed": 0},
)


def test_tasks_name_columns_of_their_sets_and_cover_every_kind_of_work():
    sets = load_sets()
    tasks = load_comparison().task
    for task in tasks:
        assert set(task.columns) <= set(sets[task.set].metrics) <= set(CONVENTIONS)
    wanted = {"mixed damage", "denoising", "faces", "colour", "real noise"}
    assert {task.name for task in tasks} == wanted


def test_the_best_row_that_is_not_told_the_damage_stands_for_its_system():
    found = chosen_rows(TABLE, TASK)
    assert {name: result.name for name, result in found.items()} == {
        "identity": "identity",
        "classical": "median",
        "stranger": "other",
        "triplet": "mend (s, no defects)",
    }


def test_the_page_holds_systems_rows_and_what_was_not_measured():
    page = to_page({TABLE.name: TABLE}, why_none="nobody asked")
    lines = page.splitlines()
    assert "| *doing nothing* | 21.00 / 0.6000 | not measured |" in page
    title = "Bringing Old Photos Back to Life"
    assert f"| {title} (`triplet`) | 25.00 / 0.6000 | not measured |" in page
    assert any(line.startswith("| stranger (`stranger`) | 23.00") for line in lines)
    (told,) = (line for line in lines if line.startswith(f"| {title} | mend (s, defects known) |"))
    assert told.split(" | ")[2:4] == ["29", "0.6"]
    assert told.endswith("| 8 (8 – 8) | 0.25 | 2.5 |")
    assert "The table has no psnr_pooled, psnr_inside, niqe." in page
    assert "Not measured: there is no table of denoise-25." in page
    assert "No examples are shown: nobody asked." in page
    assert "## restore-mixed\n\nUndo. 2 pictures; seed 0." in page


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "natural" / "people"
    folder.mkdir(parents=True)
    rows = ["path,licence"]
    for number in range(10):
        Pillow.fromarray(data.astronaut()[number : number + 64, :64]).save(folder / f"{number}.png")
        licence = "Unsplash licence" if number == 9 else "unknown"
        rows.append(f"natural/people/{number}.png,{licence}")
    (tmp_path / "MANIFEST.csv").write_text("\n".join(rows))
    return tmp_path


def test_only_pictures_with_a_fitting_licence_are_shown(album, tmp_path, monkeypatch):
    asked = []

    def run(sample):
        asked.append(sample.name)
        return sample.image

    made = [Row("mend (s, no defects)", "oldfix", "", run, system="triplet")]
    monkeypatch.setattr(examples, "stage_rows", lambda chosen, host: made)
    out = examples.draw_examples(tmp_path / "s.jpg", {TABLE.name: TABLE}, None, album)
    assert asked == ["natural/people/9.png"]
    assert out.stat().st_size < 300_000
    with Pillow.open(out) as figure:
        assert figure.width == 4 * examples._CELL  # input, classical, the system, truth


def test_what_fails_on_an_example_is_left_out_and_said(album, tmp_path, monkeypatch):
    def run(sample):
        raise StageError("out of memory")

    made = [Row("mend (s, no defects)", "oldfix", "", run, system="triplet")]
    monkeypatch.setattr(examples, "stage_rows", lambda chosen, host: made)
    heard = []
    tables = {TABLE.name: TABLE}
    out = examples.draw_examples(tmp_path / "s.jpg", tables, None, album, say=heard.append)
    assert any("mend (s, no defects) is left out (out of memory)" in line for line in heard)
    with Pillow.open(out) as figure:
        assert figure.width == 3 * examples._CELL  # input, classical, truth


def test_a_folder_that_states_no_licence_gives_no_figure(album, tmp_path):
    (album / "MANIFEST.csv").write_text("path,licence\nnatural/people/9.png,all rights reserved\n")
    with pytest.raises(UsageError, match="that may be redistributed"):
        examples.draw_examples(tmp_path / "s.jpg", {TABLE.name: TABLE}, None, album)
    (album / "MANIFEST.csv").unlink()
    with pytest.raises(UsageError, match="states no licences"):
        examples.draw_examples(tmp_path / "s.jpg", {TABLE.name: TABLE}, None, album)
    with pytest.raises(UsageError, match="no table of a task"):
        examples.draw_examples(tmp_path / "s.jpg", {}, None, album)


def test_niqe_is_the_published_number_and_needs_room(shared):
    with Pillow.open(shared / "data/eval/Set14/baboon.webp") as file:
        baboon = np.asarray(file.convert("RGB"), np.float32) / 255
    assert niqe(baboon) == pytest.approx(5.7296, abs=1e-4)
    assert math.isnan(niqe(baboon[:191]))
    assert math.isnan(niqe(np.zeros((192, 192, 3), np.float32)))
