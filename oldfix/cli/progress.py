"""What is seen of a run: bars with time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from oldfix.cli.console import say, tell
from oldfix.events import Event, ModelLoaded, StepFinished, StepProgress, StepStarted, Warned

_LONGEST_NAME = 24


class View(Protocol):
    """Shows a run as it goes."""

    def begin(self, name: str, number: int, count: int) -> None:
        """Photograph ``number`` (from 1) of ``count`` begins."""
        ...

    def end(self) -> None:
        """The photograph is done, or has failed."""
        ...

    def result(self, text: str) -> None:
        """Print a result, to standard output."""
        ...

    def tell(self, text: str) -> None:
        """Print something beside the results, to standard error."""
        ...

    def __call__(self, event: Event) -> None:
        """Something happened in a step."""
        ...


class Quiet:
    """Shows errors alone."""

    def begin(self, name: str, number: int, count: int) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""

    def result(self, text: str) -> None:
        """Nothing."""

    def tell(self, text: str) -> None:
        """Print it."""
        tell(text)

    def __call__(self, event: Event) -> None:
        """Nothing."""


class Lines(Quiet):
    """One line a step, for logs."""

    def result(self, text: str) -> None:
        """Print it."""
        say(text)

    def __call__(self, event: Event) -> None:
        """Tell finished steps, loaded networks and warnings."""
        where = f"{event.photo}: {event.step}"
        if isinstance(event, StepFinished):
            tell(f"{where}: {event.seconds:.1f} s")
        elif isinstance(event, ModelLoaded):
            tell(f"{where}: loaded {event.card} in {event.seconds:.1f} s")
        elif isinstance(event, Warned):
            tell(f"{where}: {event.message}")


class Bars:
    """A bar for the photograph at work, one for all of them, each with the time left."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,  # or results would go where the bars are
            redirect_stderr=False,
        )
        self._all = self._progress.add_task("all", visible=False)
        self._one = self._progress.add_task("", visible=False)
        self._name = ""
        self._steps = (0, 1)

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, name: str, number: int, count: int) -> None:
        """Start the photograph's bar anew."""
        self._name = shorten(name)
        self._progress.update(
            self._all,
            description=f"photograph {number} of {count}",
            total=count,
            completed=number - 1,
            visible=count > 1,
        )
        self._progress.reset(self._one, description=self._name, total=1.0, visible=True)

    def end(self) -> None:
        """Move the bar of all photographs on."""
        self._progress.advance(self._all)

    def result(self, text: str) -> None:
        """Print it, above the bars if standard output is the same screen."""
        if sys.stdout.isatty():
            self.tell(text)
        else:
            say(text)

    def tell(self, text: str) -> None:
        """Print it above the bars."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def __call__(self, event: Event) -> None:
        """Move the photograph's bar, or show a warning above it."""
        if isinstance(event, StepStarted):
            self._steps = (event.index, event.count)
            self._move(event.step, 0.0)
        elif isinstance(event, StepProgress):
            self._move(event.step, event.done / event.total if event.total else 0.0)
        elif isinstance(event, Warned):
            self.tell(f"{event.photo}: {event.step}: {event.message}")

    def _move(self, step: str, part: float) -> None:
        index, count = self._steps
        self._progress.update(
            self._one, description=f"{self._name}: {step}", completed=(index + part) / count
        )


def shorten(name: str) -> str:
    """Cut the middle out of a long name, so that the bar beside it has room."""
    half = _LONGEST_NAME // 2
    return name if len(name) <= _LONGEST_NAME else f"{name[:half]}…{name[-half:]}"


@contextmanager
def shown(*, quiet: bool) -> Iterator[View]:
    """Give the view that suits standard error: bars on a terminal, lines elsewhere."""
    if quiet:
        yield Quiet()
    elif sys.stderr.isatty():
        with Bars() as bars:
            yield bars
    else:
        yield Lines()


@contextmanager
def downloading(what: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show a download; yields a function that is told how many bytes came in addition."""
    if not sys.stderr.isatty():
        tell(f"downloading {what}")
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=size)
        yield lambda count: progress.advance(task, count)
