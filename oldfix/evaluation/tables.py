"""Tables: means with bootstrap intervals, as JSON for machines and Markdown for people."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oldfix.evaluation.columns import (
    CONVENTIONS,
    LOWER_IS_BETTER,
    POOLED_DECIBELS,
    RATIOS,
    direction,
)
from oldfix.files import write_text

_RESAMPLES = 1000


@dataclass(frozen=True)
class Result:
    """What one row measured.

    Attributes:
        name, kind, how, system, millions: as in `oldfix.evaluation.rows.Row`.
        values: metric, or count behind one -> one value a sample, in the table's order; nan where
            undefined or failed.
        seconds_per_megapixel: median over samples.
        unchanged: samples that came back exactly as they were given.
        failures: sample -> message.
    """

    name: str
    kind: str
    how: str
    values: Mapping[str, Sequence[float]]
    seconds_per_megapixel: float
    unchanged: int = 0
    failures: Mapping[str, str] = field(default_factory=dict)
    system: str = ""
    millions: float = math.nan


@dataclass(frozen=True)
class Table:
    """One set, measured.

    Attributes:
        name, summary: of the set.
        metrics: names of the columns; the first is the headline.
        samples: names of the pictures.
        results: the rows.
        skipped: row -> why it could not be made.
        facts: seed, recipe, crop, versions: what it takes to repeat the table.
        note: conventions of the set's own.
        published: method -> figure that was not measured here.
    """

    name: str
    summary: str
    metrics: tuple[str, ...]
    samples: tuple[str, ...]
    results: tuple[Result, ...]
    skipped: Mapping[str, str]
    facts: Mapping[str, Any]
    note: str = ""
    published: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Mean:
    """A mean over ``count`` samples with its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    count: int

    def __str__(self) -> str:
        if not math.isfinite(self.mean):
            return "–"
        return f"{self.mean:.4g} ({self.low:.4g} – {self.high:.4g})"


def mean_of(values: Sequence[float], seed: int = 0) -> Mean:
    """Mean of the finite values with the percentile bootstrap interval (1000 resamples)."""
    return _bootstrap(np.array([v for v in values if math.isfinite(v)]), _plain_mean, seed)


def summary_of(result: Result, metric: str, seed: int = 0) -> Mean:
    """What stands in a column: a mean over pictures, or what all pictures give together."""
    if metric in RATIOS:
        counts = np.array([result.values[name] for name in RATIOS[metric]], np.float64).T
        return _bootstrap(counts[np.isfinite(counts).all(axis=1)], _ratio, seed)
    if metric in POOLED_DECIBELS:
        finite = np.array([v for v in result.values[metric] if math.isfinite(v)])
        return _bootstrap(10 ** (-finite / 10), _mean_decibels, seed)
    return mean_of(result.values[metric], seed)


def gain_of(result: Result, base: Result, metric: str, seed: int = 0) -> Mean:
    """Mean paired difference from another row; positive is better, whatever the metric."""
    sign = -1 if metric in LOWER_IS_BETTER else 1
    pairs = zip(result.values[metric], base.values[metric], strict=True)
    return mean_of([sign * (mine - theirs) for mine, theirs in pairs], seed)


def to_json(table: Table) -> str:
    """The table with every value, its means and its conventions, as JSON text."""
    seed = int(table.facts.get("seed", 0))
    rows = [
        {
            **asdict(result),
            "means": {m: asdict(summary_of(result, m, seed)) for m in table.metrics},
        }
        for result in table.results
    ]
    conventions = {metric: CONVENTIONS[metric] for metric in table.metrics}
    content = {**asdict(table), "results": rows, "conventions": conventions}
    return json.dumps(_plain(content), indent=1, ensure_ascii=False) + "\n"


def to_markdown(table: Table) -> str:
    """The table as a Markdown section: rows, how they were made, conventions, what is missing."""
    facts = ", ".join(f"{name} {value}" for name, value in table.facts.items() if value != "")
    parts = [
        f"## {table.name}",
        f"{table.summary} {len(table.samples)} pictures; {facts}. "
        "Means over pictures with 95 % bootstrap intervals.",
        *([table.note] if table.note else []),
        "\n".join(_grid(table)),
        "\n".join(f"- **{r.name}**: {r.how}{_remarks(r)}" for r in table.results),
        "\n".join(f"- `{metric}`: {CONVENTIONS[metric]}" for metric in table.metrics),
    ]
    if table.published:
        figures = "; ".join(f"{name} {figure}" for name, figure in table.published.items())
        parts.append(f"Published, not measured here: {figures}.")
    if table.skipped:
        left_out = (f"- **{name}**: {' '.join(why.split())}" for name, why in table.skipped.items())
        parts += ["Left out:", "\n".join(left_out)]
    return "\n\n".join(parts) + "\n"


def write_table(table: Table, folder: Path) -> Path:
    """Write ``NAME.json`` and ``NAME.md`` into a folder; return the Markdown file."""
    write_text(folder / f"{table.name}.json", to_json(table), overwrite=True)
    return write_text(folder / f"{table.name}.md", to_markdown(table), overwrite=True)


def _bootstrap(
    items: NDArray[np.float64], summarise: Callable[[NDArray[np.float64]], Any], seed: int
) -> Mean:
    """A summary of items with its percentile interval over resampled items.

    Args:
        items: (N, ...) one item a sample.
        summarise: from R resamples (R, N, ...) to R numbers.
        seed: of the resampling.
    """
    if not len(items):
        return Mean(math.nan, math.nan, math.nan, 0)
    chosen = np.random.default_rng(seed).integers(len(items), size=(_RESAMPLES, len(items)))
    resampled = summarise(items[chosen])
    finite = resampled[np.isfinite(resampled)]
    low, high = np.quantile(finite, [0.025, 0.975]) if finite.size else (math.nan, math.nan)
    return Mean(float(summarise(items[None])[0]), float(low), float(high), len(items))


def _plain_mean(values: NDArray[np.float64]) -> Any:
    return values.mean(axis=1)


def _mean_decibels(errors: NDArray[np.float64]) -> Any:
    return -10 * np.log10(errors.mean(axis=1))


def _ratio(counts: NDArray[np.float64]) -> Any:
    """Sum of the first count over the sum of the second; nan where that is zero."""
    parts, wholes = np.moveaxis(counts.sum(axis=1), -1, 0)
    return np.where(wholes > 0, parts / np.maximum(wholes, 1), np.nan)


def _grid(table: Table) -> list[str]:
    seed = int(table.facts.get("seed", 0))
    base = next((result for result in table.results if result.kind == "identity"), None)
    headline = table.metrics[0]
    names = [f"{m} {direction(m)}" for m in table.metrics]
    head = ["row", *names, *([f"gain in {headline}"] if base else []), "s/MP", "n"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for result in table.results:
        cells = [str(summary_of(result, metric, seed)) for metric in table.metrics]
        gain = [str(gain_of(result, base, headline, seed))] if base else []
        count = str(len(table.samples) - len(result.failures))
        speed = result.seconds_per_megapixel
        seconds = f"{speed:.2f}" if math.isfinite(speed) else "–"
        lines.append([result.name, *cells, *gain, seconds, count])
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _remarks(result: Result) -> str:
    """What a reader must know before believing the row's mean."""
    remarks = []
    if result.unchanged and result.kind != "identity":
        remarks.append(f"{result.unchanged} came back unchanged")
    if result.failures:
        name, message = next(iter(result.failures.items()))
        remarks.append(f"{len(result.failures)} failed, the first {name}: {message}")
    return f" ({'; '.join(remarks)})" if remarks else ""


def _plain(value: Any) -> Any:
    """Make a value fit JSON: nan is null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
