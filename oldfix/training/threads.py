"""How many threads to train with on a CPU that others use too."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch


class ThreadChoice:
    """Runs steps with one thread or with all, whichever is faster at the moment.

    Threads of one operation wait for each other. When other processes want the same cores,
    every wait may last a scheduler's turn, and two threads become many times slower than one;
    so both are timed again every minute. A run starts with one.

    Args:
        active: False leaves torch's number of threads alone.
        every_seconds: pause between two comparisons.
    """

    def __init__(self, *, active: bool, every_seconds: float = 60.0) -> None:
        self.all = torch.get_num_threads()
        self.active = active and self.all > 1
        self.every = every_seconds
        self.due = time.monotonic() + 10.0  # the first steps are slow for other reasons
        self.steps = 0
        if self.active:
            torch.set_num_threads(1)

    def close(self) -> None:
        """Give torch back the number of threads it had."""
        torch.set_num_threads(self.all)

    def run(self, step: Callable[[], None]) -> None:
        """Take one step; now and then five more, timed, to choose the number of threads."""
        step()
        self.steps += 1
        if self.active and self.steps >= 10 and time.monotonic() >= self.due:
            times = {count: self._time(step, count) for count in (1, self.all)}
            torch.set_num_threads(min(times, key=lambda count: times[count]))
            self.due = time.monotonic() + self.every

    @staticmethod
    def _time(step: Callable[[], None], threads: int) -> float:
        """Mean seconds of up to three steps, the first of which warms up."""
        torch.set_num_threads(threads)
        step()
        start = time.monotonic()
        step()
        if time.monotonic() - start < 1.0:
            step()
            return (time.monotonic() - start) / 2
        return time.monotonic() - start
