"""Studies of plugins: commands of their own, ``python -m plugin.study``."""

from __future__ import annotations

import sys
from collections.abc import Callable

from oldfix.errors import EnvironmentProblem, OldfixError, refused


def leave_with(study: Callable[[], int]) -> None:
    """Run a study and leave with its exit code; what oldfix raises on purpose is told in one line.

    Exit codes are those of ``oldfix``.
    """
    try:
        code = study()
    except OldfixError as error:
        sys.stderr.write(f"{error}\n")
        code = error.exit_code
    except OSError as error:
        sys.stderr.write(f"{refused(error) or error}\n")
        code = EnvironmentProblem.exit_code
    sys.exit(code)
