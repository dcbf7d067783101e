"""Photographs in line: what overlaps, what is told when, and what becomes of trouble."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import oldfix.line
from oldfix import EnvironmentProblem, FileError
from oldfix.events import StepFinished
from oldfix.jobs import Job
from oldfix.line import Line

SOON = 10.0  # seconds; a test that waits so long has failed


class Workshop:
    """Stands for reading, restoring and writing; says what happened, in order."""

    def __init__(self, monkeypatch):
        self.told, self.most_open = [], 0
        self.open, self.lock = 0, threading.Lock()
        self.seen = {(what, n): threading.Event() for what in ("read", "writing") for n in range(9)}
        self.before = {}  # (what, number) -> called when that begins
        self.line = Line(self._begin, self._end, lambda event: self.told.append(event.step))
        for name in ("read_job", "job_steps", "write_job"):
            monkeypatch.setattr(oldfix.line, name, getattr(self, name))

    def run(self, count):
        self.line.run([Job(Path(str(n)), Path(f"{n}.out")) for n in range(count)], None, None)

    def _begin(self, item):
        self.told.append(f"begin {item.job.source}")

    def _end(self, item):
        self.told.append(f"end {item.job.source}" + (f": {item.error}" if item.error else ""))
        self.open -= 1

    def _reach(self, what, job):
        self.before.get((what, int(str(job.source))), lambda: None)()

    def read_job(self, job):
        with self.lock:
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        self._reach("read", job)
        self.seen["read", int(str(job.source))].set()
        return job

    def job_steps(self, job, photo, plan, runner):
        self.line(StepFinished("", f"step of {job.source}", 0.0))
        self._reach("restore", job)
        yield photo

    def write_job(self, job, photo, plan, runner):
        self.seen["writing", int(str(job.source))].set()
        self._reach("write", job)


@pytest.fixture
def workshop(monkeypatch):
    return Workshop(monkeypatch)


def in_order(count):
    return [f"{what} {n}" for n in range(count) for what in ("begin", "step of", "end")]


def test_everything_is_told_in_order(workshop):
    workshop.run(5)
    assert workshop.told == in_order(5)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_or_none(workshop, count):
    workshop.run(count)
    assert workshop.told == in_order(count)


def test_the_next_is_read_and_the_last_written_meanwhile(workshop):
    restored = threading.Event()

    def restore_one():
        assert workshop.seen["read", 2].wait(SOON), "the next is read meanwhile"
        assert workshop.seen["writing", 0].wait(SOON), "the last is being written"
        assert "end 0" not in workshop.told and "begin 1" not in workshop.told
        restored.set()

    workshop.before["restore", 1] = restore_one
    workshop.before["write", 0] = lambda: restored.wait(SOON)
    workshop.run(3)
    assert restored.is_set()
    assert workshop.told == in_order(3)


def test_few_photographs_are_in_memory_at_once(workshop):
    workshop.run(9)
    assert workshop.most_open <= 3


def fail(error):
    def raise_it():
        raise error

    return raise_it


def test_trouble_belongs_to_its_photograph(workshop):
    workshop.before["read", 1] = fail(FileError("unreadable"))
    workshop.before["restore", 2] = fail(ValueError("odd"))
    workshop.before["write", 3] = fail(FileError("full"))
    workshop.run(5)
    ends = [text for text in workshop.told if text.startswith("end")]
    assert ends == ["end 0", "end 1: unreadable", "end 2: odd", "end 3: full", "end 4"]


def test_an_interruption_finishes_what_is_being_written(workshop):
    written, interrupted = threading.Event(), threading.Event()

    def interrupt():
        interrupted.set()
        raise KeyboardInterrupt

    def write():
        interrupted.wait(SOON)
        written.set()

    workshop.before["restore", 2] = interrupt
    workshop.before["write", 1] = write
    with pytest.raises(KeyboardInterrupt):
        workshop.run(5)
    assert written.is_set()
    assert "end 1" in workshop.told
    assert not workshop.seen["writing", 2].is_set()
    assert not workshop.seen["read", 4].is_set()


def test_what_the_machine_lacks_stops_the_line(workshop):
    workshop.before["restore", 1] = fail(EnvironmentProblem("no memory"))
    with pytest.raises(EnvironmentProblem):
        workshop.run(4)
    assert "end 0" in workshop.told
    assert not workshop.seen["writing", 2].is_set()
