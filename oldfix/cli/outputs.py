"""Names of outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oldfix.errors import FileError, UsageError
from oldfix.files.find import STEPS_SUFFIX, Found
from oldfix.files.formats import FORMATS, SUFFIXES, format_of_file, parse_format


def name_outputs(
    found: Sequence[Found], output: Path | None, *, format: str = "", word: str = "restored"
) -> list[Path]:
    """Return where each photograph's result goes.

    Without ``output`` beside its input, as ``NAME.restored.SUFFIX``; into a folder with its own
    name, subfolders mirrored; to a file if there is one photograph.

    Args:
        found: the photographs.
        output: a folder, or a file (it ends as one and is no folder).
        format: the format to write, if not that of the input.
        word: what is put into names beside inputs.

    Raises:
        UsageError: one file for several photographs, two results of one name, no such format, or
            a file where a folder should be.
    """
    if output is not None:
        _refuse_file_as_folder(output)
    suffix = parse_format(format).suffixes[0] if format else ""
    if output is not None and _means_file(output):
        if len(found) > 1:
            raise UsageError(f"-o {output}: is one file, {len(found)} photographs need a folder")
        return [output] * len(found)
    targets = [_target(one, output, suffix or _suffix_of(one.path), word) for one in found]
    refuse_twins(found, targets)
    return targets


def steps_folder(target: Path) -> Path:
    """Return the folder of ``--keep-steps`` for an output."""
    return target.with_name(target.stem + STEPS_SUFFIX)


def _means_file(output: Path) -> bool:
    return output.suffix.lower() in SUFFIXES and not output.is_dir()


def _refuse_file_as_folder(output: Path) -> None:
    parents = output.parents if _means_file(output) else (output, *output.parents)
    there = next(path for path in parents if path.exists())
    if not there.is_dir():
        raise UsageError(f"-o {output}: {there} is a file; name a folder, or one not there yet")


def _target(one: Found, output: Path | None, suffix: str, word: str) -> Path:
    if output is None:
        return one.path.with_name(f"{one.path.stem}.{word}{suffix}")
    return output / one.relative.with_name(one.relative.stem + suffix)


def _suffix_of(path: Path) -> str:
    """The input's own ending, or that of its content if the ending is no photograph's."""
    if path.suffix.lower() in SUFFIXES:
        return path.suffix
    try:
        return path.suffix + FORMATS[format_of_file(path)].suffixes[0]
    except FileError:
        return path.suffix  # reading it will say what is wrong


def refuse_twins(found: Sequence[Found], targets: Sequence[Path]) -> None:
    """See that no two photographs have one output.

    Raises:
        UsageError: two have.
    """
    first: dict[Path, Path] = {}
    for one, target in zip(found, targets, strict=True):
        twin = first.setdefault(target, one.path)
        if twin != one.path:
            raise UsageError(
                f"{twin} and {one.path} would both become {target}; restore them apart"
            )
