"""``oldfix plugins``."""

from __future__ import annotations

from typing import Any

from oldfix.cli.console import say_json, say_table
from oldfix.cli.options import AsJson


def plugins(as_json: AsJson = False) -> None:
    """List the plugins, also those that are broken, and why."""
    rows = rows_of_plugins()
    if as_json:
        say_json(rows)
        return
    say_table(
        ("plugin", "version", "stages", "weights", "state"),
        (
            (
                row["name"],
                row["version"],
                ", ".join(row["stages"]),
                len(row["weights"]) or "",
                f"broken: {row['error']}" if row["error"] else "works",
            )
            for row in rows
        ),
    )


def rows_of_plugins() -> list[dict[str, Any]]:
    """Return every plugin as data; ``error`` is None for one that works."""
    from oldfix.registry import discover

    registry = discover()
    working = [
        {
            "name": plugin.name,
            "version": plugin.version,
            "stages": [spec.name for spec in plugin.stages],
            "weights": [card.id for card in plugin.cards],
            "pipelines": [path.stem for path in plugin.pipelines],
            "error": None,
        }
        for plugin in registry.plugins
    ]
    nothing: dict[str, Any] = {"stages": [], "weights": [], "pipelines": []}
    broken = [
        {"name": item.name, "version": item.version, **nothing, "error": item.error}
        for item in registry.broken
    ]
    return [*working, *broken]
