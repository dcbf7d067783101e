"""Studies of plugins: commands of their own, ``python -m plugin.study``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from oldfix.checkout import commit
from oldfix.errors import EnvironmentProblem, OldfixError, refused
from oldfix.files import make_folder, write_text


def leave_with(study: Callable[[], int]) -> None:
    """Run a study and leave with its exit code; what oldfix raises on purpose is told in one line.

    Exit codes are those of ``oldfix``; a file that cannot be read or written leaves with 3.
    """
    try:
        code = study()
    except OldfixError as error:
        sys.stderr.write(f"{error}\n")
        code = error.exit_code
    except OSError as error:
        sys.stderr.write(f"{refused(error) or error}\n")
        code = EnvironmentProblem.exit_code
    sys.exit(code)


def write_study(
    folder: Path, name: str, settings: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Write what a study found as ``NAME.json`` and ``NAME.md``, and to the standard output.

    Args:
        folder: made if missing; older files of the name are replaced.
        name: of the study.
        settings: what it was asked.
        rows: with the same keys each.
    """
    make_folder(folder)
    content = {"settings": dict(settings), "commit": commit(), "rows": rows}
    text = json.dumps(content, indent=2, default=str) + "\n"
    write_text(folder / f"{name}.json", text, overwrite=True)
    page = table(rows)
    write_text(folder / f"{name}.md", page, overwrite=True)
    sys.stdout.write(page)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys as a Markdown table."""
    cells = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
