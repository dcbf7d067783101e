"""What more training would give: logs, fits with a known answer, charts and pages."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from oldfix import UsageError
from oldfix.evaluation.chart import Chart, Line, round_places, round_values
from oldfix.evaluation.curves import curves_of, read_runs, write_curves
from oldfix.evaluation.growth import Growth, forecast

MINUTES = np.arange(5, 125, 5.0)


def power_law(minutes: float) -> float:
    return 40 - 12 * minutes**-0.5


def logged(folder: Path, scores: dict[float, float]) -> Path:
    folder.mkdir(parents=True)
    rows = [f"{n},{t},{score}" for n, (t, score) in enumerate(scores.items())]
    (folder / "validation.csv").write_text("\n".join(["step,minutes,score", *rows, ""]))
    return folder


def test_a_power_law_is_found_and_continued_exactly() -> None:
    found = forecast(MINUTES, [power_law(t) for t in MINUTES])
    assert found.best.exponent == pytest.approx(0.5)
    assert found.best.at(1000) == pytest.approx(power_law(1000), abs=1e-6)
    assert found.interval(1000) == pytest.approx((power_law(1000),) * 2, abs=1e-3)
    assert found.best.until(39) == pytest.approx(144)
    assert found.best.until(40.5) == math.inf


def test_a_logarithm_is_the_limit_of_the_family() -> None:
    found = forecast(MINUTES, [30 + 2 * math.log2(t) for t in MINUTES])
    assert found.best.exponent == 0
    assert found.best.at(1024) == pytest.approx(50)
    assert found.best.until(50) == pytest.approx(1024)


def test_noise_widens_the_interval_that_holds_the_truth_and_distance_does_too() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for seed in range(20):
        scores = [power_law(t) + rng.normal(0, 0.05) for t in MINUTES]
        found = forecast(MINUTES, scores, seed)
        low, high = found.interval(480)
        near = np.subtract(*found.interval(240)[::-1])
        assert high - low > near > 0
        held += low <= power_law(480) <= high
    assert held >= 16


def test_scores_that_fall_never_reach_more() -> None:
    found = forecast(MINUTES, [30 - math.log(t) for t in MINUTES])
    assert found.best.slope < 0
    assert found.until(31) == (math.inf,) * 3


def test_a_fit_needs_points_after_the_start() -> None:
    for minutes in ([1, 2, 3, 4], [0, 1, 2, 3, 4]):
        with pytest.raises(ValueError, match="needs 5 scores"):
            forecast(minutes, [1.0] * len(minutes))


def test_far_times_are_numbers_or_infinite() -> None:
    assert Growth(0, 1e-6, 0, 1).until(1) == math.inf
    assert Growth(0.05, 1e-2, 0, 1).until(0.1999999) > 1e6


def test_logs_are_found_and_named_by_their_folders(tmp_path: Path) -> None:
    logged(tmp_path / "runs" / "net" / "whole", {1: 2})
    logged(tmp_path / "runs" / "net" / "finish", {1: 3})
    names = [run.name for run in read_runs([str(tmp_path / "runs" / "net")])]
    assert names == ["net-finish", "net-whole"]
    (run,) = read_runs([str(tmp_path / "runs" / "net" / "whole" / "validation.csv")])
    assert run.name == "whole"
    (run,) = read_runs([f"mine={tmp_path / 'runs' / 'net' / 'whole'}"])
    assert (run.name, run.minutes, run.scores) == ("mine", (1.0,), (2.0,))


def test_logs_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gone: holds no validation\.csv"):
        read_runs([str(tmp_path / "gone")])
    with pytest.raises(UsageError, match="holds no validation yet"):
        read_runs([str(logged(tmp_path / "young", {}))])
    other = logged(tmp_path / "other", {1: 2})
    with pytest.raises(UsageError, match=r"no numbers under 'minutes' and 'psnr'.*it has step"):
        read_runs([str(other)], "psnr")


def test_runs_of_several_lengths_are_compared_by_their_ends(tmp_path: Path) -> None:
    lengths = (10, 20, 40, 80, 160)
    for t in lengths:
        logged(tmp_path / str(t), {t / 2: power_law(t) - 1, t: power_law(t)})
    (curve,) = curves_of(read_runs([f"net={tmp_path / str(t)}" for t in lengths]))
    assert curve.by_ends
    assert curve.fitted == tuple((float(t), power_law(t)) for t in lengths)
    assert curve.expected()[0]["minutes"] == 320
    assert curve.expected()[0]["score"] == pytest.approx(power_law(320), abs=1e-6)


def test_a_single_run_is_fitted_without_its_beginning(tmp_path: Path) -> None:
    scores = {1.0: -50.0} | {t: power_law(t) for t in MINUTES}
    (curve,) = curves_of(read_runs([str(logged(tmp_path / "net", scores))]))
    assert not curve.by_ends
    assert curve.fitted[0][0] == 15
    assert curve.ahead is not None
    assert curve.ahead.best.exponent == pytest.approx(0.5)


def test_the_page_holds_measured_and_expected_scores_and_the_time_wanted(tmp_path: Path) -> None:
    logged(tmp_path / "net", {t: power_law(t) for t in MINUTES})
    logged(tmp_path / "few", {5: 1, 10: 2})
    curves = curves_of(read_runs([str(tmp_path / "net"), str(tmp_path / "few")]))
    page, *charts = write_curves(
        curves, tmp_path / "docs" / "curves.md", tmp_path / "images", targets=[39, 1]
    )
    text = page.read_text("utf-8")
    assert "![net](../images/curve-net.svg)" in text
    assert "| 120 | 38.905 | measured |" in text
    assert f"| 1,200 | {power_law(1200):.5g} | expected" in text
    assert "It reaches 39 after 144 minutes" in text
    assert "Nothing is expected of more time" in text
    for chart in charts:
        ET.fromstring(chart.read_text("utf-8"))


def test_a_chart_holds_lines_bands_levels_and_escaped_names() -> None:
    lines = [
        Line("a < b", [1, 10, 100], [1, 2, 3]),
        Line("fit", [1, 10], [1, 2], "dashed", 1, ([0, 1], [2, 3])),
        Line("", [2, 3], [5, math.nan], "line"),
    ]
    root = ET.fromstring(Chart("t", lines, "minutes", "score", {"wanted": 4}).to_svg())
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert (tags.count("polyline"), tags.count("polygon"), tags.count("circle")) == (3, 1, 3)
    texts = {element.text for element in root.iter() if element.tag.endswith("text")}
    assert {"a < b", "fit", "wanted", "minutes", "score", "1", "10", "100"} <= texts


@pytest.mark.parametrize("x", [[], [0.0]])
def test_a_chart_needs_places_above_zero(x: list[float]) -> None:
    with pytest.raises(ValueError, match="needs values at places above zero"):
        Chart("t", [Line("", x, x)]).to_svg()


def test_round_numbers_of_axes() -> None:
    assert round_values(37.1, 40.3) == [38, 39, 40]
    assert round_places(3, 130) == [5, 10, 20, 50, 100]
    assert round_places(1, 1e6) == [1, 10, 100, 1e3, 1e4, 1e5, 1e6]
