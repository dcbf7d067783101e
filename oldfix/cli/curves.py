"""``oldfix eval curves``: what more training would give."""

from __future__ import annotations

from collections.abc import Sequence

from oldfix.cli.byeye import EvalFlags
from oldfix.cli.console import say, say_json
from oldfix.errors import UsageError


def draw(arguments: Sequence[str], flags: EvalFlags) -> None:
    """Draw the validation scores of trainings over their minutes.

    Raises:
        UsageError: no training is named, or one has no log.
    """
    if not arguments:
        raise UsageError("eval curves: needs the folders of trainings, or their validation.csv")
    from oldfix.evaluation.curves import as_json, curves_of, read_runs, write_curves

    curves = curves_of(read_runs(arguments))
    page = flags.out / "curves.md"
    made = write_curves(curves, page, flags.images or flags.out, targets=flags.target)
    if flags.as_json:
        say_json([as_json(curve) for curve in curves])
        return
    for path in made:
        say(str(path))
