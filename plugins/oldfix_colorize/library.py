"""Photographs of a library: read once, described, and remembered while the process lasts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oldfix import FileError, is_toned, luminance, read_image
from oldfix_colorize.chroma import resized

Array = NDArray[np.float32]
#: What a photograph shows, as one vector for each kind of features.
Description = tuple[Array, ...]

#: Longer side at which photographs are compared, and at which references are handed on, in pixels.
_COMPARED, _HANDED_ON = 128, 768
_GRID = 16
#: Descriptions remembered: a few kilobytes each.
_REMEMBERED = 20_000

_memory: OrderedDict[tuple[str, int, str], Description | None] = OrderedDict()


def described(path: Path, how: str, describe: Callable[[Array], Description]) -> Description | None:
    """Describe a photograph of the library, or remember its description.

    Args:
        path: its file; one that has changed is read again.
        how: names ``describe``, so that descriptions of different kinds are kept apart.
        describe: luminance as `compared` gives it to a description.

    Returns:
        None for a photograph without colours, and for a file that cannot be read.
    """
    try:
        key = (str(path.resolve()), path.stat().st_mtime_ns, how)
    except OSError:
        return None
    if key not in _memory:
        _memory[key] = _described(path, describe)
        while len(_memory) > _REMEMBERED:
            _memory.popitem(last=False)
    _memory.move_to_end(key)
    return _memory[key]


def compared(image: Array) -> Array:
    """Return the (h, w) luminance that photographs are compared by."""
    return luminance(_within(image, _COMPARED, _GRID))


def reference_at(path: Path) -> Array:
    """Read a chosen photograph, at a size that is enough to take colours from.

    Raises:
        FileError: it cannot be read any more.
    """
    return np.clip(_within(read_image(path), _HANDED_ON), 0, 1)


def _described(path: Path, describe: Callable[[Array], Description]) -> Description | None:
    try:
        image = read_image(path)
    except FileError:
        return None
    small = _within(image, 2 * _COMPARED)
    return None if is_toned(small) else describe(compared(small))


def _within(image: Array, side: int, grid: int = 1) -> Array:
    """Shrink an image to a longer side of at most ``side``, onto a grid of pixels."""
    height, width = image.shape[:2]
    scale = side / max(height, width) if grid > 1 else min(1.0, side / max(height, width))
    shape = tuple(max(1, round(length * scale / grid)) * grid for length in (height, width))
    return image if shape == (height, width) else resized(image, shape)
