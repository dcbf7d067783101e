"""``oldfix eval survey``: look at what a pipeline does to a folder, or count the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from oldfix.cli.byeye import EvalFlags, photographs
from oldfix.cli.commands import leave
from oldfix.cli.console import say, say_json, tell
from oldfix.errors import PhotoError, UsageError


def survey(arguments: Sequence[str], flags: EvalFlags) -> None:
    """Survey photographs, or count verdicts.

    Raises:
        UsageError: neither or both of them, or no such pipeline.
    """
    if flags.score:
        if arguments:
            raise UsageError("eval survey: takes either PHOTO... or --score TABLE")
        _score(flags)
        return
    if not arguments:
        raise UsageError("eval survey: needs photographs, or --score TABLE")
    _survey(arguments, flags)


def _survey(arguments: Sequence[str], flags: EvalFlags) -> None:
    from oldfix.cli.chains import chosen_chain
    from oldfix.cli.options import ChainFlags, PlanFlags
    from oldfix.evaluation.survey import write_survey
    from oldfix.runner import Runner

    plan = chosen_chain(ChainFlags(pipeline=flags.pipeline), PlanFlags()).plan
    photos = photographs(arguments, flags.limit)
    with Runner(device=flags.device, seed=flags.seed) as runner:
        made = write_survey(plan, photos, flags.out, runner=runner, crops=flags.crops, say=tell)
    for problem in made.failed.values():
        tell(f"oldfix: {problem}")
    if flags.as_json:
        say_json(asdict(made))
    else:
        say(f"{made.done} photographs, {len(made.failed)} failed; measures: {made.measures}")
        for page in (*made.sheets, *made.crops):
            say(str(page))
        say(f"verdicts, to be filled in: {made.verdicts}")
    if made.failed:
        leave(PhotoError.exit_code)


def _score(flags: EvalFlags) -> None:
    from oldfix.evaluation.verdicts import VERDICTS, score_verdicts

    verdicts = score_verdicts(flags.score)
    if not flags.as_json:
        say(str(verdicts))
        return
    shares = {name: verdicts.share(name) for name in VERDICTS} if verdicts.judged else {}
    say_json(
        {
            **asdict(verdicts),
            "shares": {
                name: {"share": share, "low": low, "high": high}
                for name, (share, low, high) in shares.items()
            },
        }
    )
