"""Photographs named by files, folders and globs."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from oldfix.errors import FileError
from oldfix.files.formats import SUFFIXES

#: A file with a sidecar of this ending is something oldfix wrote, not something to restore.
SIDECAR_SUFFIX = ".oldfix.json"
#: A folder of this ending holds the pictures after each step of a photograph.
STEPS_SUFFIX = ".steps"


@dataclass(frozen=True)
class Found:
    """A photograph to restore.

    Attributes:
        path: where it is.
        relative: its name below the folder it was found in, for a mirrored output folder.
    """

    path: Path
    relative: Path


def find_photos(items: Iterable[str | Path]) -> tuple[list[Found], list[FileError]]:
    """Find photographs, in order, each once.

    A file is taken whatever its name (the content decides when it is read). A folder is searched
    with its subfolders for the endings of known formats; hidden files, files that have a sidecar
    of ours, and folders of kept steps are left out. Anything with ``*``, ``?`` or ``[`` that is no
    file is a glob.

    Returns:
        What was found, and one error for each item that gave nothing; the rest can go on.
    """
    found: dict[Path, Found] = {}
    problems: list[FileError] = []
    for item in items:
        try:
            for one in _expand(str(item)):
                found.setdefault(one.path.absolute(), one)
        except FileError as problem:
            problems.append(problem)
    return list(found.values()), problems


def _expand(item: str) -> list[Found]:
    path = Path(item).expanduser()
    if path.is_dir():
        return _in_folder(path)
    if path.exists() or not glob.has_magic(item):
        return [Found(path, Path(path.name))]
    matches = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
    files = [match for match in matches if match.is_file() and _is_photo(match)]
    if not files:
        raise FileError(f"{item}: matches no photograph; check the pattern")
    return [Found(file, Path(file.name)) for file in files]


def _in_folder(folder: Path) -> list[Found]:
    found = [Found(path, path.relative_to(folder)) for path in sorted(_walk(folder))]
    if not found:
        endings = ", ".join(sorted(SUFFIXES))
        raise FileError(f"{folder}: holds no photograph; oldfix looks for {endings}")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        left_out = any(part.startswith(".") or part.endswith(STEPS_SUFFIX) for part in parts)
        if not left_out and _is_photo(path) and path.is_file():
            yield path


def _is_photo(path: Path) -> bool:
    ours = path.with_name(path.name + SIDECAR_SUFFIX)
    return path.suffix.lower() in SUFFIXES and not ours.exists()
