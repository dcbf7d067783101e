"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from oldfix.errors import FileError, UsageError


@contextmanager
def atomic(path: Path, *, overwrite: bool = False) -> Iterator[IO[bytes]]:
    """Open a file beside ``path`` that takes its name once the block has ended without error.

    The folder is made if it is missing. Whatever goes wrong, an interruption included, nothing
    half-written stays behind.

    Args:
        path: the name that the file shall have.
        overwrite: replace a file of that name.

    Yields:
        The file, open for reading and writing bytes.

    Raises:
        FileError: the file exists, or the folder cannot be written.
    """
    refuse_existing(path, overwrite=overwrite)
    part = path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        refuse_existing(path, overwrite=overwrite)
        part.replace(path)
    except OSError as error:
        reason = error.strerror or error
        raise FileError(
            f"{path}: cannot be written ({reason}); choose another folder with -o"
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder for results that are not there yet, to say now that it cannot be.

    Raises:
        UsageError: it cannot be made, or nothing can be written into it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        why = error.strerror or error
        raise UsageError(
            f"{path}: cannot be made or written into ({why}); choose another folder with -o"
        ) from None


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise FileError if ``path`` is a folder, or a file that may not be replaced."""
    if path.is_dir():
        raise FileError(f"{path}: is a folder; name a file to write")
    if path.exists() and not overwrite:
        raise FileError(f"{path}: exists already; use --overwrite, or -o for another name")


def write_text(path: Path, text: str, *, overwrite: bool = False) -> Path:
    """Write UTF-8 text (a sidecar, a pipeline) whole or not at all, and return ``path``.

    Raises:
        FileError: the file exists and may not be replaced, or cannot be written.
    """
    with atomic(path, overwrite=overwrite) as file:
        file.write(text.encode())
    return path
