"""Run a network over a picture: layout, padding, tiles, batches, precision, memory.

Arrays come and go as numpy (H, W, C); networks see torch (N, C, H, W). The whole picture never
leaves the host: only the tiles of one batch do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from oldfix.engine import memory
from oldfix.engine.models import LoadedModel
from oldfix.engine.tiling import Tile, fade, round_up, tiles
from oldfix.errors import StageError
from oldfix.weights.card import Part

Array = NDArray[np.float32]
T = TypeVar("T")


@dataclass(frozen=True)
class Layout:
    """How large the pieces are.

    Attributes:
        tile: core of a tile, in input pixels of the network.
        batch: tiles or crops at a time.
    """

    tile: int
    batch: int

    @classmethod
    def for_device(cls, device: torch.device) -> Layout:
        """What suits a device."""
        return cls(tile=1024, batch=8) if device.type == "cuda" else cls(tile=512, batch=1)


@dataclass(frozen=True)
class Job:
    """One network, or one of its methods, and how to run it.

    Attributes:
        model: the network.
        part: name of the method; "" calls the network.
        extra: passed to it unchanged.
        layout: how large the pieces are to begin with.
        progress: called with (done, total).
        note: called with facts for the history.
    """

    model: LoadedModel
    part: str
    extra: Mapping[str, Any]
    layout: Layout
    progress: Callable[[float, float], None]
    note: Callable[..., None]

    @property
    def limits(self) -> Part:
        """What the card says of the part.

        Raises:
            ValueError: the card does not list it.
        """
        parts = self.model.card.parts
        if self.part not in parts:
            known = ", ".join(repr(name) for name in parts)
            raise ValueError(
                f"{self.model.card.id}: its card lists no part {self.part!r}, only {known}"
            )
        return parts[self.part]


def apply(job: Job, arrays: Sequence[Array]) -> Array:
    """Run a network over one picture and its planes; see `oldfix.Context.apply`.

    Raises:
        StageError: out of memory at the smallest size, or values that are not finite.
        ValueError: planes of another size than the image, or a part the card does not list.
    """
    limits = job.limits
    planes = [_with_channels(array) for array in arrays]
    height, width = planes[0].shape[:2]
    for plane in planes[1:]:
        if plane.shape[:2] != (height, width):
            raise ValueError(f"a plane is {plane.shape[:2]}, the image {(height, width)}")
    padded = [_pad(plane, limits.multiple_of) for plane in planes]
    result = _with_less_memory(job, lambda smaller: _run_tiles(smaller, padded))
    cropped: Array = result[: ceil(height * limits.scale), : ceil(width * limits.scale)]
    return cropped


def apply_many(job: Job, images: Sequence[Array]) -> list[Array]:
    """Run a network over equally large pictures; see `oldfix.Context.apply_many`."""
    stacked = [_with_channels(image) for image in images]
    return _with_less_memory(job, lambda smaller: _run_crops(smaller, stacked))


def _with_less_memory(job: Job, run: Callable[[Job], T]) -> T:
    """Run; each time memory runs out, again with smaller pieces."""
    while True:
        try:
            return run(job)
        except (RuntimeError, MemoryError) as error:
            if not memory.is_out_of_memory(error):
                raise
        memory.release(job.model.device)
        batch, tile = memory.smaller(job.layout.batch, job.layout.tile)
        job.note(out_of_memory=f"went on with {tile}-pixel tiles, {batch} at a time")
        job = replace(job, layout=Layout(tile, batch))


def _run_crops(job: Job, crops: list[Array]) -> list[Array]:
    results: list[Array] = []
    for start in range(0, len(crops), job.layout.batch):
        chunk = crops[start : start + job.layout.batch]
        results += list(_run_batch(job, [np.stack(chunk)]))
        job.progress(len(results), len(crops))
    return results


def _run_tiles(job: Job, planes: list[Array]) -> Array:
    """Run every tile and cross-fade the results into one array."""
    limits = job.limits
    height, width = planes[0].shape[:2]
    size = job.layout.tile if limits.mode == "tiles" else max(height, width)
    pieces = tiles(height, width, size, limits.halo, limits.multiple_of)
    if len(pieces) == 1:
        result: Array = _run_batch(job, [plane[None] for plane in planes])[0]
        job.progress(1, 1)
        return result
    job.note(tiles=len(pieces), tile=size)
    whole: Array | None = None
    done = 0
    for batch in _batches(pieces, job.layout.batch):
        windows = [np.stack([_cut(plane, tile) for tile in batch]) for plane in planes]
        outputs = _run_batch(job, windows)
        if whole is None:
            shape = (round(height * limits.scale), round(width * limits.scale))
            whole = np.zeros((*shape, outputs.shape[-1]), np.float32)
        for tile, output in zip(batch, outputs, strict=True):
            _add(whole, output, tile, limits, (height, width))
        done += len(batch)
        job.progress(done, len(pieces))
    assert whole is not None
    return whole


def _batches(pieces: list[Tile], size: int) -> Iterator[list[Tile]]:
    """Group tiles of one shape into batches."""
    for _, group in groupby(sorted(pieces, key=lambda t: t.shape), key=lambda t: t.shape):
        same = list(group)
        for start in range(0, len(same), size):
            yield same[start : start + size]


def _cut(plane: Array, tile: Tile) -> Array:
    rows, columns = tile.rows, tile.columns
    return plane[rows.start : rows.stop, columns.start : columns.stop]


def _add(whole: Array, output: Array, tile: Tile, limits: Part, size: tuple[int, int]) -> None:
    """Add a tile's output, faded towards its inner edges, where it belongs."""
    if output.shape[:2] != tuple(round(n * limits.scale) for n in tile.shape):
        raise ValueError(
            f"a {tile.shape} tile gave {output.shape[:2]}; the card says scale {limits.scale}"
        )
    down = fade(tile.rows, size[0], limits.multiple_of, limits.scale)[:, None, None]
    across = fade(tile.columns, size[1], limits.multiple_of, limits.scale)[None, :, None]
    top, left = round(tile.rows.start * limits.scale), round(tile.columns.start * limits.scale)
    window = whole[top : top + output.shape[0], left : left + output.shape[1]]
    window += output * down * across


def _run_batch(job: Job, windows: list[Array]) -> Array:
    """Run one batch of windows (N, H, W, C); again in float32 if the result is not finite."""
    model = job.model
    output = _forward(job, windows, model.dtype)
    if not bool(torch.isfinite(output).all()):
        if model.dtype == torch.float32:
            raise StageError(f"{model.card.id}: gave values that are not finite")
        job.note(redone_in_float32=model.card.id)
        output = _forward(job, windows, torch.float32)
        if not bool(torch.isfinite(output).all()):
            raise StageError(f"{model.card.id}: gave values that are not finite, in float32 too")
    return np.ascontiguousarray(output.cpu().numpy().transpose(0, 2, 3, 1))


def _forward(job: Job, windows: list[Array], dtype: torch.dtype) -> torch.Tensor:
    """Run the network on the device in a precision; float32 comes back."""
    device = job.model.device
    function = getattr(job.model.net, job.part) if job.part else job.model.net
    # Contiguous NHWC memory seen as NCHW is the channels-last layout that convolutions like.
    inputs = [_tensor(window).to(device) for window in windows]
    reduced = dtype != torch.float32
    with torch.inference_mode(), torch.autocast(device.type, dtype=dtype, enabled=reduced):
        output: torch.Tensor = function(*inputs, **job.extra)
    return output.float()


def _tensor(window: Array) -> torch.Tensor:
    array = np.ascontiguousarray(window)
    if not array.flags.writeable:  # torch warns of read-only memory; a network may write in place
        array = array.copy()
    return torch.from_numpy(array).permute(0, 3, 1, 2)


def _with_channels(array: Array) -> Array:
    array = np.asarray(array, np.float32)
    return array[..., None] if array.ndim == 2 else array


def _pad(plane: Array, multiple_of: int) -> Array:
    """Pad bottom and right to the grid by repeating the border."""
    height, width = plane.shape[:2]
    down, right = round_up(height, multiple_of) - height, round_up(width, multiple_of) - width
    if not down and not right:
        return plane
    return np.pad(plane, ((0, down), (0, right), (0, 0)), mode="edge")
