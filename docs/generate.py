"""Write the reference pages from the code: ``python docs/generate.py [--check]``.

Pages about stages and cards cover the toolkit's own plugins, whatever else is installed. With
``--check`` nothing is written, and the exit code is 1 if a page is not what it should be.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import typer.main
from pydantic.fields import FieldInfo

from command_pages import commands_page
from markdown_parts import bullets, named, page, table
from oldfix import errors, hookspecs
from oldfix.cli.app import build_app
from oldfix.options import describe_range
from oldfix.registry import Plugin, discover
from oldfix.stage import StageSpec
from oldfix.weights.card import WeightsCard

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "docs" / "reference"
_CODES = {
    0: "Everything was done.",
    1: "A fault of oldfix itself: please report it.",
    2: "The command, an option, a file argument or a pipeline cannot be used; nothing was run.",
    3: "Something is missing on this machine: a library, a device, weights.",
    4: "Some photographs could not be restored; the others are written.",
    130: "Interrupted; nothing half-written stays behind.",
}


def pages() -> dict[Path, str]:
    """Return every generated page by path, each ending in one newline.

    Raises:
        RuntimeError: one of the toolkit's own plugins is broken.
    """
    with strangers_blocked():
        registry = discover()
        commands = commands_page(typer.main.get_command(build_app()))
    if registry.broken:
        raise RuntimeError("; ".join(f"{b.name}: {b.error}" for b in registry.broken))
    plugins = sorted(registry.plugins, key=lambda p: p.name)
    cards = [card for plugin in plugins for card in plugin.cards]
    texts = {
        REFERENCE / "stages.md": stages_page(plugins),
        REFERENCE / "commands.md": commands,
        REFERENCE / "cards.md": cards_page(cards),
        REFERENCE / "exit-codes.md": exit_codes_page(),
        REFERENCE / "hooks.md": hooks_page(),
        ROOT / "weights" / "README.md": weights_page(cards),
    }
    return {path: text.rstrip() + "\n" for path, text in texts.items()}


@contextmanager
def strangers_blocked() -> Iterator[None]:
    """Leave out plugins that do not come with oldfix."""
    points = entry_points(group="oldfix")
    own = {point.name for point in points if point.dist and point.dist.name == "oldfix"}
    others = ",".join(sorted({point.name for point in points} - own))
    before = dict(os.environ)
    os.environ.update(OLDFIX_BLOCK=others, OLDFIX_PLUGINS="")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def stages_page(plugins: Iterable[Plugin]) -> str:
    """One section a stage: what it takes and gives, and its options."""
    sections = [
        _stage_section(spec, plugin.name)
        for plugin in plugins
        for spec in sorted(plugin.stages, key=lambda s: s.name)
    ]
    head = (
        "What `oldfix stages` lists. Options are set with `--set STEP.OPTION=VALUE`, "
        "in TOML, or in Python."
    )
    return page("Stages", head, *sections)


def _stage_section(spec: StageSpec, plugin: str) -> str:
    facts = [
        f"Plugin: {plugin}",
        *named("Fills the role", spec.roles),
        *named("Needs", (key.name for key in spec.needs)),
        *named("Takes if present", (key.name for key in spec.uses)),
        *named("Gives", (key.name for key in spec.produces)),
        *(["May change the picture's size"] if spec.resizes else []),
        *(["May give a grey photograph colour"] if spec.colours else []),
    ]
    fields = spec.options.model_fields
    rows = [_option_row(name, field, spec.weights.get(name)) for name, field in fields.items()]
    options = table(["option", "values", "default", ""], rows) if rows else "No options."
    return f"## {spec.name}\n\n{spec.summary}\n\n{bullets(facts)}\n\n{options}"


def _option_row(name: str, field: FieldInfo, role: str | None) -> list[str]:
    values = f"weights of role {role}, or auto" if role else _values(field)
    default = json.dumps(field.default, ensure_ascii=False) if field.default is not None else ""
    return [f"`{name}`", values, f"`{default}`", field.description or ""]


def _values(field: FieldInfo) -> str:
    """What an option may be, in words."""
    choices = getattr(field.annotation, "__args__", ())
    if choices and all(isinstance(choice, str) for choice in choices):
        return ", ".join(f"`{choice}`" for choice in choices)
    kind = getattr(field.annotation, "__name__", str(field.annotation))
    words = {"float": "number", "int": "whole number", "bool": "true or false", "str": "text"}
    return " ".join(filter(None, [words.get(kind, kind), describe_range(field)]))


def cards_page(cards: Iterable[WeightsCard]) -> str:
    """One section a card."""
    head = (
        "What `oldfix weights list` knows: sources, licences, limits and figures. Weights trained "
        "by this project had seed 0. Where a card names no manifest of the photographs, no commit "
        "or no hardware, these were not recorded."
    )
    return page("Weights cards", head, *map(_card_section, sorted(cards, key=lambda c: c.id)))


def _card_section(card: WeightsCard) -> str:
    facts = [
        f"Role: {card.role}, rank {card.rank}",
        *([f"Variant: {card.variant}"] if card.variant else []),
        f"{'Folder' if card.layout else 'File'}: `{card.file}`, {card.bytes:,} bytes",
        *([f"SHA-256: `{card.sha256}`"] if card.sha256 else []),
        f"Licence: {card.licence}",
        f"Comes {'from ' + card.url if card.url else 'with oldfix'}",
        f"Precision: {', '.join(card.precision)}",
        *([f"Works with: {', '.join(card.requires)}"] if card.requires else []),
        *([f"Trained again by: `oldfix train {card.id}`"] if card.train else []),
    ]
    figures = [[name, text] for name, text in card.figures.items()]
    parts = [f"## {card.id}", card.source, bullets(facts), f"What it does badly: {card.limits}"]
    parts += [table(["measured", ""], figures)] if figures else []
    return "\n\n".join(parts)


def weights_page(cards: Iterable[WeightsCard]) -> str:
    """The table beside the weights that come with oldfix."""
    own = sorted((card for card in cards if not card.url), key=lambda c: c.file)
    rows = [
        [
            f"`{c.file}`",
            c.id,
            c.role,
            f"{c.bytes / 2**20:.1f} MiB",
            c.licence,
            f"`{c.sha256[:12]}…`",
        ]
        for c in own
    ]
    files = table(["file", "card", "role", "size", "licence", "sha256"], rows)
    head = (
        f"{len(own)} files, {sum(c.bytes for c in own) / 2**20:.1f} MiB. Safetensors; see "
        "[the cards](../docs/reference/cards.md) for sources, limits and figures."
    )
    return page("Weights that come with oldfix", head, files)


def exit_codes_page() -> str:
    """One section an exit code, with the errors that lead to it."""
    tree = list(_errors(errors.OldfixError))
    unknown = {kind.exit_code for kind in tree} - set(_CODES)
    if unknown:
        raise RuntimeError(f"exit codes without a meaning: {sorted(unknown)}")
    sections = []
    for code, meaning in _CODES.items():
        kinds = [f"`{k.__name__}`: {_first_line(k)}" for k in tree if k.exit_code == code]
        sections.append(f"## {code}\n\n{meaning}\n\n{bullets(kinds)}".rstrip())
    head = "What every command returns, and the errors of `oldfix.errors` behind it."
    return page("Exit codes", head, *sections)


def _errors(kind: type[errors.OldfixError]) -> Iterator[type[errors.OldfixError]]:
    """The toolkit's own errors, parents first."""
    yield kind
    for inner in sorted(kind.__subclasses__(), key=lambda k: k.__name__):
        if inner.__module__ == errors.__name__:
            yield from _errors(inner)


def hooks_page() -> str:
    """One section a hook, with its signature."""
    hooks = {n: f for n, f in vars(hookspecs).items() if n.startswith("oldfix_") and callable(f)}
    sections = []
    for name, hook in hooks.items():
        signature = str(inspect.signature(hook)).replace("'", "")
        code = f"```python\n@hookimpl\ndef {name}{signature}: ...\n```"
        sections.append(f"## {name}\n\n{code}\n\n{inspect.getdoc(hook)}")
    return page("Hooks", inspect.getdoc(hookspecs) or "", *sections)


def _first_line(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").splitlines()[0]


def main(arguments: list[str]) -> int:
    """Write the pages, or only compare them."""
    check = arguments == ["--check"]
    stale = {p: t for p, t in pages().items() if not p.is_file() or p.read_text("utf-8") != t}
    for path, text in stale.items():
        sys.stdout.write(f"{path.relative_to(ROOT)}: {'differs' if check else 'written'}\n")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
