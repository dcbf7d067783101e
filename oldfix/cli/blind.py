"""``oldfix eval blind``: write sheets for judges, or count their votes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oldfix.cli.byeye import EvalFlags, photographs
from oldfix.cli.console import say, say_json, tell
from oldfix.errors import UsageError

if TYPE_CHECKING:
    from oldfix.evaluation.blind import Contestant
    from oldfix.runner import Runner


def compare(arguments: Sequence[str], flags: EvalFlags) -> None:
    """Write a blind comparison of A and B, or count votes.

    Raises:
        UsageError: too few arguments, or both at once.
    """
    if flags.score:
        if arguments:
            raise UsageError("eval blind: takes either A B PHOTO... or --score VOTES")
        _score(flags)
        return
    if len(arguments) < 3:
        raise UsageError("eval blind: needs A, B and photographs, or --score VOTES")
    _write(arguments, flags)


def _write(arguments: Sequence[str], flags: EvalFlags) -> None:
    from oldfix.evaluation.blind import write_blind
    from oldfix.runner import Runner

    photos = photographs(arguments[2:], flags.limit)
    with Runner(device=flags.device, seed=flags.seed) as runner:
        first, second = (_contestant(name, runner) for name in arguments[:2])
        written = write_blind((first, second), photos, flags.out, seed=flags.seed, say=tell)
    for photo in written.same:
        tell(f"{photo}: left out, A and B give the same picture")
    if flags.as_json:
        say_json(asdict(written))
        return
    say(f"{written.sheets} sheets and votes.csv for the judges: {written.folder}")
    say(f"key, not for them: {written.key}")


def _score(flags: EvalFlags) -> None:
    from oldfix.evaluation.blind import KEY_NAME
    from oldfix.evaluation.votes import score_votes

    score = score_votes(flags.score, flags.out / KEY_NAME)
    if flags.as_json:
        say_json(_plain(asdict(score)))
        return
    say(str(score))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """JSON has no nan: what nobody voted on is null."""
    broken = {n for n, v in values.items() if isinstance(v, float) and not math.isfinite(v)}
    return {name: None if name in broken else value for name, value in values.items()}


def _contestant(name: str, runner: Runner) -> Contestant:
    """A folder of finished pictures, or a pipeline by file or name."""
    from oldfix.cli.chains import chosen_chain
    from oldfix.cli.options import ChainFlags, PlanFlags
    from oldfix.evaluation.blind import Contestant, finished_pictures
    from oldfix.files import read_photo
    from oldfix.keys import IMAGE

    if Path(name).is_dir():
        return finished_pictures(Path(name))
    plan = chosen_chain(ChainFlags(pipeline=name), PlanFlags()).plan
    return Contestant(name, lambda photo: runner.run(plan, read_photo(photo))[IMAGE])
