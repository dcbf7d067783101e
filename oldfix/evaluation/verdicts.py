"""Verdicts on a survey: an empty table that a person fills in, and what the table says."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oldfix.errors import UsageError
from oldfix.evaluation.votes import exact_interval
from oldfix.files import write_text

#: What a verdict may be.
VERDICTS = ("better", "same", "worse")
_HEAD = "| photograph | better/same/worse | why |"
_INTRODUCTION = (
    "Look at each photograph before and after, then write `better`, `same` or `worse` into the "
    "second column, and why into the third. Lines left empty are not counted."
)


@dataclass(frozen=True)
class Verdicts:
    """How many photographs were judged how.

    Attributes:
        better, same, worse: number of verdicts.
        missing: lines without one.
    """

    better: int
    same: int
    worse: int
    missing: int

    @property
    def judged(self) -> int:
        """Number of verdicts of any kind."""
        return self.better + self.same + self.worse

    def share(self, verdict: str) -> tuple[float, float, float]:
        """Share of a verdict among those given, and its exact 95 % interval; nan without any."""
        if not self.judged:
            return math.nan, math.nan, math.nan
        count = int(getattr(self, verdict))
        return count / self.judged, *exact_interval(count, self.judged)

    def __str__(self) -> str:
        lines = [self._line(verdict) for verdict in VERDICTS]
        return "\n".join([*lines, f"without a verdict: {self.missing}"])

    def _line(self, verdict: str) -> str:
        line = f"{verdict}: {getattr(self, verdict)}"
        share, low, high = self.share(verdict)
        if math.isfinite(share):
            line += f", {share:.1%} (95 % interval {low:.1%} to {high:.1%})"
        return line


def write_verdicts(path: Path, photos: Sequence[str]) -> Path:
    """Write an empty table, one line a photograph, as Markdown."""
    lines = [f"| {_escaped(photo)} |  |  |" for photo in photos]
    text = "\n".join(["# Verdicts", "", _INTRODUCTION, "", _HEAD, "| --- | --- | --- |", *lines])
    return write_text(path, text + "\n", overwrite=True)


def score_verdicts(files: Sequence[Path]) -> Verdicts:
    """Count the verdicts of one or more people, a table each.

    Raises:
        UsageError: a file cannot be read, holds no such table, or a line is not a verdict.
    """
    counts = dict.fromkeys((*VERDICTS, ""), 0)
    for file in files:
        for verdict in read_verdicts(file).values():
            counts[verdict] += 1
    return Verdicts(counts["better"], counts["same"], counts["worse"], missing=counts[""])


def read_verdicts(file: Path) -> dict[str, str]:
    """Read a table: photograph -> "better", "same", "worse" or "" (not judged).

    Raises:
        UsageError: it cannot be read, holds no such table, or a line is not a verdict.
    """
    try:
        lines = file.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--score {file}: cannot be read ({error}); give a table") from None
    table = [(n, _cells(line)) for n, line in enumerate(lines, 1) if line.strip().startswith("|")]
    if not table or table[0][1] != _cells(_HEAD):
        raise UsageError(f"--score {file}: holds no table of verdicts; its head must be {_HEAD}")
    verdicts: dict[str, str] = {}
    for number, cells in table[2:]:
        photo, verdict = cells[0], cells[1].lower() if len(cells) > 1 else ""
        where = f"--score {file}: line {number}"
        if verdict not in (*VERDICTS, ""):
            raise UsageError(f"{where}: '{verdict}' is no verdict; write {', '.join(VERDICTS)}")
        if photo in verdicts:
            raise UsageError(f"{where}: a second verdict on {photo}; keep one, or a file a person")
        verdicts[photo] = verdict
    return verdicts


def _escaped(name: str) -> str:
    return name.replace("|", r"\|")


def _cells(line: str) -> list[str]:
    """Photograph, verdict, and whatever follows, bars and all."""
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", inner, maxsplit=2)]
