"""Batches of samples, made by worker processes, the same whatever their number."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Sampler

from oldfix.errors import OldfixError
from oldfix.training.settings import Task


def batches(
    task: Task, *, seed: int, batch: int, start: int, workers: int
) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield batches for ever, from step ``start`` on.

    Sample ``i`` is made with a generator seeded by ``(seed, i)``, so the stream depends neither
    on the number of workers nor on where a run was interrupted.

    Raises:
        OldfixError: a sample could not be made, or a worker died; says which and why.
    """
    loader = DataLoader(
        _Samples(task, seed),
        batch_sampler=_Endless(start, batch),
        num_workers=workers,
        collate_fn=_stack,
        worker_init_fn=_settle,
        prefetch_factor=4 if workers else None,
        # Its own generator: starting it must not draw from torch's, which the loss may use.
        generator=torch.Generator(),
    )
    try:
        for item in loader:
            if isinstance(item, str):
                raise OldfixError(item)
            yield item
    except RuntimeError as error:
        if "worker" not in str(error):
            raise
        raise OldfixError(
            f"training: a worker process died ({error}); it may have run out of memory: "
            "use fewer workers or a smaller batch"
        ) from error


def to_device(batch: tuple[torch.Tensor, ...], device: torch.device) -> tuple[torch.Tensor, ...]:
    """Move a batch; (N, H, W, C) becomes (N, C, H, W), uint8 becomes float32 in [0, 1]."""

    def move(value: torch.Tensor) -> torch.Tensor:
        scale = 1.0 / 255.0 if value.dtype == torch.uint8 else 1.0
        value = value.to(device, non_blocking=True).float() * scale
        return value.permute(0, 3, 1, 2) if value.ndim == 4 else value

    return tuple(move(value) for value in batch)


def stacked(samples: Iterable[Sequence[NDArray[Any]]]) -> tuple[torch.Tensor, ...]:
    """Put samples into one batch, as `Task.sample` gives them: those held out, say.

    Returns:
        One tensor for each array of a sample, of its type; (H, W, C) becomes (N, C, H, W).
    """
    columns = (torch.from_numpy(np.stack(column)) for column in zip(*samples, strict=True))
    return tuple(c.permute(0, 3, 1, 2) if c.ndim == 4 else c for c in columns)


class _Samples(Dataset[Any]):  # type: ignore[misc]
    """Sample i of a task; a failure is returned as text, for its trace would not survive."""

    def __init__(self, task: Task, seed: int) -> None:
        self.task, self.seed = task, seed

    def __getitem__(self, index: int) -> tuple[Any, ...] | str:
        try:
            return self.task.sample(np.random.default_rng([self.seed, index]))
        except Exception as error:  # a task's code may raise anything, even what cannot be pickled
            return (
                f"training: sample {index} could not be made ({type(error).__name__}: {error}); "
                f"call {type(self.task).__name__}.sample with "
                f"numpy.random.default_rng([{self.seed}, {index}]) to see it fail"
            )


class _Endless(Sampler[list[int]]):  # type: ignore[misc]
    """Batches of consecutive numbers, without end."""

    def __init__(self, start: int, batch: int) -> None:
        self.start, self.batch = start, batch

    def __iter__(self) -> Iterator[list[int]]:
        step = self.start
        while True:
            yield list(range(step * self.batch, (step + 1) * self.batch))
            step += 1


def _stack(samples: list[Any]) -> tuple[torch.Tensor, ...] | str:
    for sample in samples:
        if isinstance(sample, str):
            return sample
    arrays = (np.ascontiguousarray(np.stack(column)) for column in zip(*samples, strict=True))
    return tuple(torch.from_numpy(array) for array in arrays)


def _settle(_worker: int) -> None:
    """One thread for each worker, and no Ctrl-C: the training itself says when to stop."""
    import cv2

    os.setsid()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
