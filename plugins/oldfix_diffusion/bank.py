"""Examples whose latents are made once, so that a step of training pays for the network alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oldfix_diffusion.net import Autoencoder

_Array = NDArray[np.float32]
#: Makes (start, target, known): two pictures, and planes that say what is known besides.
Maker = Callable[[np.random.Generator], tuple[_Array, _Array, _Array]]
_AT_ONCE = 16


@dataclass(frozen=True)
class Bank:
    """Examples with their latents, in half precision; pictures that are 8-bit stay so.

    Attributes:
        rest: (n, H, W, 3), the start less what decoding its latent gives.
        target: (n, H, W, 3) uint8.
        known: (n, h, w, K).
        z_start, z_target: (n, H/4, W/4, C).
    """

    rest: NDArray[np.float16]
    target: NDArray[np.uint8]
    known: NDArray[np.float16]
    z_start: NDArray[np.float16]
    z_target: NDArray[np.float16]

    @classmethod
    def filled(cls, make: Maker, latent: Autoencoder, count: int, *, seed: int) -> Bank:
        """Make examples, one or more, and encode them, on the autoencoder's device."""
        columns: list[NDArray[Any]] = []
        for first in range(0, count, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, count))
            part = _encoded(make, latent, numbers, seed)
            # Filled in place: put together at the end, all would be held twice, in gigabytes.
            columns = columns or [np.empty((count, *c.shape[1:]), c.dtype) for c in part]
            for column, values in zip(columns, part, strict=True):
                column[first : numbers.stop] = values
        return cls(*columns)

    def __len__(self) -> int:
        return len(self.target)

    def row(self, index: int) -> tuple[NDArray[np.generic], ...]:
        """One example: rest, target, known, z_start, z_target."""
        columns = (self.rest, self.target, self.known, self.z_start, self.z_target)
        return tuple(column[index] for column in columns)

    def batches(self, size: int) -> Iterator[tuple[Tensor, ...]]:
        """All examples in order, as a task's loss is given them."""
        columns = (self.rest, self.target, self.known, self.z_start, self.z_target)
        for at in range(0, len(self), size):
            yield tuple(
                torch.from_numpy(c[at : at + size]).permute(0, 3, 1, 2).float()
                / (255 if c.dtype == np.uint8 else 1)
                for c in columns
            )


def _encoded(
    make: Maker, latent: Autoencoder, numbers: Iterable[int], seed: int
) -> tuple[NDArray[Any], ...]:
    """The columns of a bank for examples of these numbers."""
    examples = [make(np.random.default_rng([seed, number])) for number in numbers]
    start, target, known = (np.stack(column) for column in zip(*examples, strict=True))
    x = torch.from_numpy(np.concatenate([start, target])).permute(0, 3, 1, 2)
    with torch.inference_mode():
        z = latent.encode(x.to(latent.mean.device))
        decoded = latent.decode(z[: len(start)])
    z_start, z_target = (_half(part) for part in z.chunk(2))
    rest = (start - _channels_last(decoded)).astype(np.float16)
    eight_bit = np.rint(target * 255).astype(np.uint8)
    return rest, eight_bit, known.astype(np.float16), z_start, z_target


def _channels_last(x: Tensor) -> _Array:
    return np.ascontiguousarray(x.permute(0, 2, 3, 1).cpu().numpy())


def _half(x: Tensor) -> NDArray[np.float16]:
    return _channels_last(x).astype(np.float16)
