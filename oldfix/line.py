"""Many photographs in line: the next is read and the last is written while one is restored."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from oldfix.errors import Cancelled, EnvironmentProblem
from oldfix.events import Event, Observer
from oldfix.jobs import Job, job_steps, read_job, write_job
from oldfix.photo import Photo

if TYPE_CHECKING:
    from oldfix.plan import Plan
    from oldfix.runner import Runner


@dataclass(eq=False)
class Item:
    """One photograph on its way.

    Attributes:
        job: what to do.
        photo: the photograph as it is now, or None before it is read.
        error: what went wrong with it, or None.
        seconds: how long reading, restoring and writing took, less any waiting between them.
    """

    job: Job
    photo: Photo | None = None
    error: Exception | None = None
    seconds: float = 0.0


class Line:
    """Runs jobs so that files are read and written while photographs are restored.

    At most one photograph waits on either side, and everything is told in the calling thread and
    in order: what happens to a photograph is held back until the one before it is written.

    Args:
        begin: called with each photograph before its first event.
        end: called with each once it is written, or has failed.
        observer: given the events of the runner, whose observer is the line.
    """

    def __init__(
        self, begin: Callable[[Item], None], end: Callable[[Item], None], observer: Observer
    ) -> None:
        self._begin, self._end, self._observe = begin, end, observer
        self._writing: Future[Item] | None = None
        self._held: list[Callable[[], None]] = []

    def __call__(self, event: Event) -> None:
        """Tell the observer, now or in its turn."""
        self._tell(partial(self._observe, event))

    def run(self, jobs: Sequence[Job], plan: Plan, runner: Runner) -> None:
        """Run every job; one that fails does not stop the others.

        However it ends, what is being written is written whole first.

        Raises:
            EnvironmentProblem: nothing more can be done on this machine.
            Cancelled: the observer stopped the run.
        """
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(1) as writer:
            try:
                for item in _read_ahead(jobs, reader):
                    self._tell(partial(self._begin, item))
                    _attempt(_restore, item, plan, runner)
                    self._settle()
                    self._writing = writer.submit(_attempt, _write, item, plan, runner)
            finally:
                self._settle()

    def _tell(self, say: Callable[[], None]) -> None:
        """Say something about the photograph at work, now or once the one before is written."""
        if self._writing is not None and not self._writing.done():
            self._held.append(say)
        else:
            self._settle()
            say()

    def _settle(self) -> None:
        """Wait until the last photograph is written, tell it, and then what was held back."""
        if self._writing is not None:
            item = self._writing.result()
            self._writing = None
            self._end(item)
        held, self._held = self._held, []
        for say in held:
            say()


def _read_ahead(jobs: Iterable[Job], reader: ThreadPoolExecutor) -> Iterator[Item]:
    """Yield each photograph once it is read; the next is read while the caller works on it."""
    ahead: Future[Item] | None = None
    for job in jobs:
        item = None if ahead is None else ahead.result()
        ahead = reader.submit(_attempt, _read, Item(job))
        if item is not None:
            yield item
    if ahead is not None:
        yield ahead.result()


def _attempt(do: Callable[..., None], item: Item, *arguments: object) -> Item:
    """Do one thing with a photograph that nothing has failed with; what fails is its own."""
    if item.error is not None:
        return item
    start = time.perf_counter()
    try:
        do(item, *arguments)
    except (EnvironmentProblem, Cancelled):
        raise
    except Exception as error:  # one photograph's trouble is not the others'
        item.error = error
    item.seconds += time.perf_counter() - start
    return item


def _read(item: Item) -> None:
    item.photo = read_job(item.job)


def _restore(item: Item, plan: Plan, runner: Runner) -> None:
    if item.photo is not None:
        for after in job_steps(item.job, item.photo, plan, runner):
            item.photo = after


def _write(item: Item, plan: Plan, runner: Runner) -> None:
    if item.photo is not None:
        write_job(item.job, item.photo, plan, runner)
