"""What a stage may give back: the checks that make strangers' stages safe to mix."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from oldfix.errors import StageError
from oldfix.keys import IMAGE, Key, check_mask, check_value, resolve
from oldfix.photo import Meta, Photo
from oldfix.resizing import resize_alpha
from oldfix.stage import StageSpec


def check_result(where: str, spec: StageSpec, before: Photo, after: Any) -> Photo:
    """Check a stage's result and bring the other keys, and alpha, to a new size if it resized.

    A stage that resizes may hand back its own alpha, and nothing else of the metadata. Only what
    changed is looked at: a finite check of a 24-megapixel scan costs time.

    Raises:
        StageError: not a photograph, keys changed that were not declared, a value that does not
            fit its key, or another size or alpha without ``resizes``.
    """
    if not isinstance(after, Photo):
        raise StageError(f"{where}: must return a Photo, got {type(after).__name__}")
    changed = [key for key in {*before, *after} if before.get(key) is not after.get(key)]
    undeclared = sorted(key.name for key in changed if key not in spec.produces)
    if undeclared:
        raise StageError(f"{where}: changed {', '.join(undeclared)}, which it does not declare")
    if after.history is not before.history or not _same_but_alpha(before.meta, after.meta):
        raise StageError(f"{where}: changed the photograph's meta or history; use ctx.note")
    for key in changed:
        _check_one(where, key, after)
    if IMAGE not in after:
        raise StageError(f"{where}: took the picture away")
    if after.meta.alpha is not before.meta.alpha:
        _check_alpha(where, spec, after)
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


def _same_but_alpha(before: Meta, after: Meta) -> bool:
    names = (field.name for field in fields(Meta) if field.name != "alpha")
    return before is after or all(getattr(before, n) is getattr(after, n) for n in names)


def _check_alpha(where: str, spec: StageSpec, after: Photo) -> None:
    """Let a stage that resizes hand back an alpha of the new size."""
    if not spec.resizes:
        raise StageError(f"{where}: changed alpha without declaring resizes=True")
    alpha = after.meta.alpha
    try:
        check_mask(alpha)
    except ValueError as error:
        raise StageError(f"{where}: alpha {error}") from error
    if alpha.shape != after.size:
        raise StageError(f"{where}: alpha has the size {alpha.shape}, the picture {after.size}")


def _follow_size(before: Photo, after: Photo, changed: set[Key[Any]]) -> Photo:
    """Rescale what depends on the picture's size and was left as it was."""
    for key in before:
        if key not in changed and key.resize is not None:
            after = after.put(key, resolve(key.resize)(before[key], before.size, after.size))
    alpha = after.meta.alpha
    if alpha is not None and alpha.shape != after.size:
        after = after.with_meta(replace(after.meta, alpha=resize_alpha(alpha, after.size)))
    return after
