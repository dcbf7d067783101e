"""``oldfix eval bars``: compare tables with what the embedded networks must reach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from oldfix.cli.byeye import EvalFlags
from oldfix.cli.console import say, say_json


def compare_with_bars(arguments: Sequence[str], flags: EvalFlags) -> None:
    """Write the page of bars, from tables or folders of them.

    Raises:
        UsageError: something is no table.
    """
    from oldfix.evaluation.bars import judge_bars, load_bars, to_markdown
    from oldfix.evaluation.results import read_tables
    from oldfix.files import write_text
    from oldfix.registry import discover
    from oldfix.weights.store import Store

    tables = read_tables(map(Path, arguments))
    verdicts = judge_bars(load_bars(), tables, discover(), Store())
    text = to_markdown(verdicts, tables)
    page = write_text(flags.out / "bars.md", text, overwrite=True)
    if flags.as_json:
        say_json([{**_plain(asdict(v)), "reached": v.reached.strip("*")} for v in verdicts])
        return
    say(text)
    say(str(page))


def _plain(values: Any) -> Any:
    """JSON has neither nan nor infinity: null."""
    if isinstance(values, dict):
        return {name: _plain(value) for name, value in values.items()}
    return None if isinstance(values, float) and not math.isfinite(values) else values
