"""``oldfix eval``: run every row of a set and write its table and contact sheet."""

from __future__ import annotations

import json
import math
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oldfix.errors import EnvironmentProblem, PhotoError, UsageError
from oldfix.evaluation.contact import best_median_worst, picture_of, write_sheet
from oldfix.evaluation.measures import measure
from oldfix.evaluation.rows import CLASSICAL, Row, Skipped
from oldfix.evaluation.sets import EvaluationSet, Sample, load_set, load_sets, samples
from oldfix.evaluation.stages import Host, official_detector, stage_rows
from oldfix.evaluation.tables import (
    LOWER_IS_BETTER,
    Result,
    Table,
    mean_of,
    write_table,
)
from oldfix.photo import FACES
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.weights.store import Store

_HEAD = (
    "# Results\n\nWritten by `oldfix eval all`: every set, and the rows that could be made. "
    "Numbers in brackets are 95 % bootstrap intervals; a gain whose interval holds zero is none.\n"
)
_SHEET_COLUMNS = 8
_VERSIONS = ("oldfix", "numpy", "opencv-python", "scikit-image", "torch")


@dataclass
class _Outcome:
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


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of one or all sets.

    Attributes:
        data: folder of pictures.
        out: folder that tables and sheets are written into.
        seed: decides crops, damage and resampling.
        limit: at most so many pictures a set, or None.
        host: what stages are run with.
        say: told in words what is being measured.
    """

    data: Path
    out: Path
    seed: int
    limit: int | None
    host: Host
    say: Callable[[str], None] = lambda text: None

    def run(self, name: str) -> Path:
        """Measure a set, or "all", and return the Markdown page.

        Raises:
            UsageError: no such set, or no pictures.
            EnvironmentProblem: the set needs something that is not installed.
        """
        if name == "all":
            return self._run_all()
        table, outcomes, asked = self.measure(load_set(name))
        page = write_table(table, self.out)
        self._write_sheet(table, outcomes, asked)
        return page

    def measure(self, chosen: EvaluationSet) -> tuple[Table, list[_Outcome], list[Sample]]:
        """Run every row of a set."""
        asked = self._samples(chosen)
        rows = [*CLASSICAL[chosen.name], *stage_rows(chosen, self.host)]
        outcomes = []
        for row in rows:
            if isinstance(row, Row):
                self.say(f"{chosen.name}: {row.name}")
                outcomes.append(_run_row(row, chosen, asked))
        table = Table(
            name=chosen.name,
            summary=chosen.summary,
            metrics=chosen.metrics,
            samples=tuple(sample.name for sample in asked),
            results=tuple(outcome.result for outcome in outcomes),
            skipped={row.name: row.why for row in rows if isinstance(row, Skipped)},
            facts=self._facts(chosen),
        )
        return table, outcomes, asked

    def _run_all(self) -> Path:
        parts, measured = [_HEAD], []
        for name in load_sets():
            try:
                page = self.run(name)
                parts.append(page.read_text("utf-8"))
                measured.append(page.with_suffix(".json"))
            except EnvironmentProblem as error:
                self.say(str(error))
                parts.append(f"## {name}\n\nNot measured: {error}\n")
        self.out.mkdir(parents=True, exist_ok=True)
        tables = [json.loads(path.read_text("utf-8")) for path in measured]
        (self.out / "all.json").write_text(json.dumps(tables, ensure_ascii=False) + "\n", "utf-8")
        index = self.out / "all.md"
        index.write_text("\n".join(parts), "utf-8")
        return index

    def _samples(self, chosen: EvaluationSet) -> list[Sample]:
        asked = samples(chosen, self.data, self.seed, self.limit)
        if chosen.name != "detection":
            return list(asked)
        _, plan = official_detector(self.host)
        answered = [replace(s, truth=self.host.run(plan, s)[FACES]) for s in asked]
        with_faces = [sample for sample in answered if sample.truth]
        if not with_faces:
            raise UsageError(f"{self.data}: no face was found in any picture; give portraits")
        return with_faces

    def _facts(self, chosen: EvaluationSet) -> dict[str, Any]:
        import torch

        from oldfix.engine.models import choose_device

        facts = {
            "seed": self.seed,
            "recipe": chosen.recipe,
            "without": ", ".join(chosen.without),
            "crop": chosen.crop or "none",
            "device": str(choose_device(self.host.runner.device)),
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
        }
        if chosen.name == "detection":
            facts["truth"] = official_detector(self.host)[0]
        return facts | {name: version(name) for name in _VERSIONS}

    def _write_sheet(self, table: Table, outcomes: list[_Outcome], asked: list[Sample]) -> None:
        subject = next((o for o in outcomes if o.result.kind == "oldfix"), outcomes[-1])
        metric = table.metrics[0]
        sign = -1 if metric in LOWER_IS_BETTER else 1
        picks = best_median_worst([sign * v for v in subject.result.values[metric]])
        shown = _worth_showing(outcomes, metric)
        lines = []
        for kind, index in picks.items():
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
            write_sheet(self.out / f"{table.name}.png", lines)


def open_host(*, device: str = "auto", seed: int = 0) -> Host:
    """Everything installed, with a runner on a device."""
    return Host(discover(), Store(), Runner(device=device, seed=seed))


def evaluate(
    name: str,
    data: Path,
    seed: int,
    out: Path,
    limit: int | None = None,
    host: Host | None = None,
) -> Path:
    """Measure one set, or "all": writes tables (JSON, Markdown) and contact sheets into ``out``.

    Returns:
        The Markdown page.

    Raises:
        UsageError: no such set, or no pictures.
        EnvironmentProblem: the set needs something that is not installed.
    """
    return Evaluation(data, out, seed, limit, host or open_host(seed=seed)).run(name)


def _run_row(row: Row, chosen: EvaluationSet, asked: Sequence[Sample]) -> _Outcome:
    tally = _Tally()
    for sample in asked:
        try:
            _ask(row, chosen, sample, tally)
        except (PhotoError, ValueError) as error:
            tally.failures[sample.name] = str(error)
            tally.values.append(dict.fromkeys(chosen.metrics, math.nan))
            tally.pictures.append(None)
    result = Result(
        name=row.name,
        kind=row.kind,
        how=row.how,
        values={name: [value[name] for value in tally.values] for name in chosen.metrics},
        seconds_per_megapixel=statistics.median(tally.seconds) if tally.seconds else math.nan,
        unchanged=tally.unchanged,
        failures=tally.failures,
    )
    return _Outcome(result, tally.pictures)


def _ask(row: Row, chosen: EvaluationSet, sample: Sample, tally: _Tally) -> None:
    """Run a row on one sample and count what came of it."""
    start = time.perf_counter()
    output = row.run(sample)
    seconds = time.perf_counter() - start
    scores = row.scores(sample) if row.scores is not None else output
    tally.values.append(measure(chosen.metrics, output, scores, sample))
    tally.seconds.append(seconds / (sample.image.shape[0] * sample.image.shape[1] / 1e6))
    tally.pictures.append(picture_of(output, sample.image))
    tally.unchanged += int(_unchanged(output, sample))


def _unchanged(output: Any, sample: Sample) -> bool:
    return isinstance(output, np.ndarray) and np.array_equal(output, sample.image)


def _worth_showing(outcomes: list[_Outcome], metric: str) -> list[_Outcome]:
    """The best classical row and the stages, best first, as many as fit beside the truth."""
    sign = -1 if metric in LOWER_IS_BETTER else 1

    def rank(outcome: _Outcome) -> float:
        mean = mean_of(outcome.result.values[metric]).mean
        return sign * mean if math.isfinite(mean) else -math.inf

    ranked = sorted(outcomes, key=rank, reverse=True)
    classical = [o for o in ranked if o.result.kind == "classical"][:1]
    stages = [o for o in ranked if o.result.kind == "oldfix"]
    return [*classical, *stages][: _SHEET_COLUMNS - 2]
