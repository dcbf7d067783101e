"""``oldfix eval aged``: aged photographs shuffled among old ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from oldfix.cli.byeye import EvalFlags, photographs
from oldfix.cli.console import say, say_json, tell
from oldfix.errors import UsageError


def mix(arguments: Sequence[str], flags: EvalFlags) -> None:
    """Age photographs and lay them among old ones.

    Raises:
        UsageError: not two sides, or no such recipe.
    """
    from oldfix.evaluation.aged import write_aged

    if len(arguments) != 2:
        raise UsageError(
            "eval aged: needs sound photographs and old ones, a folder or glob of each"
        )
    sound, old = (photographs([side], flags.limit) for side in arguments)
    made = write_aged(sound, old, flags.out, recipe=flags.recipe, seed=flags.seed, say=tell)
    if flags.as_json:
        say_json(asdict(made))
        return
    say(f"{made.each} photographs of each kind")
    for page in made.pages:
        say(str(page))
    say(f"key: {made.key}")
