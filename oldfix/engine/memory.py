"""Running out of memory, and what to do about it."""

from __future__ import annotations

import torch

from oldfix.errors import StageError

_SMALLEST_TILE = 64
_CPU_MESSAGES = ("can't allocate memory", "not enough memory", "bad allocation")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the host."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(m in str(error) for m in _CPU_MESSAGES)


def smaller(batch: int, tile: int) -> tuple[int, int]:
    """Halve the batch; when it is 1 already, halve the tile.

    Raises:
        StageError: both are as small as they get.
    """
    if batch > 1:
        return batch // 2, tile
    if tile // 2 >= _SMALLEST_TILE:
        return batch, tile // 2
    raise StageError(
        f"out of memory even with {tile}-pixel tiles, one at a time; "
        "close other programs, or choose --device cpu"
    )


def release(device: torch.device) -> None:
    """Give cached blocks back after running out of memory."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
