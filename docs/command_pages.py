"""The reference page of the commands, from the command line itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from markdown_parts import page, table


def commands_page(group: Any) -> str:
    """One section a command, as ``--help`` says it.

    Args:
        group: the command line, a click group (typer's own copy of click in newer versions).
    """
    sections = [_command_section(path, command) for path, command in walk_commands(group, "oldfix")]
    return page("Commands", "What `oldfix --help` and `oldfix COMMAND --help` say.", *sections)


def walk_commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every command below one, depth first, in order of name."""
    yield path, command
    for name, inner in sorted(getattr(command, "commands", {}).items()):
        if not inner.hidden:
            yield from walk_commands(inner, f"{path} {name}")


def _command_section(path: str, command: Any) -> str:
    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    arguments = [p for p in shown if p.param_type_name == "argument"]
    options = [p for p in shown if p.param_type_name == "option"]
    words = [path, *(["[OPTIONS]"] if options else []), *map(_metavar, arguments)]
    usage = " ".join([*words, *(["COMMAND …"] if hasattr(command, "commands") else [])])
    parts = [f"## {path}", f"```text\n{usage}\n```", _help_text(command.help or "")]
    if arguments:
        parts.append(table(["argument", ""], map(_parameter_row, arguments)))
    if options:
        parts.append(table(["option", ""], map(_parameter_row, options)))
    parts.append(_example(command.epilog or ""))
    return "\n\n".join(part for part in parts if part)


def _help_text(text: str) -> str:
    return inspect.cleandoc(text).replace("\b\n", "")


def _example(epilog: str) -> str:
    command = epilog.removeprefix("Example: ").strip()
    return f"```bash\n{command}\n```" if command else ""


def _parameter_row(parameter: Any) -> list[str]:
    """How a parameter is written, and what it means; the same under every version of typer."""
    text = getattr(parameter, "help", "") or ""
    default = parameter.default
    if isinstance(default, str | int | float | Path) and not isinstance(default, bool):
        text += f" Default: `{default}`." if str(default) else ""
    if parameter.required and parameter.param_type_name == "option":
        text += " Required."
    if parameter.param_type_name == "argument":
        return [f"`{_metavar(parameter)}`", text]
    value = "" if getattr(parameter, "is_flag", False) else f" {_metavar(parameter)}"
    return [f"`{', '.join(parameter.opts)}{value}`", text]


def _metavar(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())
