"""Votes on blind sheets: read, checked against the key, and counted."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oldfix.errors import UsageError
from oldfix.options import did_you_mean

_COLUMNS = ("sheet", "choice")
_SAME = "="


@dataclass(frozen=True)
class Score:
    """What the votes say.

    Attributes:
        a, b: names of the sides.
        votes_a, votes_b: votes for each.
        same: votes for neither.
        missing: lines without a choice, and sheets without a line.
        share: share of A among the votes that decide; nan without any.
        low, high: its exact 95 % interval (Clopper and Pearson).
        p: two-sided probability of a result this uneven if neither were better.
    """

    a: str
    b: str
    votes_a: int
    votes_b: int
    same: int
    missing: int
    share: float
    low: float
    high: float
    p: float

    def __str__(self) -> str:
        lines = [
            f"A {self.a}: {self.votes_a}",
            f"B {self.b}: {self.votes_b}",
            f"same: {self.same}, without a choice: {self.missing}",
        ]
        if math.isfinite(self.share):
            within = f"95 % interval {self.low:.1%} to {self.high:.1%}, p = {self.p:.3g}"
            lines.append(f"A won {self.share:.1%} of the votes that decide ({within})")
        return "\n".join(lines)


def score_votes(files: Sequence[Path], key: Path) -> Score:
    """Count the votes of one or more judges, a file each.

    Raises:
        UsageError: the key or a file cannot be read, or a line is not a vote.
    """
    content = _read_key(key)
    sheets: Mapping[str, Mapping[str, str]] = content["sheets"]
    counts = dict.fromkeys(("A", "B", _SAME, ""), 0)
    for file in files:
        choices = read_votes(file, sheets)
        for name, places in sheets.items():
            choice = choices.get(name, "")
            counts[places.get(choice, choice)] += 1
    return _scored(content, counts)


def read_votes(file: Path, sheets: Mapping[str, Any]) -> dict[str, str]:
    """Read a judge's CSV: sheet -> "1", "2", "=" or "" (not judged).

    Raises:
        UsageError: it cannot be read, has other columns, or a line is not a vote.
    """
    try:
        rows = list(csv.reader(file.read_text("utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"--score {file}: cannot be read ({error}); give a CSV file") from None
    rows = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    if not rows or tuple(cell.lower() for cell in rows[0]) != _COLUMNS:
        found = ",".join(rows[0]) if rows else "nothing"
        raise UsageError(f"--score {file}: begins with {found}; its head must be sheet,choice")
    votes: dict[str, str] = {}
    for number, row in enumerate(rows[1:], 2):
        where = f"--score {file}: row {number}"
        name, choice = _vote(row, where)
        if name not in sheets:
            cure = did_you_mean(name, sheets) or "; is this the right key?"
            raise UsageError(f"{where}: there is no sheet '{name}'{cure}")
        if name in votes:
            raise UsageError(
                f"{where}: a second vote on {name}; keep one, or a file for each judge"
            )
        votes[name] = choice
    return votes


def exact_interval(count: int, of: int) -> tuple[float, float]:
    """The 95 % interval of a share after Clopper and Pearson: exact, so never too narrow."""
    from scipy.stats import binomtest

    interval = binomtest(count, of).proportion_ci(0.95, "exact")
    return float(interval.low), float(interval.high)


def _vote(row: Sequence[str], where: str) -> tuple[str, str]:
    name, *rest = row
    choice = rest[0] if rest else ""
    if len(rest) > 1 or choice not in ("1", "2", _SAME, ""):
        got = ",".join(rest)
        raise UsageError(f"{where}: the choice is '{got}'; write 1, 2, = (same) or nothing")
    return name.removesuffix(".png"), choice


def _read_key(key: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(key.read_text("utf-8"))
        whole = isinstance(content["A"], str) and isinstance(content["B"], str)
        places = [{entry["1"], entry["2"]} for entry in content["sheets"].values()]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        whole, places, content = False, [], {}
    if not whole or any(place != {"A", "B"} for place in places):
        raise UsageError(f"{key}: is no key of a blind comparison; give its folder with -o")
    checked: Mapping[str, Any] = content
    return checked


def _scored(content: Mapping[str, Any], counts: Mapping[str, int]) -> Score:
    from scipy.stats import binomtest

    decided = counts["A"] + counts["B"]
    share, low, high, p = math.nan, math.nan, math.nan, math.nan
    if decided:
        share, p = counts["A"] / decided, float(binomtest(counts["A"], decided).pvalue)
        low, high = exact_interval(counts["A"], decided)
    return Score(
        a=content["A"],
        b=content["B"],
        votes_a=counts["A"],
        votes_b=counts["B"],
        same=counts[_SAME],
        missing=counts[""],
        share=share,
        low=low,
        high=high,
        p=p,
    )
