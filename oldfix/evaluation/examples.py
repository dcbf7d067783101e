"""The figure of ``oldfix eval seeds``: what every system makes of photographs that may be shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow, ImageDraw, ImageFont

from oldfix.errors import PhotoError, UsageError
from oldfix.evaluation.contact import picture_of
from oldfix.evaluation.rows import CLASSICAL, Row
from oldfix.evaluation.samples import Sample, samples
from oldfix.evaluation.seeds import Shown, Task, chosen_rows, load_comparison
from oldfix.evaluation.sets import load_set, pick_files
from oldfix.evaluation.stages import Host, stage_rows
from oldfix.evaluation.tables import Table
from oldfix.files.atomic import atomic

#: Side of a picture in the figure, and height of its label, in pixels.
_CELL, _LABEL = 216, 18
#: The file may not be larger than this, in bytes; tried from the best quality on.
_MOST_BYTES = 300_000
_QUALITIES = (90, 85, 80, 70, 60, 45)
_MANIFEST = "MANIFEST.csv"


def draw_examples(
    path: Path,
    tables: Mapping[str, Table],
    host: Host,
    data: Path,
    *,
    seed: int = 0,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Write a JPEG with one line for each task: input, the chosen rows' results, truth.

    Args:
        path: file, replaced.
        tables: which rows are shown; a task without one is left out.
        host: what stages are run with.
        data: folder of photographs with a ``MANIFEST.csv``.
        seed: of the damage.
        say: told in words what is being done.

    Raises:
        UsageError: no photograph is known to be redistributable, or none is asked for.
    """
    comparison, lines = load_comparison(), []
    for task in comparison.task:
        if task.shown is None or task.set not in tables:
            continue
        say(f"examples of {task.name}")
        sample = _sample(task, task.shown, redistributable(data, comparison.licences), data, seed)
        lines.append((task.name, _pictures(task, tables[task.set], sample, host, say)))
    if not lines:
        raise UsageError("eval seeds: no table of a task that has examples; measure one first")
    return _write(path, lines)


def redistributable(data: Path, licences: Sequence[str]) -> frozenset[str]:
    """Names, below a folder, of the pictures whose stated licence begins with one of several.

    Raises:
        UsageError: the folder states no licences.
    """
    file = data / _MANIFEST
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = [(row["path"], row["licence"]) for row in csv.DictReader(stream)]
    except (OSError, KeyError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file}: states no licences ({type(error).__name__}); give a table with the columns "
            "path and licence, or leave out --data"
        ) from None
    return frozenset(name for name, licence in rows if licence.startswith(tuple(licences)))


def _sample(task: Task, shown: Shown, allowed: frozenset[str], data: Path, seed: int) -> Sample:
    """The task's question about one photograph that may be shown."""
    update: dict[str, Any] = {"patterns": (shown.pattern,), "first": shown.first}
    every = load_set(task.set).model_copy(update={**update, "every": (shown.every,), "count": 9999})
    names = [path.relative_to(data).as_posix() for path in pick_files(every, data)]
    found = [name for name in names if name in allowed]
    if not found:
        raise UsageError(
            f"{data}: has no picture {shown.pattern} that may be redistributed; see {_MANIFEST}"
        )
    name = found[min(shown.number, len(found) - 1)]
    # A colour set takes references from other photographs: it needs one more.
    near = pick_files(every.model_copy(update={"first": 0, "every": ()}), data)
    others = (other for path in near if (other := path.relative_to(data).as_posix()) != name)
    both = (name, *others)[:2]
    pair = {"patterns": both, "first": 0, "every": (), "count": len(both)}
    return next(samples(every.model_copy(update=pair), data, seed))


def _pictures(
    task: Task, table: Table, sample: Sample, host: Host, say: Callable[[str], None]
) -> dict[str, Any]:
    """Label -> picture; a row that fails on this sample is left out, and it is said."""
    chosen = load_set(task.set)
    every = (*CLASSICAL[chosen.kind_of_rows], *stage_rows(chosen, host))
    by_name = {row.name: row for row in every if isinstance(row, Row)}
    pictures = {"input": picture_of(sample.image, sample.image)}
    for system, result in chosen_rows(table, task).items():
        row = by_name.get(result.name)
        if row is None or system == "identity":
            continue
        try:
            output = row.run(sample)
        except (PhotoError, ValueError) as error:
            say(f"examples of {task.name}: {result.name} is left out ({error})")
            continue
        label = result.name if system == "classical" else load_comparison().title(system)
        pictures[label] = picture_of(output, sample.image)
    return {**pictures, "truth": picture_of(sample.truth, sample.image)}


def _write(path: Path, lines: Sequence[tuple[str, Mapping[str, Any]]]) -> Path:
    width = _CELL * max(len(pictures) for _, pictures in lines)
    sheet = Pillow.new("RGB", (width, len(lines) * (_CELL + _LABEL)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, (task, pictures) in enumerate(lines):
        top = number * (_CELL + _LABEL)
        for column, (label, picture) in enumerate(pictures.items()):
            words = f"{task}: {label}" if column == 0 else label
            draw.text((column * _CELL + 3, top + 2), _shortened(words), "black", font)
            sheet.paste(_square(picture), (column * _CELL, top + _LABEL))
    with atomic(path, overwrite=True) as file:
        file.write(_jpeg(sheet))
    return path


def _square(picture: Any) -> Pillow.Image:
    """The middle square, as large as a cell."""
    image = Pillow.fromarray(np.asarray(picture))
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return square.resize((_CELL - 2, _CELL - 2), Pillow.Resampling.LANCZOS)


def _jpeg(sheet: Pillow.Image) -> bytes:
    """The sheet at the best quality that is small enough, or at the lowest."""
    data = b""
    for quality in _QUALITIES:
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=quality, optimize=True)
        data = buffer.getvalue()
        if len(data) <= _MOST_BYTES:
            break
    return data


def _shortened(label: str) -> str:
    return label if len(label) <= 36 else f"{label[:35]}…"
