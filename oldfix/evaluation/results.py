"""Tables that were measured, read back from their JSON files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from oldfix.errors import UsageError
from oldfix.evaluation.columns import LOWER_IS_BETTER
from oldfix.evaluation.tables import Result, Table, summary_of


def read_tables(paths: Iterable[Path]) -> dict[str, Table]:
    """Read tables by the name of their set; a later one takes the place of an earlier.

    Args:
        paths: files that ``oldfix eval`` wrote, or folders of such. Of a folder, files with other
            contents are left out.

    Raises:
        UsageError: a file cannot be read as tables, or a folder holds none.
    """
    tables: dict[str, Table] = {}
    for path in paths:
        if not path.is_dir():
            tables |= _read(path)
            continue
        found = [table for file in sorted(path.glob("*.json")) for table in _tables(file)]
        if not found:
            raise UsageError(f"{path}: holds no table of 'oldfix eval'; give the folder of its -o")
        tables |= {table.name: table for table in found}
    return tables


def best_of(results: Iterable[Result], metric: str) -> Result | None:
    """The row with the best mean of a metric, or None where no row has one."""
    sign = -1 if metric in LOWER_IS_BETTER else 1
    means = [(sign * _mean(result, metric), result) for result in results]
    known = [pair for pair in means if math.isfinite(pair[0])]
    return max(known, key=lambda pair: pair[0])[1] if known else None


def _mean(result: Result, metric: str) -> float:
    return summary_of(result, metric).mean if metric in result.values else math.nan


def _read(path: Path) -> dict[str, Table]:
    found = _tables(path)
    if not found:
        raise UsageError(f"{path}: is no table of 'oldfix eval'; give the JSON file it wrote")
    return {table.name: table for table in found}


def _tables(path: Path) -> list[Table]:
    """The tables of a file; none if it is something else."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except OSError as error:
        why = error.strerror or error
        raise UsageError(f"{path}: cannot be read ({why}); give a table's JSON file") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        return []
    items = content if isinstance(content, list) else [content]
    needed = {"name", "metrics", "samples", "results", "facts"}
    if not all(isinstance(item, Mapping) and needed <= set(item) for item in items):
        return []
    return [_table(item) for item in items]


def _table(item: Mapping[str, Any]) -> Table:
    known = {name.name for name in fields(Table)}
    rows = tuple(_result(row) for row in item["results"])
    values = {name: value for name, value in item.items() if name in known}
    values |= {"metrics": tuple(item["metrics"]), "samples": tuple(item["samples"])}
    return Table(**{**values, "results": rows})


def _result(row: Mapping[str, Any]) -> Result:
    """A row; JSON has no nan, which is null there."""
    known = {name.name for name in fields(Result)}
    plain = {name: value for name, value in row.items() if name in known}
    plain["values"] = {name: [_number(v) for v in column] for name, column in row["values"].items()}
    plain["seconds_per_megapixel"] = _number(row["seconds_per_megapixel"])
    plain["millions"] = _number(row.get("millions"))
    return Result(**plain)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
