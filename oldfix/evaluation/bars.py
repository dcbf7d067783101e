"""``oldfix eval bars``: what the embedded networks must reach, and whether they do."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from oldfix.evaluation.columns import POOLED_DECIBELS, RATIOS, direction
from oldfix.evaluation.results import best_of
from oldfix.evaluation.sets import load_sets
from oldfix.evaluation.tables import Mean, Result, Table, gain_of, summary_of
from oldfix.registry import Registry
from oldfix.weights.store import Store


class Bar(BaseModel):
    """One thing to reach; the head of ``bars.toml`` says what its fields mean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    network: str
    says: str
    set: str = ""
    row: tuple[str, ...] = ()
    metric: str = ""
    over: tuple[str, ...] = ()
    over_kinds: tuple[Literal["identity", "classical", "rival", "oldfix"], ...] = ()
    share: bool = False
    of_role: str = ""
    test: str = ""
    at_least: float = -math.inf
    above: float = -math.inf
    at_most: float = math.inf
    below: float = math.inf

    @model_validator(mode="after")
    def _measured_in_one_way(self) -> Self:
        if sum(map(bool, (self.set, self.of_role, self.test))) != 1:
            raise ValueError(f"{self.says}: needs one of set, of_role and test")
        limits = (self.at_least, self.above, self.at_most, self.below)
        if self.test == "" and not any(map(math.isfinite, limits)):
            raise ValueError(f"{self.says}: needs a limit")
        return self

    @property
    def relative(self) -> bool:
        """Whether a row is compared with others."""
        return bool(self.over or self.over_kinds)

    def holds(self, value: float) -> bool:
        """Whether a value reaches the bar."""
        return self.at_least <= value <= self.at_most and self.above < value < self.below

    def limit(self) -> str:
        """The limit in words."""
        words = {"≥": self.at_least, ">": self.above, "≤": self.at_most, "<": self.below}
        told = [f"{sign} {value:g}" for sign, value in words.items() if math.isfinite(value)]
        return " and ".join(told)


@dataclass(frozen=True)
class Verdict:
    """A bar, and what was measured.

    Attributes:
        bar: what to reach.
        value: what counts; nan where it was not measured.
        low, high: its 95 % interval; nan where there is none.
        how: which row on which pictures, or why there is nothing.
    """

    bar: Bar
    value: float
    low: float
    high: float
    how: str

    @property
    def reached(self) -> str:
        """Yes, no, by a test, or not measured."""
        if self.bar.test:
            return "held by a test"
        if not math.isfinite(self.value):
            return "not measured"
        return "yes" if self.bar.holds(self.value) else "**no**"


def load_bars() -> list[Bar]:
    """Read the bars that come with oldfix."""
    text = Path(__file__).with_name("bars.toml").read_text("utf-8")
    return [Bar.model_validate(table) for table in tomllib.loads(text)["bar"]]


def judge_bars(
    bars: Iterable[Bar], tables: Mapping[str, Table], registry: Registry, store: Store
) -> list[Verdict]:
    """Compare bars with tables by the name of their set, and with the networks installed."""
    return [_judged(bar, tables, registry, store) for bar in bars]


def to_markdown(verdicts: Sequence[Verdict], tables: Mapping[str, Table]) -> str:
    """A page with every bar, and the tables that it rests on."""
    head = ["network", "to reach", "limit", "measured", "reached", "how"]
    rows = [_cells(verdict) for verdict in verdicts]
    lines = [head, ["---"] * len(head), *rows]
    grid = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    named = {verdict.bar.set for verdict in verdicts}
    facts = "\n".join(_facts(table) for name, table in tables.items() if name in named)
    counts = {word: sum(v.reached == word for v in verdicts) for word in _WORDS}
    summary = ", ".join(f"{count} {word.strip('*')}" for word, count in counts.items())
    return f"{_HEAD}\n\n{len(verdicts)} bars: {summary}.\n\n{grid}\n\nMeasured on:\n\n{facts}\n"


_WORDS = ("yes", "**no**", "not measured", "held by a test")
_HEAD = """# What the embedded networks must reach

Written by `oldfix eval bars` from tables of `oldfix eval`. The bars were fixed in
`oldfix/evaluation/bars.toml` beside the sets. Where a row is compared with others, a gain is
measured: positive is better whatever the metric; a share is the row's part of the other's. Brackets
hold 95 % bootstrap intervals over pictures; a mean decides, not its interval."""


def _cells(verdict: Verdict) -> list[str]:
    bar = verdict.bar
    if not bar.set:
        what = f"{bar.limit()} M parameters" if bar.of_role else ""
    elif bar.share:
        what = f"share of `{bar.metric}` {bar.limit()}"
    else:
        what = f"{'gain in ' if bar.relative else ''}`{bar.metric}` {bar.limit()}"
    value = "–" if not math.isfinite(verdict.value) else f"{verdict.value:.4g}"
    if math.isfinite(verdict.low):
        value += f" ({verdict.low:.4g} – {verdict.high:.4g})"
    return [bar.network, bar.says, what, value, verdict.reached, verdict.how]


def _facts(table: Table) -> str:
    told = load_sets().get(table.name)
    wanted = f" of {told.count}" if told and len(table.samples) < told.count else ""
    seed, version = table.facts.get("seed", "?"), table.facts.get("oldfix", "?")
    count = f"{len(table.samples)}{wanted} pictures"
    commit = f" ({table.facts['commit']})" if table.facts.get("commit") else ""
    return f"- {table.name}: {count}, seed {seed}, oldfix {version}{commit}"


def _judged(bar: Bar, tables: Mapping[str, Table], registry: Registry, store: Store) -> Verdict:
    if bar.test:
        return _unmeasured(bar, f"`{bar.test}`")
    if bar.of_role:
        return _counted(bar, registry, store)
    table = tables.get(bar.set)
    if table is None or bar.metric not in table.metrics:
        return _unmeasured(bar, f"no table of {bar.set} with {bar.metric}")
    row = best_of(_fitting(table, bar.row), bar.metric)
    if row is None:
        return _unmeasured(bar, f"{bar.set} has no figure for {' or '.join(bar.row)}")
    if bar.relative:
        return _compared(bar, table, row)
    mean = summary_of(row, bar.metric)
    return Verdict(bar, mean.mean, mean.low, mean.high, f"{bar.set}: {row.name}")


def _compared(bar: Bar, table: Table, row: Result) -> Verdict:
    others = _fitting(table, bar.over, bar.over_kinds)
    missing = [p for p in bar.over if not _fitting(table, (p,))]
    missing += [kind for kind in bar.over_kinds if not _fitting(table, (), (kind,))]
    if missing:
        return _unmeasured(bar, f"{bar.set} has no row {', '.join(missing)}")
    other = best_of((result for result in others if result is not row), bar.metric)
    if other is None:
        return _unmeasured(bar, f"{bar.set} has no figures to compare with")
    mean = _share(row, other, bar.metric) if bar.share else _gain(row, other, bar.metric)
    return Verdict(bar, mean.mean, mean.low, mean.high, f"{bar.set}: {row.name}; {other.name}")


def _gain(row: Result, other: Result, metric: str) -> Mean:
    if metric not in POOLED_DECIBELS and metric not in RATIOS:
        return gain_of(row, other, metric)
    sign = -1 if direction(metric) == "↓" else 1
    gain = sign * (summary_of(row, metric).mean - summary_of(other, metric).mean)
    return Mean(gain, math.nan, math.nan, len(row.values[metric]))


def _share(row: Result, other: Result, metric: str) -> Mean:
    mine, theirs = (summary_of(result, metric).mean for result in (row, other))
    share = mine / theirs if theirs else math.nan
    return Mean(share, math.nan, math.nan, len(row.values[metric]))


def _fitting(table: Table, patterns: Iterable[str], kinds: Sequence[str] = ()) -> list[Result]:
    told = list(patterns)
    return [
        result
        for result in table.results
        if result.kind in kinds or any(fnmatchcase(result.name, pattern) for pattern in told)
    ]


def _counted(bar: Bar, registry: Registry, store: Store) -> Verdict:
    """Parameters of the largest network of a role that comes with oldfix."""
    from oldfix.weights.count import parameters

    own = [c for c in registry.cards.values() if c.role == bar.of_role and not c.url]
    files = {card.id: store.find(card) for card in own}
    counts = {name: parameters(file) for name, file in files.items() if file is not None}
    if not counts:
        return _unmeasured(bar, f"no network of the role {bar.of_role} is installed")
    name = max(counts, key=lambda key: counts[key])
    return Verdict(bar, counts[name] / 1e6, math.nan, math.nan, f"{name}, its file")


def _unmeasured(bar: Bar, why: str) -> Verdict:
    return Verdict(bar, math.nan, math.nan, math.nan, why)
