"""Restore many photographs: each on its own, failures told and left behind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oldfix.cli.chains import Chain
from oldfix.cli.commands import leave
from oldfix.cli.console import say_json, tell
from oldfix.cli.options import OutputFlags, RunFlags
from oldfix.cli.outputs import name_outputs, steps_folder
from oldfix.cli.progress import View, shown
from oldfix.errors import FileError, OldfixError, PhotoError
from oldfix.files.find import find_photos
from oldfix.files.formats import parse_format
from oldfix.jobs import Job, sidecar_path
from oldfix.photo import Photo

if TYPE_CHECKING:
    from oldfix.line import Item


@dataclass(frozen=True)
class Outcome:
    """What became of one photograph.

    Attributes:
        source: the photograph, or what was given for it.
        output: the file written, or None.
        seconds: how long it took.
        error: why it failed, or "".
        notes: what the user should know about a result.
    """

    source: str
    output: Path | None = None
    seconds: float = 0.0
    error: str = ""
    notes: tuple[str, ...] = ()

    def row(self) -> dict[str, Any]:
        """Return the outcome for JSON."""
        return {
            "source": self.source,
            "output": self.output,
            "sidecar": sidecar_path(self.output) if self.output else None,
            "seconds": round(self.seconds, 2),
            "error": self.error or None,
            "notes": list(self.notes),
        }


def restore_all(chain: Chain, photos: Sequence[str], out: OutputFlags, how: RunFlags) -> None:
    """Restore every photograph, and leave with code 4 if some failed.

    Raises:
        UsageError: names of outputs that cannot be.
        EnvironmentProblem: a device or weights that cannot be used; nothing more can be done.
    """
    found, problems = find_photos(photos)
    targets = name_outputs(found, out.output, format=out.format)
    outcomes = [_failed(problem) for problem in problems]
    jobs = [_job(one.path, target, chain, out) for one, target in zip(found, targets, strict=True)]
    outcomes += _run_jobs(jobs, chain, out, how)
    if out.as_json:
        say_json([outcome.row() for outcome in outcomes])
    failed = sum(bool(outcome.error) for outcome in outcomes)
    if len(outcomes) > 1 and not out.quiet:
        tell(f"{len(outcomes) - failed} restored, {failed} failed")
    if failed:
        leave(PhotoError.exit_code)


def _job(source: Path, target: Path, chain: Chain, out: OutputFlags) -> Job:
    return Job(
        source=source,
        target=target,
        given=chain.given,
        keep_steps=steps_folder(target) if out.keep_steps else None,
        overwrite=out.overwrite,
        format=parse_format(out.format).name if out.format else "",
    )


def _failed(problem: FileError) -> Outcome:
    tell(f"oldfix: {problem}")
    return Outcome(source=str(problem).partition(":")[0], error=str(problem))


def _run_jobs(jobs: Sequence[Job], chain: Chain, out: OutputFlags, how: RunFlags) -> list[Outcome]:
    from oldfix.line import Line
    from oldfix.runner import Runner

    outcomes: list[Outcome] = []
    with shown(quiet=out.quiet) as view:

        def begin(item: Item) -> None:
            view.begin(item.job.source.name, len(outcomes) + 1, len(jobs))

        def end(item: Item) -> None:
            view.end()
            outcomes.append(_outcome(item))
            _show(outcomes[-1], out, view)

        line = Line(begin, end, view)
        with Runner(
            device=how.device,
            precision=how.precision,
            seed=how.seed,
            tile=how.tile,
            batch=how.batch,
            observer=line,
        ) as runner:
            line.run(jobs, chain.plan, runner)
    return outcomes


def _outcome(item: Item) -> Outcome:
    source, error = str(item.job.source), item.error
    if isinstance(error, OldfixError):
        return Outcome(source, error=str(error))
    if error is not None:
        if os.environ.get("OLDFIX_DEBUG"):
            raise error
        text = f"{source}: {type(error).__name__}: {error}; set OLDFIX_DEBUG=1 for details"
        return Outcome(source, error=text)
    notes = _notes(item.photo) if item.photo is not None else ()
    return Outcome(source, item.job.target, item.seconds, notes=notes)


def _notes(photo: Photo) -> tuple[str, ...]:
    """What reading converted; warnings of steps were told when they came."""
    return tuple(photo.meta.extra.get("notes", ()))


def _show(outcome: Outcome, out: OutputFlags, view: View) -> None:
    if outcome.error:
        view.tell(f"oldfix: {outcome.error}")
        return
    if not out.quiet:
        for note in outcome.notes:
            view.tell(f"{outcome.source}: {note}")
    if not out.as_json:
        view.result(f"{outcome.source} -> {outcome.output} ({outcome.seconds:.1f} s)")
