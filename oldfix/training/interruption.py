"""Stopping a training between two steps, so that nothing is lost and it can go on exactly."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """While entered, the first Ctrl-C or termination signal is a wish to be read, not an end.

    A second one ends the process as ever. Outside the main thread, where Python hears no signals,
    nothing changes.

    Attributes:
        asked: whether somebody wishes the run to stop.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {s: signal.signal(s, self._ask) for s in _SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        self.__exit__()
