"""``oldfix eval seeds``: every system on every kind of work, in one table."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from oldfix.cli.byeye import EvalFlags
from oldfix.cli.console import say, say_json, tell
from oldfix.errors import OldfixError, UsageError


def compare_systems(
    arguments: Sequence[str], data: Path | None, rivals: Path | None, flags: EvalFlags
) -> None:
    """Write the page of results from tables; measure what they lack if there are photographs.

    Raises:
        UsageError: neither tables nor photographs, or something is no table.
    """
    from oldfix.evaluation.evaluate import Evaluation, open_host
    from oldfix.evaluation.examples import draw_examples
    from oldfix.evaluation.results import read_tables
    from oldfix.evaluation.rivals import Rivals
    from oldfix.evaluation.seeds import load_comparison, to_page
    from oldfix.evaluation.sets import load_set
    from oldfix.evaluation.tables import write_table
    from oldfix.files import make_folder, write_text

    if not arguments and data is None:
        raise UsageError("eval seeds: needs tables (JSON, or folders of them), or --data FOLDER")
    comparison, tables = load_comparison(), read_tables(map(Path, arguments))
    for folder in {flags.out, flags.images or flags.out}:
        make_folder(folder)
    page, figure, why = flags.out / "results.md", "", "no photographs were given (--data)"
    if data is not None:
        host = open_host(device=flags.device, seed=flags.seed)
        found = Rivals.open(rivals)
        evaluation = Evaluation(data, flags.out, flags.seed, flags.limit, host, tell, found)
        for name in (task.set for task in comparison.task if task.set not in tables):
            try:
                tables[name] = evaluation.measure(load_set(name))[0]
                write_table(tables[name], flags.out)
            except OldfixError as error:
                tell(f"{name}: not measured: {error}")
        path = (flags.images or flags.out) / "systems.jpg"
        try:
            draw_examples(path, tables, host, data, seed=flags.seed, say=tell)
            figure, why = os.path.relpath(path, page.parent), ""
        except OldfixError as error:
            why = str(error)
            tell(why)
    write_text(page, to_page(tables, figure=figure, why_none=why), overwrite=True)
    if flags.as_json:
        say_json({"page": str(page), "figure": figure, "tables": [*tables]})
        return
    say(str(page))
