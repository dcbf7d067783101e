"""``oldfix eval seeds``: every system on every kind of work, in one table."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from oldfix.evaluation.columns import direction
from oldfix.evaluation.results import best_of
from oldfix.evaluation.sets import load_sets
from oldfix.evaluation.tables import Result, Table, gain_of, summary_of, to_markdown

_STRICT = ConfigDict(frozen=True, extra="forbid")


class Shown(BaseModel):
    """Which photograph a task's examples are of; the head of ``seeds.toml`` explains."""

    model_config = _STRICT

    pattern: str
    first: int = Field(0, ge=0)
    every: int = Field(1, ge=1)
    number: int = Field(0, ge=0)


class Task(BaseModel):
    """One kind of work.

    Attributes:
        name: what the table calls it.
        set: the fixed set it is measured on.
        psnr, ssim: the set's columns that stand under these names.
        further: other columns.
        told: patterns of rows that are told too much to stand for their system.
        shown: the photograph of the examples, if there may be one.
    """

    model_config = _STRICT

    name: str
    set: str
    psnr: str
    ssim: str
    further: tuple[str, ...] = ()
    told: tuple[str, ...] = ()
    shown: Shown | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in order."""
        return (self.psnr, self.ssim, *self.further)


class Comparison(BaseModel):
    """The whole of ``seeds.toml``."""

    model_config = _STRICT

    licences: tuple[str, ...]
    systems: Mapping[str, str]
    task: tuple[Task, ...]

    def title(self, system: str) -> str:
        """The published system that a plugin is built after."""
        return self.systems.get(system, system)


@cache
def load_comparison() -> Comparison:
    """Read what is put side by side."""
    text = Path(__file__).with_name("seeds.toml").read_text("utf-8")
    return Comparison.model_validate(tomllib.loads(text))


def chosen_rows(table: Table, task: Task) -> dict[str, Result]:
    """The rows that stand for all others: system, or kind of row -> its best row in PSNR.

    Doing nothing, the best classical and the best published method, and the best row of each
    system, of those that are told no more than the task allows.
    """
    found: dict[str, Result] = {}
    rows = [row for row in table.results if not any(fnmatchcase(row.name, p) for p in task.told)]
    for kind in ("identity", "classical", "rival"):
        best = best_of((row for row in rows if row.kind == kind), task.psnr)
        found |= {kind: best} if best is not None else {}
    for system in sorted({row.system for row in rows} - {""}):
        best = best_of((row for row in rows if row.system == system), task.psnr)
        found |= {system: best} if best is not None else {}
    return found


def to_page(tables: Mapping[str, Table], *, figure: str = "", why_none: str = "") -> str:
    """The page of results: systems by tasks, each task's rows, and every table in full.

    Args:
        tables: by the name of their set.
        figure: path of the examples from the page, or empty.
        why_none: why there is no figure.
    """
    tasks = load_comparison().task
    parts = [_HEAD, _INTRODUCTION, _matrix(tasks, tables)]
    parts += [f"![Examples of every system]({figure})\n\n{_FIGURE}"] if figure else []
    parts += [f"No examples are shown: {why_none}."] if why_none else []
    parts += [_details(task, tables.get(task.set)) for task in tasks]
    order = [name for name in load_sets() if name in tables]
    rest = [name for name in tables if name not in order]
    full = [to_markdown(tables[name]).rstrip() for name in (*order, *rest)]
    return "\n\n".join([*parts, *full]) + "\n"


_HEAD = """# Results

Written by `oldfix eval seeds` from the tables of `oldfix eval`. Numbers in brackets are 95 %
bootstrap intervals over pictures; a gain whose interval holds zero is none."""
_INTRODUCTION = """## The systems side by side

Of every system the row with the best PSNR: PSNR in dB / SSIM. Beside them doing nothing, and the
best classical and published method. Rows that are told where the damage is stand in the tables
below alone. An empty cell means that the system has no stage for this work."""
_FIGURE = """Photographs that were kept back from training and may be redistributed; the damage is
that of the set's seed. Real noise has no such pictures."""
_NAMES = {"identity": "*doing nothing*", "classical": "*classical*", "rival": "*published*"}


def _matrix(tasks: Sequence[Task], tables: Mapping[str, Table]) -> str:
    chosen = {t.name: chosen_rows(tables[t.set], t) for t in tasks if t.set in tables}
    systems = dict.fromkeys(name for rows in chosen.values() for name in rows)
    lines = [["system", *(task.name for task in tasks)], ["---"] + ["---:"] * len(tasks)]
    for system in sorted(systems, key=lambda name: (name not in _NAMES, name)):
        cells = [_pair(chosen.get(task.name), system, task) for task in tasks]
        title = _NAMES.get(system) or f"{load_comparison().title(system)} (`{system}`)"
        lines.append([title, *cells])
    return _grid(lines)


def _pair(chosen: Mapping[str, Result] | None, system: str, task: Task) -> str:
    if chosen is None:
        return "not measured"
    if system not in chosen:
        return ""
    row = chosen[system]
    return f"{_mean(row, task.psnr, '.2f')} / {_mean(row, task.ssim, '.4f')}"


def _details(task: Task, table: Table | None) -> str:
    head = f"### {task.name[0].upper()}{task.name[1:]}"
    if table is None:
        return f"{head}\n\nNot measured: there is no table of {task.set}."
    missing = [column for column in task.columns if column not in table.metrics]
    columns = [column for column in task.columns if column in table.metrics]
    base = next((result for result in table.results if result.kind == "identity"), None)
    gain = [f"gain in {task.psnr}"] if base else []
    names = [f"{column} {direction(column)}" for column in columns]
    lines = [["system", "row", *names, *gain, "s/MP", "M parameters"]]
    lines.append(["---", "---", *["---:"] * (len(lines[0]) - 2)])
    lines += [_cells(row, columns, base, task.psnr) for row in _in_order(table.results)]
    said = f"On {task.set}, {len(table.samples)} pictures, seed {table.facts.get('seed', '?')}."
    if missing:
        said += f" The table has no {', '.join(missing)}."
    return f"{head}\n\n{said}\n\n{_grid(lines)}"


def _cells(row: Result, columns: Iterable[str], base: Result | None, metric: str) -> list[str]:
    system = load_comparison().title(row.system) if row.system else row.kind
    gain = [str(gain_of(row, base, metric))] if base is not None else []
    figures = [_mean(row, column, ".4g") for column in columns]
    return [system, row.name, *figures, *gain, _number(row.seconds_per_megapixel), _millions(row)]


def _in_order(results: Iterable[Result]) -> Iterator[Result]:
    """Rows of no system first, then system by system, each in the table's order."""
    yield from sorted(results, key=lambda row: (row.kind == "oldfix", row.system))


def _mean(row: Result, metric: str, form: str) -> str:
    value = summary_of(row, metric).mean if metric in row.values else math.nan
    return format(value, form) if math.isfinite(value) else "–"


def _number(value: float) -> str:
    return f"{value:.2f}" if math.isfinite(value) else "–"


def _millions(row: Result) -> str:
    if row.kind in ("identity", "classical"):
        return ""
    return f"{row.millions:.2g}" if math.isfinite(row.millions) else "–"


def _grid(lines: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
