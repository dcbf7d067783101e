"""Surveys: a pipeline over real photographs, shown and measured without a reference."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from oldfix.checkout import commit
from oldfix.errors import PhotoError, UsageError
from oldfix.evaluation.changes import (
    Image,
    digest_of,
    faces_found,
    faces_refined,
    luminance_change,
    marked_percent,
    most_changed,
)
from oldfix.evaluation.pages import Cell, Grid, Pixels, as_pixels, shrunk, write_pages
from oldfix.evaluation.verdicts import write_verdicts
from oldfix.files import make_folder, write_text
from oldfix.keys import IMAGE
from oldfix.plan import Plan
from oldfix.runner import Runner

VERDICTS_NAME = "verdicts.md"
_OVERVIEW = Grid(side=320, columns=3, rows=4)
_FULL_SIZE = Grid(side=384, columns=2, rows=4)


@dataclass(frozen=True)
class Changed:
    """What was measured of one photograph.

    Attributes:
        number: on the sheets and in the table of verdicts.
        photo: its file.
        width, height: in pixels, as it was.
        luminance_change: mean CIEDE2000 difference of the luminance alone.
        marked_percent: percent of the pixels marked as defects; None if nothing looked.
        faces_found, faces_refined: how many; None if nothing looked, or says so.
        seconds: from reading to the result.
        digest: of the steps, options and weights.
    """

    number: int
    photo: str
    width: int
    height: int
    luminance_change: float
    marked_percent: float | None
    faces_found: int | None
    faces_refined: int | None
    seconds: float
    digest: str


@dataclass(frozen=True)
class Surveyed:
    """What a survey wrote.

    Attributes:
        sheets: pages of all photographs, before and after.
        crops: pages of the most changed places, at full size.
        measures: CSV; the same as JSON lies beside it.
        verdicts: the empty table.
        done: number of photographs.
        failed: photograph -> why.
    """

    sheets: tuple[Path, ...]
    crops: tuple[Path, ...]
    measures: Path
    verdicts: Path
    done: int
    failed: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class _Entry:
    """One photograph: what was measured, both sides in small, and its most changed place."""

    changed: Changed
    overview: Cell
    crop: Cell
    crop_change: float


def write_survey(
    plan: Plan,
    photos: Sequence[Path],
    out: Path,
    *,
    runner: Runner,
    crops: int = 30,
    say: Callable[[str], None] = lambda text: None,
) -> Surveyed:
    """Run a plan on every photograph; write sheets, crops, measures and a table for verdicts.

    Photographs that fail are listed; the others are done.

    Args:
        plan: what is surveyed.
        photos: files.
        out: folder to write into.
        runner: what the plan is run with.
        crops: of how many photographs the most changed place is shown, at full size.
        say: told in words what is being done.

    Raises:
        UsageError: no photograph, or the folder holds a table of verdicts already or cannot be
            written into.
        EnvironmentProblem: a device or weights cannot be used.
    """
    if not photos:
        raise UsageError("eval survey: needs photographs; name files or folders")
    if (out / VERDICTS_NAME).exists():
        raise UsageError(f"{out / VERDICTS_NAME}: may hold verdicts already; choose another -o")
    make_folder(out)
    commit()  # which one it is may change on the way
    entries: list[_Entry] = []
    failed: dict[str, str] = {}
    most: list[_Entry] = []  # the others' crops are let go, so that many photographs fit
    for number, photo in enumerate(photos, 1):
        say(f"survey: {photo}")
        try:
            entry = _survey_one(number, photo, plan, runner)
        except PhotoError as error:
            failed[str(photo)] = str(error)
            continue
        most = sorted([*most, entry], key=lambda one: -one.crop_change)[:crops]
        entries.append(replace(entry, crop=Cell("", ())))
    return _write(entries, most, failed, out)


def _survey_one(number: int, path: Path, plan: Plan, runner: Runner) -> _Entry:
    from oldfix.files import read_photo

    start = time.perf_counter()
    photo = read_photo(path)
    restored = runner.run(plan, photo)
    seconds = time.perf_counter() - start
    before, after = photo[IMAGE], _same_size(restored[IMAGE], photo.size)
    change = luminance_change(before, after)
    changed = Changed(
        number=number,
        photo=str(path),
        width=photo.size[1],
        height=photo.size[0],
        luminance_change=round(float(change.mean()), 3),
        marked_percent=_rounded(marked_percent(restored)),
        faces_found=faces_found(restored),
        faces_refined=faces_refined(restored, plan),
        seconds=round(seconds, 2),
        digest=digest_of(plan),
    )
    return _entry(changed, as_pixels(before), as_pixels(after), change)


def _entry(changed: Changed, before: Pixels, after: Pixels, change: Any) -> _Entry:
    title = f"{changed.number} {Path(changed.photo).name}"
    side = _FULL_SIZE.side
    top, left, mean = most_changed(change, side)
    window = np.s_[top : top + side, left : left + side]
    small = (shrunk(before, _OVERVIEW.side), shrunk(after, _OVERVIEW.side))
    crop = Cell(
        f"{title}: {mean:.1f} at {left}, {top}", (before[window].copy(), after[window].copy())
    )
    return _Entry(changed, Cell(title, small), crop, mean)


def _same_size(after: Image, size: tuple[int, int]) -> Image:
    """The result at the size of the photograph, whichever steps changed it."""
    if after.shape[:2] == size:
        return after
    return np.asarray(cv2.resize(after, size[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _write(
    entries: Sequence[_Entry], most: Sequence[_Entry], failed: Mapping[str, str], out: Path
) -> Surveyed:
    rows = [asdict(entry.changed) for entry in entries]
    lines = io.StringIO()
    table = csv.DictWriter(lines, [item.name for item in fields(Changed)])
    table.writeheader()
    table.writerows(rows)
    measures = write_text(out / "survey.csv", lines.getvalue(), overwrite=True)
    content = {"commit": commit(), "photographs": rows, "failed": failed}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    write_text(measures.with_suffix(".json"), text, overwrite=True)
    return Surveyed(
        sheets=write_pages(out / "overview", [one.overview for one in entries], _OVERVIEW),
        crops=write_pages(out / "crops", [one.crop for one in most], _FULL_SIZE),
        measures=measures,
        verdicts=write_verdicts(out / VERDICTS_NAME, [one.overview.title for one in entries]),
        done=len(entries),
        failed=failed,
    )
