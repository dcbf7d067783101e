"""Which commit of the project is running, for whatever writes figures down."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
#: What figures depend on; a changed page or test leaves them true.
_MATTERS = ("oldfix", "plugins", "weights")


@functools.cache
def commit() -> str:
    """The checkout's commit, with + if its code or weights differ from it.

    Empty where oldfix was installed without its checkout, or where there is no git. Looked up once
    for each process: ask before long work begins, lest it be the commit of its end.
    """
    if not (_ROOT / ".git").exists():
        return ""
    try:
        name = _git("rev-parse", "--short", "HEAD")
        changed = _git("status", "--porcelain", "--", *_MATTERS)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return name + ("+" if changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(_ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
