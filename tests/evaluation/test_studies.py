"""How the commands of studies end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from oldfix import Cancelled, UsageError
from oldfix.evaluation.studies import leave_with


def failing(error: Exception) -> Callable[[], int]:
    def study() -> int:
        raise error

    return study


@pytest.mark.parametrize(
    ("study", "code", "told"),
    [
        (lambda: 0, 0, ""),
        (failing(UsageError("--crops 7: must be even")), 2, "--crops 7: must be even"),
        (failing(Cancelled("interrupted")), 130, "interrupted"),
        (failing(OSError(28, "No space", "gap.md")), 3, "gap.md: No space; free some space, or"),
        (failing(FileNotFoundError(2, "No such file", "a.npy")), 3, "No such file: 'a.npy'"),
    ],
)
def test_a_study_ends_with_an_exit_code_and_one_line(
    study: Callable[[], int], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        leave_with(study)
    assert left.value.code == code
    lines = capsys.readouterr().err.splitlines()
    assert ("free some space" in "".join(lines)) == ("No space" in told)
    assert told in "".join(lines) and len(lines) == (told != "")
