"""``oldfix eval curves``: how trainings' scores grew with time, and what more time would give."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from oldfix.errors import UsageError
from oldfix.evaluation.chart import Chart, Line
from oldfix.evaluation.growth import FEWEST_POINTS, Forecast, forecast
from oldfix.files import write_text

#: How many times the training is looked ahead.
AHEAD = (2.0, 4.0, 10.0)
#: The file that a training writes its validations into.
_LOG = "validation.csv"
#: A single run is fitted from this share of its minutes on: what it learns first says little.
_FITTED_FROM = 0.1
#: Rows of a table, at most.
_SHOWN = 12


@dataclass(frozen=True)
class Run:
    """The validations of one training.

    Attributes:
        name: of what was trained.
        log: its file.
        minutes, scores: one of each for every validation.
    """

    name: str
    log: str
    minutes: tuple[float, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Curve:
    """All runs of one name, with what they lead to expect.

    Attributes:
        name: of what was trained.
        runs: its trainings, shortest first.
        fitted: the points that the forecast rests on, as (minutes, score).
        by_ends: whether these are the best scores of whole runs of several lengths, rather than
            points within the longest.
        ahead: None where there is too little to tell.
    """

    name: str
    runs: tuple[Run, ...]
    fitted: tuple[tuple[float, float], ...]
    by_ends: bool
    ahead: Forecast | None

    @property
    def longest(self) -> float:
        """Minutes of the longest run."""
        return self.runs[-1].minutes[-1]

    def expected(self) -> list[dict[str, float]]:
        """Scores after twice the time and more: minutes, score, and the 95 % interval."""
        if self.ahead is None:
            return []
        ahead, rows = self.ahead, []
        for minutes in (factor * self.longest for factor in AHEAD):
            low, high = ahead.interval(minutes)
            row = {"minutes": minutes, "score": ahead.best.at(minutes), "low": low, "high": high}
            rows.append(row)
        return rows


def read_runs(entries: Iterable[str], column: str = "score") -> list[Run]:
    """Read the validations of trainings.

    Args:
        entries: logs, or folders that hold some, themselves or further down; ``NAME=`` before one
            names what was trained, else its folders do.
        column: what to read of them.

    Raises:
        UsageError: an entry holds no log, or a log no such scores.
    """
    runs = []
    for entry in entries:
        name, sign, path = entry.partition("=")
        place = Path(path if sign else entry)
        logs = [place] if place.is_file() else sorted(place.rglob(_LOG))
        place = place.parent if place.is_file() else place
        if not logs:
            raise UsageError(f"{place}: holds no {_LOG}; give the folder of a training")
        for log in logs:
            parts = log.parent.resolve().relative_to(place.resolve().parent).parts
            own = [name, *parts[1:]] if sign else list(parts)
            runs.append(_read("-".join(own), log, column))
    return runs


def curves_of(runs: Iterable[Run]) -> list[Curve]:
    """Put the runs of one name together, in the order of the names, and fit a curve to each.

    Enough runs of different lengths are compared by their best scores: each has come to the end of
    its schedule, as a longer one would. Fewer leave only the points within the longest.
    """
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.name, []).append(run)
    return [
        _curve(name, tuple(sorted(part, key=lambda run: run.minutes[-1])))
        for name, part in by_name.items()
    ]


def write_curves(
    curves: Sequence[Curve], page: Path, images: Path, *, targets: Sequence[float] = ()
) -> list[Path]:
    """Write a chart of each curve, and one page with all tables.

    Args:
        curves: what to draw.
        page: Markdown file, replaced.
        images: folder for ``curve-NAME.svg``.
        targets: scores to say the minutes of; each belongs to the curve at its place, the last to
            all that follow.

    Returns:
        The page and the charts.

    Raises:
        FileError: one cannot be written.
    """
    sections, charts = [], []
    for number, curve in enumerate(curves):
        target = targets[min(number, len(targets) - 1)] if targets else None
        chart = images / f"curve-{curve.name}.svg"
        write_text(chart, _drawn(curve, target), overwrite=True)
        charts.append(chart)
        sections.append(_section(curve, target, os.path.relpath(chart, page.parent)))
    write_text(page, "\n\n".join([_HEAD, *sections]) + "\n", overwrite=True)
    return [page, *charts]


def as_json(curve: Curve) -> dict[str, object]:
    """The curve's points and forecast as plain values."""
    fit = asdict(curve.ahead.best) if curve.ahead else None
    runs = [asdict(run) for run in curve.runs]
    return {"name": curve.name, "runs": runs, "fit": fit, "expected": curve.expected()}


_HEAD = """# What more training would give

Written by `oldfix eval curves` from the logs of trainings. A score is what the training itself
measures on photographs kept back, higher is better; it is not the figure of an evaluation. The
curve is `c + b (1 - t^-p) / p` with t in units of the longest run: a power law that flattens, with
the logarithm as its limit. The shaded 95 % interval is over refits with resampled residuals. It
holds only as far as such curves go on as they began, with the same network, data and recipe."""


def _read(name: str, log: Path, column: str) -> Run:
    with log.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    try:
        pairs = [(float(row["minutes"]), float(row[column])) for row in rows if row[column]]
    except (KeyError, ValueError, TypeError) as error:
        known = ", ".join(rows[0]) if rows else "nothing"
        raise UsageError(
            f"{log}: has no numbers under 'minutes' and '{column}' ({error}); it has {known}"
        ) from None
    kept = [(t, value) for t, value in pairs if t > 0 and math.isfinite(value)]
    if not kept:
        raise UsageError(f"{log}: holds no validation yet; let the training go on")
    minutes, scores = zip(*sorted(kept), strict=True)
    return Run(name, str(log), minutes, scores)


def _curve(name: str, runs: tuple[Run, ...]) -> Curve:
    ends = tuple((run.minutes[-1], max(run.scores)) for run in runs)
    if len({minutes for minutes, _ in ends}) >= FEWEST_POINTS:
        return Curve(name, runs, ends, True, _ahead(ends))
    run = runs[-1]
    late = [minutes >= _FITTED_FROM * run.minutes[-1] for minutes in run.minutes]
    every = zip(run.minutes, run.scores, late, strict=True)
    points = tuple((minutes, score) for minutes, score, kept in every if kept)
    ahead = _ahead(points) if len(points) >= FEWEST_POINTS else None
    return Curve(name, runs, points, False, ahead)


def _ahead(points: Sequence[tuple[float, float]]) -> Forecast:
    minutes, scores = zip(*points, strict=True)
    return forecast(minutes, scores)


def _drawn(curve: Curve, target: float | None) -> str:
    lines = [
        Line("measured" if number == 0 else "", run.minutes, run.scores)
        for number, run in enumerate(curve.runs)
    ]
    if (ahead := curve.ahead) is not None:
        start = min(minutes for minutes, _ in curve.fitted)
        until = [float(t) for t in np.geomspace(start, AHEAD[-1] * curve.longest, 60)]
        low, high = zip(*map(ahead.interval, until), strict=True)
        band = Line("fit, 95 % interval", until, [ahead.best.at(t) for t in until], "dashed", 1)
        lines.insert(0, replace(band, band=(low, high)))
    levels = {f"{target:g} wanted": target} if target is not None else {}
    return Chart(curve.name, lines, "minutes of training", "validation score", levels).to_svg()


def _section(curve: Curve, target: float | None, image: str) -> str:
    run = curve.runs[-1]
    best = max(run.scores)
    facts = (
        f"{len(curve.runs)} run{'s' * (len(curve.runs) > 1)}, the longest of "
        f"{_minutes(curve.longest)} minutes; best score {best:.6g}."
    )
    rows = [f"| {_minutes(minutes)} | {score:.5g} | measured |" for minutes, score in _shown(curve)]
    rows += [
        f"| {_minutes(row['minutes'])} | {row['score']:.5g} | expected, {_range(row)} |"
        for row in curve.expected()
    ]
    table = "\n".join(["| minutes | score | |", "| ---: | ---: | --- |", *rows])
    words = [facts, *_remarks(curve, target)]
    return f"## {curve.name}\n\n![{curve.name}]({image})\n\n{' '.join(words)}\n\n{table}"


def _remarks(curve: Curve, target: float | None) -> list[str]:
    if curve.ahead is None:
        few = f"fewer than {FEWEST_POINTS} validations"
        return [f"Nothing is expected of more time: {few} are too few for a curve."]
    what = (
        "the best scores of the runs, each of which came to the end of its schedule"
        if curve.by_ends
        else "the points of one run, whose learning rate falls towards its end: a longer run "
        "passes them at a higher rate and is not its continuation"
    )
    fit = curve.ahead.best
    said = [
        f"The curve is fitted to {len(curve.fitted)} points, {what}: p = {fit.exponent:.2g}, "
        f"residuals {curve.ahead.error:.2g}."
    ]
    if fit.slope <= 0:
        said.append("It does not rise.")
    if target is not None:
        usual, low, high = map(_minutes, curve.ahead.until(target))
        said.append(f"It reaches {target:g} after {usual} minutes (95 %: {low} – {high}).")
    return said


def _minutes(value: float) -> str:
    """Minutes as text; what no one would wait for is infinite."""
    if value >= 1e7:
        return "∞"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _range(row: Mapping[str, float]) -> str:
    return f"95 % {row['low']:.5g} – {row['high']:.5g}"


def _shown(curve: Curve) -> list[tuple[float, float]]:
    """The ends of several runs, or points of the only one at even distances of the logarithm."""
    if len(curve.runs) > 1:
        return [(run.minutes[-1], max(run.scores)) for run in curve.runs]
    run = curve.runs[0]
    wanted = np.geomspace(run.minutes[0], run.minutes[-1], _SHOWN)
    places = sorted({int(np.argmin(np.abs(np.array(run.minutes) - t))) for t in wanted})
    return [(run.minutes[place], run.scores[place]) for place in places]
