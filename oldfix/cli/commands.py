"""The command group: one line for every error, and the exit codes."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup

from oldfix.cli.console import tell
from oldfix.errors import OldfixError, refused

INTERRUPTED = 130


class Commands(TyperGroup):
    """The ``oldfix`` commands.

    Exit codes: 0 all done, 2 wrong usage or pipeline, 3 weights or environment, 4 some
    photographs failed, 130 interrupted; 1 for a mistake of our own.
    """

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run the command line and leave with its exit code, errors told in one line."""
        extra["standalone_mode"] = False
        code = _guarded(functools.partial(super().main, *args, **extra))
        if standalone_mode:
            sys.exit(code)
        return code


def _guarded(run: Callable[[], Any]) -> int:
    try:
        result = run()
    except OldfixError as error:
        tell(f"oldfix: {error}")
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        result = INTERRUPTED
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        sys.stderr.close()
        return 0
    except Exception as error:  # typer's own errors, and whatever is wrong with oldfix itself
        return _unexpected(error)
    if result == INTERRUPTED:
        tell("oldfix: interrupted; what was finished is kept")
    return result if isinstance(result, int) else 0


def _unexpected(error: Exception) -> int:
    """Tell a mistake in the command line's arguments, what the machine refuses, or one of ours."""
    if hasattr(error, "format_message"):  # raised while arguments are parsed
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "oldfix"
        message = error.format_message().rstrip(".")
        tell(f"{command}: {message[:1].lower()}{message[1:]}; see '{command} --help'")
        return int(getattr(error, "exit_code", 2))
    if os.environ.get("OLDFIX_DEBUG"):
        raise error
    if isinstance(error, OSError) and (refusal := refused(error)) is not None:
        tell(f"oldfix: {refusal}")
        return refusal.exit_code
    tell(f"oldfix: {type(error).__name__}: {error}; set OLDFIX_DEBUG=1 for details, and report it")
    return 1


def leave(code: int) -> NoReturn:
    """End the command with an exit code."""
    raise typer.Exit(code)
