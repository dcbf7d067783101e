"""The error tree of oldfix.

::

    OldfixError                 exit code
    ├── UsageError              2   a command, option or file argument that cannot be used
    ├── PipelineError           2   a pipeline that cannot be planned (all problems at once)
    ├── EnvironmentProblem      3   something is missing on this machine
    │   └── WeightsError        3   weights missing, damaged, or not safe to open
    └── PhotoError              4   one photograph could not be restored
        ├── FileError           4   a photograph that cannot be read or written
        └── StageError          4   a stage failed or broke its contract
    Cancelled                   130 the observer asked the run to stop

Messages have one form: *where: what, with the value; what to do*.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable

#: What a disk or its rights refuse, wherever it happens.
_REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})


class OldfixError(Exception):
    """Base of every error that oldfix raises on purpose; its text is meant for the user."""

    exit_code = 1


class UsageError(OldfixError):
    """A command, option or file argument that cannot be used."""

    exit_code = 2


class PipelineError(OldfixError):
    """A pipeline that cannot be planned.

    Attributes:
        problems: every problem found, one line each.
    """

    exit_code = 2

    def __init__(self, where: str, problems: Iterable[str]) -> None:
        self.where = where
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"{where}: {count} problem{'s' if count != 1 else ''}, nothing was run"
        super().__init__("\n".join([head, *(f"  {line}" for line in self.problems)]))


class EnvironmentProblem(OldfixError):
    """Something that this machine lacks: a library, a device, weights."""

    exit_code = 3


class WeightsError(EnvironmentProblem):
    """Weights that are missing, have the wrong digest, or cannot be opened safely."""


class PhotoError(OldfixError):
    """One photograph could not be restored; the others go on."""

    exit_code = 4


class FileError(PhotoError):
    """A photograph, mask or reference that cannot be read, or an output that cannot be written."""


class StageError(PhotoError):
    """A stage failed, or returned something other than what it declares."""


class Cancelled(OldfixError):
    """Raised by an observer to stop a run; nothing half-written stays behind."""

    exit_code = 130


def refused(error: OSError) -> EnvironmentProblem | None:
    """Return what the machine refuses, a full disk above all, in words; None for all else."""
    if error.errno not in _REFUSALS:
        return None
    where = f"{error.filename}: " if error.filename else ""
    return EnvironmentProblem(f"{where}{error.strerror}; free some space, or name another folder")


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
