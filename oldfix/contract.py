"""What a stage may give back: the checks that make strangers' stages safe to mix."""

from __future__ import annotations

from typing import Any

from oldfix.errors import StageError
from oldfix.photo import IMAGE, Key, Photo, check_value, resolve
from oldfix.stage import StageSpec


def check_result(where: str, spec: StageSpec, before: Photo, after: Any) -> Photo:
    """Check a stage's result and bring the other keys to a new size if it resized.

    Only what changed is looked at: a finite check of a 24-megapixel scan costs time.

    Raises:
        StageError: not a photograph, keys changed that were not declared, a value that does not
            fit its key, or another size without ``resizes``.
    """
    if not isinstance(after, Photo):
        raise StageError(f"{where}: must return a Photo, got {type(after).__name__}")
    changed = [key for key in {*before, *after} if before.get(key) is not after.get(key)]
    undeclared = sorted(key.name for key in changed if key not in spec.produces)
    if undeclared:
        raise StageError(f"{where}: changed {', '.join(undeclared)}, which it does not declare")
    if after.history is not before.history or after.meta is not before.meta:
        raise StageError(f"{where}: changed the photograph's meta or history; use ctx.note")
    for key in changed:
        _check_one(where, key, after)
    if IMAGE not in after:
        raise StageError(f"{where}: took the picture away")
    if after.size == before.size:
        return after
    if not spec.resizes:
        raise StageError(
            f"{where}: changed the size from {before.size} to {after.size} "
            "without declaring resizes=True"
        )
    return _follow_size(before, after, set(changed))


def _check_one(where: str, key: Key[Any], after: Photo) -> None:
    if key not in after:
        return
    try:
        check_value(key, after[key])
    except ValueError as error:
        raise StageError(f"{where}: {key.name} {error}") from error


def _follow_size(before: Photo, after: Photo, changed: set[Key[Any]]) -> Photo:
    """Rescale what depends on the picture's size and was left as it was."""
    for key in before:
        if key not in changed and key.resize is not None:
            after = after.put(key, resolve(key.resize)(before[key], before.size, after.size))
    return after
