"""The parts of which the reference pages are put together, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

_NOTE = "<!-- Written by docs/generate.py from the code; change the code, not this page. -->"


def page(title: str, head: str, *sections: str) -> str:
    """A page of sections, with a note that it is written from the code."""
    return "\n\n".join([f"# {title}", _NOTE, head, *sections])


def bullets(lines: Iterable[str]) -> str:
    """One line each, as a list."""
    return "\n".join(f"- {line}" for line in lines)


def named(label: str, names: Iterable[str]) -> list[str]:
    """A fact about names, or none where there are none: a list to be spread."""
    joined = ", ".join(f"`{name}`" for name in sorted(names))
    return [f"{label}: {joined}"] if joined else []


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A table; line breaks in cells become spaces."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, cells))} |" for cells in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", r"\|").split())
