"""Where text goes: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

#: Width of tables that go to a file or another program, which has no width of its own.
_WIDTH_OF_FILES = 160


def say(text: str) -> None:
    """Print a result."""
    print(text, flush=True)


def tell(text: str) -> None:
    """Print something the user should know beside the results."""
    print(text, file=sys.stderr, flush=True)


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    say(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def say_table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print a table; empty cells stay empty."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)
    console.print(table)


def megabytes(count: float) -> str:
    """Return a number of bytes in words ("3.4 MB")."""
    return f"{count / 1e6:.1f} MB"
