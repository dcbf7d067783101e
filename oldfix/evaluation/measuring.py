"""One row over all samples of a set, and the sheet that shows its best and worst."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oldfix.errors import PhotoError
from oldfix.evaluation.columns import LOWER_IS_BETTER, measured
from oldfix.evaluation.contact import best_median_worst, picture_of, write_sheet
from oldfix.evaluation.measures import RANKING, measure
from oldfix.evaluation.rows import Row
from oldfix.evaluation.samples import Sample
from oldfix.evaluation.tables import Result, Table, summary_of

_SHEET_COLUMNS = 8


@dataclass
class Outcome:
    """A row's result, with its outputs kept as pictures for the contact sheet."""

    result: Result
    pictures: list[NDArray[np.uint8] | None]


@dataclass
class _Tally:
    """What is counted while a row goes through the samples."""

    values: list[dict[str, float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    pictures: list[NDArray[np.uint8] | None] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    unchanged: int = 0


def run_row(row: Row, metrics: Sequence[str], asked: Sequence[Sample]) -> Outcome:
    """Run a row on every sample; what fails is counted and left out of the means."""
    names = measured(metrics)
    tally = _Tally()
    for sample in asked:
        try:
            _ask(row, names, sample, tally)
        except (PhotoError, ValueError) as error:
            tally.failures[sample.name] = str(error)
            tally.values.append(dict.fromkeys(names, math.nan))
            tally.pictures.append(None)
    result = Result(
        name=row.name,
        kind=row.kind,
        how=row.how,
        values={name: [value[name] for value in tally.values] for name in names},
        seconds_per_megapixel=statistics.median(tally.seconds) if tally.seconds else math.nan,
        unchanged=tally.unchanged,
        failures=tally.failures,
        system=row.system,
        millions=row.millions,
    )
    return Outcome(result, tally.pictures)


def write_best_and_worst(
    path: Path, table: Table, outcomes: Sequence[Outcome], asked: Sequence[Sample]
) -> None:
    """Write the best, median and worst sample of the first stage, or of the last row without."""
    if not outcomes:
        return
    subject = next((o for o in outcomes if o.result.kind == "oldfix"), outcomes[-1])
    metric = table.metrics[0]
    sign = -1 if metric in LOWER_IS_BETTER else 1
    shown = _worth_showing(outcomes, metric)
    lines = []
    for kind, index in best_median_worst(
        [sign * value for value in subject.result.values[metric]]
    ).items():
        sample = asked[index]
        cells = {
            "input": picture_of(sample.image, sample.image),
            "truth": picture_of(sample.truth, sample.image),
        }
        for outcome in shown:
            if (picture := outcome.pictures[index]) is not None:
                value = outcome.result.values[metric][index]
                cells[f"{value:.3g} {outcome.result.name}"] = picture
        lines.append((f"{kind} of {subject.result.name}: {sample.name}", cells))
    if lines:
        write_sheet(path, lines)


def _ask(row: Row, names: Sequence[str], sample: Sample, tally: _Tally) -> None:
    """Run a row on one sample and count what came of it."""
    start = time.perf_counter()
    output = row.run(sample)
    seconds = time.perf_counter() - start
    ranked = row.scores is not None and not RANKING.isdisjoint(names)
    scores = row.scores(sample) if ranked and row.scores is not None else output
    tally.values.append(measure(names, output, scores, sample))
    tally.seconds.append(seconds / (sample.image.shape[0] * sample.image.shape[1] / 1e6))
    tally.pictures.append(picture_of(output, sample.image))
    tally.unchanged += int(_unchanged(output, sample))


def _unchanged(output: Any, sample: Sample) -> bool:
    return isinstance(output, np.ndarray) and np.array_equal(output, sample.image)


def _worth_showing(outcomes: Sequence[Outcome], metric: str) -> list[Outcome]:
    """The best classical and rival rows and the stages, as many as fit beside the truth."""
    sign = -1 if metric in LOWER_IS_BETTER else 1

    def rank(outcome: Outcome) -> float:
        mean = summary_of(outcome.result, metric).mean
        return sign * mean if math.isfinite(mean) else -math.inf

    ranked = sorted(outcomes, key=rank, reverse=True)
    best = [[o for o in ranked if o.result.kind == kind][:1] for kind in ("classical", "rival")]
    stages = [o for o in ranked if o.result.kind == "oldfix"]
    return [*best[0], *best[1], *stages][: _SHEET_COLUMNS - 2]
