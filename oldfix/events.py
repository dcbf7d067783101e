"""What a run tells its observer. Raising `oldfix.Cancelled` in the observer stops the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Something happened to one photograph in one step."""

    photo: str
    step: str


@dataclass(frozen=True)
class StepStarted(Event):
    """A step begins; it is number ``index`` (from 0) of ``count``."""

    index: int
    count: int


@dataclass(frozen=True)
class StepProgress(Event):
    """A step has done ``done`` of ``total``; ``done`` only grows."""

    done: float
    total: float


@dataclass(frozen=True)
class ModelLoaded(Event):
    """A network was loaded."""

    card: str
    seconds: float


@dataclass(frozen=True)
class Warned(Event):
    """Something the user should know; also written into the history."""

    message: str


@dataclass(frozen=True)
class StepFinished(Event):
    """A step is done."""

    seconds: float


Observer = Callable[[Event], None]
