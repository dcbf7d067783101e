"""``oldfix eval``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from oldfix.cli.aged import mix
from oldfix.cli.bars import compare_with_bars
from oldfix.cli.blind import compare
from oldfix.cli.byeye import EvalFlags
from oldfix.cli.console import say, say_json, say_table, tell
from oldfix.cli.curves import draw
from oldfix.cli.options import flat
from oldfix.cli.seeds import compare_systems
from oldfix.cli.survey import survey
from oldfix.errors import UsageError

#: What takes photographs or other files rather than a set.
_OTHERS: Mapping[str, Callable[[list[str], EvalFlags], None]] = {
    "blind": compare,
    "survey": survey,
    "aged": mix,
    "curves": draw,
    "bars": compare_with_bars,
}


_Name = Annotated[
    str,
    typer.Argument(
        metavar="[SET]",
        help="A set, all, blind, survey, aged, curves, bars, seeds. If none, sets are listed.",
    ),
]
_Words = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PHOTO...]",
        help="For blind: A, B (pipelines, or folders of finished pictures), photographs. "
        "For survey: photographs. For aged: sound photographs, old ones. "
        "For curves: folders of trainings. For bars, seeds: tables (JSON), or folders of them.",
    ),
]
_Data = Annotated[
    Path | None, typer.Option("--data", metavar="FOLDER", help="Pictures to measure on.")
]
_Rivals = Annotated[
    Path | None,
    typer.Option(
        "--rivals", metavar="FOLDER", help="Published networks to measure too [$OLDFIX_RIVALS]."
    ),
]


@flat
def evaluate(
    name: _Name = "",
    shown: _Words = None,
    data: _Data = None,
    rivals: _Rivals = None,
    *,
    flags: EvalFlags,
) -> None:
    """Measure the stages on a set of pictures.

    They stand beside doing nothing, classical methods and published networks. Writes tables and
    contact sheets.

    `eval blind A B PHOTO...` compares two results by eye: shuffled sheets and an empty ballot go
    to the folder `blind` below -o, and the key beside it; `eval blind --score VOTES` counts.

    `eval survey PHOTO...` shows what a pipeline does to photographs without a truth: before and
    after, the most changed places at full size, measures, and a table for verdicts, which
    `eval survey --score TABLE` counts.

    `eval aged SOUND OLD` ages sound photographs and shuffles them among old ones, with a key.

    `eval curves [NAME=]RUN...` draws the scores of trainings over time, and what more would give.

    `eval bars TABLE...` compares tables that were measured with what the networks must reach.

    `eval seeds [TABLE...]` puts all systems side by side; what tables lack is measured on --data.
    """
    flags.refuse_strays(name)
    words = shown or []
    if name in _OTHERS:
        if data or rivals:
            raise UsageError(f"eval {name}: --data and --rivals go with sets; leave them out")
        _OTHERS[name](words, flags)
    elif name == "seeds":
        compare_systems(words, data, rivals, flags)
    elif words:
        raise UsageError(
            f"eval {name}: takes one set; more words go with {', '.join(_OTHERS)}, seeds"
        )
    elif not name:
        _list(as_json=flags.as_json)
    elif data is None:
        raise UsageError(f"eval {name}: needs photographs; add --data FOLDER")
    else:
        _measure(name, data, rivals, flags)


def _measure(name: str, data: Path, rivals: Path | None, flags: EvalFlags) -> None:
    from oldfix.evaluation.evaluate import Evaluation, Unmeasured, open_host
    from oldfix.evaluation.rivals import Rivals

    host = open_host(device=flags.device, seed=flags.seed)
    found = Rivals.open(rivals)
    evaluation = Evaluation(data, flags.out, flags.seed, flags.limit, host, tell, found)
    try:
        _show(evaluation.run(name), as_json=flags.as_json)
    except Unmeasured as error:
        _show(error.page, as_json=flags.as_json)
        raise


def _show(page: Path, *, as_json: bool) -> None:
    if as_json:
        say_json(_tables(page.with_suffix(".json")))
        return
    say(page.read_text("utf-8"))
    say(str(page))


def _tables(file: Path) -> dict[str, Any]:
    """The tables that were written, by the name of their set."""
    content = json.loads(file.read_text("utf-8"))
    tables = content if isinstance(content, list) else [content]
    return {table["name"]: table for table in tables}


def _list(*, as_json: bool) -> None:
    from oldfix.evaluation.sets import load_sets

    sets = load_sets()
    if as_json:
        say_json([item.model_dump(mode="json") for item in sets.values()])
        return
    say_table(("set", "measures"), ((item.name, item.summary) for item in sets.values()))
