"""The page of benchmarks, from what `oldfix.evaluation.bench` measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_GIB = 1 << 30
#: What is measured -> (where it must stay, unit).
TARGETS = {
    "chain": (15.0, "s", "the whole chain on a portrait of 1 megapixel"),
    "scan": (6.0, "GiB", "peak memory of the chain on a scan of 24 megapixels"),
    "help": (0.4, "s", "`oldfix --help`"),
    "face": (20.0, "ms", "one face pasted into a scan, beyond one copy of it"),
}


def to_markdown(results: Mapping[str, Any]) -> str:
    """The page: targets, stages, the chain's steps, start-up, and the machine."""
    parts = [
        "# Benchmarks",
        "Written by `oldfix bench`, from the same figures as `benchmarks.json`. "
        + ", ".join(f"{name} {value}" for name, value in results["machine"].items())
        + ".",
        "Each row is measured in a process of its own: the median of the runs after the first, "
        "and the peak of resident memory, interpreter and libraries included. The picture is an "
        "aged portrait.",
        "## Targets",
        _table(("what", "at most", "measured", ""), _target_rows(results)),
        "## Stages",
        _table(("stage", "s/MP", "first run s", "peak GiB"), _stage_rows(results)),
        "## The whole chain",
        _chain_text(results),
        "## Pasting a face",
        _faces_text(results),
        "## Start-up",
        _table(("what", "s"), [(n, f"{s:.2f}") for n, s in results["start"].items()]),
    ]
    return "\n\n".join(parts) + "\n"


def _target_rows(results: Mapping[str, Any]) -> list[tuple[str, ...]]:
    chain, scan, faces = results["chain"], results["scan"], results["faces"]
    measured = {
        "chain": None if "error" in chain else chain["seconds"] / results["megapixels"],
        "scan": None if "error" in scan else scan["peak_bytes"] / _GIB,
        "help": results["start"]["oldfix --help"],
        "face": None if "error" in faces else max(row["ms"] for row in faces["rows"]),
    }
    rows: list[tuple[str, ...]] = []
    for name, (limit, unit, what) in TARGETS.items():
        value = measured[name]
        if value is None:
            rows.append((what, f"{limit:g} {unit}", "not measured", ""))
        else:
            kept = "met" if value <= limit else "missed"
            rows.append((what, f"{limit:g} {unit}", f"{value:.2f} {unit}", kept))
    return rows


def _stage_rows(results: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, found in results["stages"].items():
        if "error" in found:
            rows.append((name, "–", "–", " ".join(found["error"].split())))
            continue
        speed = found["seconds"] / results["megapixels"]
        peak = found["peak_bytes"] / _GIB
        rows.append((name, f"{speed:.2f}", f"{found['first']:.2f}", f"{peak:.2f}"))
    return rows


def _chain_text(results: Mapping[str, Any]) -> str:
    parts = []
    for name, size in (("chain", results["megapixels"]), ("scan", results["scan_megapixels"])):
        if not size:
            continue
        found = results[name]
        if "error" in found:
            parts.append(f"On {size:g} megapixels: {' '.join(found['error'].split())}.")
            continue
        peak = found["peak_bytes"] / _GIB
        parts.append(
            f"On {size:g} megapixels: {found['seconds']:.1f} s "
            f"({found['first']:.1f} s with loading), peak {peak:.2f} GiB."
        )
        steps = [(step, f"{seconds:.2f}") for step, seconds in found["steps"].items()]
        parts.append(_table(("step", "s"), steps))
    return "\n\n".join(parts)


def _faces_text(results: Mapping[str, Any]) -> str:
    """Processor time of the paste alone; the slowest row counts among the targets."""
    found, size = results["faces"], results["scan_megapixels"]
    if "error" in found:
        return f"Not measured: {' '.join(found['error'].split())}."
    rows = [
        (
            f"{row['crop']} x {row['crop']}",
            "toned" if row["toned"] else "colour",
            f"{row['ms']:.1f}",
        )
        for row in found["rows"]
    ]
    says = (
        f"The paste alone, on a scan of {size:g} megapixels in memory: the median of many faces "
        "at random places, in processor time. The slowest counts among the targets."
    )
    return says + "\n\n" + _table(("the face's crop in the scan", "photograph", "ms"), rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
