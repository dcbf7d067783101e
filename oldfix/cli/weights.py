"""``oldfix weights``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from oldfix.cli.commands import leave
from oldfix.cli.console import megabytes, say, say_json, say_table, tell
from oldfix.cli.options import AsJson
from oldfix.errors import UsageError, WeightsError
from oldfix.options import did_you_mean

if TYPE_CHECKING:
    from oldfix.registry import Registry
    from oldfix.weights.card import WeightsCard
    from oldfix.weights.store import Store

app = typer.Typer(
    help="List, fetch, check and import the networks' weights.", no_args_is_help=False
)
Ids = Annotated[list[str], typer.Argument(metavar="ID", help="Names from 'oldfix weights list'.")]


@app.command("list", epilog="Example: oldfix weights list --json")
def list_weights(as_json: AsJson = False) -> None:
    """List weights, and which of them 'auto' takes."""
    rows = _rows()
    if as_json:
        say_json(rows)
        return
    say_table(
        ("weights", "for", "variant", "size", "installed", "licence"),
        (
            (
                row["id"],
                row["role"],
                row["variant"],
                megabytes(row["bytes"]),
                ("auto" if row["auto"] else "yes") if row["file"] else "no",
                row["licence"],
            )
            for row in rows
        ),
    )


@app.command(epilog="Example: oldfix weights pull gfpgan-1.4")
def pull(ids: Ids) -> None:
    """Download published weights.

    They go into the user's cache, if their digest is the card's.
    """
    from oldfix.registry import discover
    from oldfix.weights.download import download
    from oldfix.weights.store import Store

    registry, store = discover(), Store()
    for card in _cards(ids, registry):
        if store.installed(card):
            say(f"{card.id}: is installed already, {store.verify(card)}")
            continue
        with _download_bar(card) as report:
            path = download(card, store, report)
        say(f"{card.id}: {path}")


@app.command(epilog="Example: oldfix weights verify")
def verify(
    ids: Annotated[list[str], typer.Argument(metavar="[ID]", help="All installed if none.")] = [],  # noqa: B006
    as_json: AsJson = False,
) -> None:
    """Check the digests of installed weights.

    Leaves with code 3 if one is wrong.
    """
    from oldfix.registry import discover
    from oldfix.weights.store import Store

    registry, store = discover(), Store()
    cards = _cards(ids, registry) if ids else [c for c in registry.cards.values() if store.find(c)]
    rows = [{"id": card.id, **_verified(card, store)} for card in cards]
    if as_json:
        say_json(rows)
    for row in rows:
        if row["error"]:
            tell(f"oldfix: {row['error']}")
        elif not as_json:
            say(f"{row['id']}: sound, {row['file']}")
    if any(row["error"] for row in rows):
        leave(WeightsError.exit_code)


@app.command("import", epilog="Example: oldfix weights import GFPGANv1.4.pth --as gfpgan-1.4")
def import_weights(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file you have.")],
    card_id: Annotated[str, typer.Option("--as", metavar="ID", help="What it is.")],
) -> None:
    """Take in a weights file that you have.

    It is copied into the user's cache, if its digest is the card's.
    """
    from oldfix.registry import discover
    from oldfix.weights.store import Store

    (card,) = _cards([card_id], discover())
    say(f"{card.id}: {Store().put(card, file)}")


def _rows() -> list[dict[str, Any]]:
    from oldfix.registry import discover
    from oldfix.weights.store import Store

    cards, store = discover().cards.values(), Store()
    best = {role: store.best(cards, role) for role in {card.role for card in cards}}
    return [
        {
            "id": card.id,
            "role": card.role,
            "variant": card.variant,
            "bytes": card.bytes,
            "file": store.find(card),
            "auto": best[card.role] is card,
            "licence": card.licence,
            "url": card.url or None,
            "sha256": card.sha256,
        }
        for card in sorted(cards, key=lambda card: (card.role, -card.rank))
    ]


def _cards(ids: Sequence[str], registry: Registry) -> list[WeightsCard]:
    for name in ids:
        if name not in registry.cards:
            cure = did_you_mean(name, registry.cards) or "; see 'oldfix weights list'"
            raise UsageError(f"no weights named '{name}'{cure}")
    return [registry.cards[name] for name in ids]


def _verified(card: WeightsCard, store: Store) -> dict[str, Any]:
    try:
        return {"file": store.verify(card), "error": None}
    except WeightsError as error:
        return {"file": store.find(card), "error": str(error)}


def _download_bar(card: WeightsCard) -> Any:
    from oldfix.cli.progress import downloading

    return downloading(f"{card.id} ({megabytes(card.bytes)})", card.bytes)
