"""What networks must reach: bars as data, verdicts with known answers, missing measurements."""

from __future__ import annotations

import json
import math
import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from oldfix import UsageError, write_network
from oldfix.evaluation.bars import Bar, judge_bars, load_bars, to_markdown
from oldfix.evaluation.columns import CONVENTIONS
from oldfix.evaluation.evaluate import open_host
from oldfix.evaluation.results import best_of, read_tables
from oldfix.evaluation.rivals.rows import _RIVALS
from oldfix.evaluation.rows import CLASSICAL, Row
from oldfix.evaluation.sets import load_sets
from oldfix.evaluation.stages import stage_rows
from oldfix.evaluation.tables import Result, Table, write_table
from oldfix.registry import Registry, discover
from oldfix.weights.count import parameters
from oldfix.weights.store import Store

ROOT = Path(__file__).parents[2]


def row(name: str, kind: str = "oldfix", **values: list[float]) -> Result:
    return Result(name, kind, "", values, 0.5)


TABLE = Table(
    name="restore-mixed",
    summary="",
    metrics=("psnr", "ciede2000"),
    samples=("a", "b"),
    results=(
        row("identity", "identity", psnr=[20, 22], ciede2000=[8, 8]),
        row("wavelet", "classical", psnr=[21, 24], ciede2000=[6, 6]),
        row("median", "classical", psnr=[20, 20], ciede2000=[math.nan, math.nan]),
        row("mend (s, no defects)", psnr=[24, 26], ciede2000=[3, 5]),
        row("mend (m, no defects)", psnr=[24, 27], ciede2000=[3, 3]),
    ),
    skipped={},
    facts={"seed": 0, "oldfix": "0.1.0", "commit": "abc1234"},
)


def judged(**values: object):
    bar = Bar.model_validate(
        {"network": "n", "says": "s", "set": "restore-mixed", "row": ["mend (*"], **values}
    )
    return judge_bars([bar], {TABLE.name: TABLE}, Registry(), Store(()))[0]


def test_every_bar_names_what_exists():
    sets, roles = load_sets(), {card.role for card in discover().cards.values()}
    for bar in load_bars():
        if bar.set:
            assert bar.metric in sets[bar.set].metrics, bar.says
            assert bar.metric in CONVENTIONS
            assert bar.row
        if bar.of_role:
            assert bar.of_role in roles, bar.says
        if bar.test:
            file, _, name = bar.test.partition("::")
            assert re.search(rf"^def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def test_the_best_fitting_row_counts():
    verdict = judged(metric="psnr", at_least=25)
    assert verdict.value == pytest.approx(25.5)
    assert verdict.reached == "yes"
    assert "mend (m, no defects)" in verdict.how
    assert judged(metric="psnr", at_least=25.6).reached == "**no**"


def test_a_gain_is_over_the_best_of_the_others_and_positive_is_better():
    verdict = judged(metric="psnr", over=["identity"], over_kinds=["classical"], at_least=3)
    assert verdict.value == pytest.approx(3.0)
    assert "wavelet" in verdict.how
    assert judged(metric="ciede2000", over=["identity"], above=4.9).value == pytest.approx(5)


def test_a_share_is_a_part_of_the_others_mean():
    verdict = judged(metric="ciede2000", over=["identity"], share=True, at_most=0.375)
    assert verdict.value == pytest.approx(0.375)
    assert verdict.reached == "yes"
    assert judged(metric="ciede2000", over=["identity"], share=True, below=0.375).reached != "yes"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"set": "tone", "metric": "psnr"}, "no table of tone with psnr"),
        ({"metric": "ssim"}, "no table of restore-mixed with ssim"),
        ({"row": ["break*"], "metric": "psnr"}, "no figure for break*"),
        ({"metric": "psnr", "over": ["identity", "DnCNN"]}, "has no row DnCNN"),
        ({"metric": "psnr", "over_kinds": ["rival"]}, "has no row rival"),
        ({"row": ["median"], "metric": "ciede2000"}, "no figure for median"),
    ],
)
def test_what_is_missing_is_said_and_never_reached(values, why):
    verdict = judged(**{"at_least": -100, **values})
    assert verdict.reached == "not measured"
    assert why in verdict.how


def test_parameters_are_counted_in_the_file(tmp_path):
    net = torch.nn.Conv2d(3, 4, 3)
    write_network(tmp_path / "net.safetensors", net, config={})
    assert parameters(tmp_path / "net.safetensors") == 3 * 4 * 9 + 4
    (tmp_path / "other.safetensors").write_bytes(b"no network")
    with pytest.raises(UsageError, match="is no safetensors file"):
        parameters(tmp_path / "other.safetensors")
    bar = Bar(network="n", says="s", of_role="colorizer", at_most=8)
    (verdict,) = judge_bars([bar], {}, discover(), Store())
    assert 0 < verdict.value <= 8
    assert judge_bars([bar], {}, Registry(), Store(()))[0].reached == "not measured"


@pytest.mark.parametrize(
    "values",
    [{}, {"set": "tone", "test": "t"}, {"set": "tone"}, {"set": "tone", "at_leat": 3}],
)
def test_a_bar_is_measured_in_one_way_against_a_limit(values):
    with pytest.raises(ValidationError):
        Bar.model_validate({"network": "n", "says": "s", **values})


def test_the_page_tells_limits_pictures_and_what_is_open():
    bars = [
        Bar(network="n", says="a", set="restore-mixed", row=("mend*",), metric="psnr", at_least=25),
        Bar(network="n", says="b", set="tone", row=("t",), metric="psnr", above=1, at_most=3),
        Bar(network="n", says="c", test="tests/x.py::test_y"),
    ]
    tables = {TABLE.name: TABLE}
    page = to_markdown(judge_bars(bars, tables, Registry(), Store(())), tables)
    assert "3 bars: 1 yes, 0 no, 1 not measured, 1 held by a test." in page
    assert "| n | a | `psnr` ≥ 25 | 25.5 (24 – 27) | yes |" in page
    assert "> 1 and ≤ 3" in page
    assert "- restore-mixed: 2 of 24 pictures, seed 0, oldfix 0.1.0 (abc1234)" in page


def test_tables_come_back_from_their_files(tmp_path):
    write_table(TABLE, tmp_path)
    (tmp_path / "bench.json").write_text('{"something": 1}')
    (found,) = read_tables([tmp_path]).values()
    assert found.metrics == TABLE.metrics
    assert found.results[3].values == TABLE.results[3].values
    assert math.isnan(found.results[2].values["ciede2000"][0])
    assert best_of(found.results, "ciede2000").name == "mend (m, no defects)"
    assert best_of(found.results[2:3], "ciede2000") is None
    both = [json.loads((tmp_path / "restore-mixed.json").read_text())] * 2
    (tmp_path / "all.json").write_text(json.dumps(both))
    assert set(read_tables([tmp_path / "all.json"])) == {"restore-mixed"}


def test_files_that_are_no_tables_are_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no table"):
        read_tables([tmp_path])
    with pytest.raises(UsageError, match=r"gone\.json: cannot be read"):
        read_tables([tmp_path / "gone.json"])
    (tmp_path / "x.json").write_text("no JSON")
    with pytest.raises(UsageError, match="is no table"):
        read_tables([tmp_path / "x.json"])


def test_every_bar_fits_a_row_of_the_installed_networks():
    host = open_host(device="cpu")
    rows = {}
    for bar in (bar for bar in load_bars() if bar.set):
        if bar.set not in rows:
            chosen = load_sets()[bar.set]
            made = (*CLASSICAL[chosen.kind_of_rows], *stage_rows(chosen, host))
            published = (rival.name for rival in _RIVALS.get(chosen.kind_of_rows, ()))
            rows[bar.set] = [*(row.name for row in made if isinstance(row, Row)), *published]
        for pattern in (*bar.row, *bar.over):
            assert any(fnmatchcase(name, pattern) for name in rows[bar.set]), (pattern, bar.set)
