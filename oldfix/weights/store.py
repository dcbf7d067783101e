"""Weights on disk: find, verify, import."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from oldfix.errors import OldfixError, WeightsError
from oldfix.keys import resolve
from oldfix.weights.card import WeightsCard

_PACKAGE = Path(__file__).resolve().parents[1]
_CHUNK = 1 << 20


def user_cache() -> Path:
    """The folder that pulled and imported weights go to (``~/.cache/oldfix/weights``)."""
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "oldfix" / "weights"


def search_folders() -> tuple[Path, ...]:
    """Folders searched for weights, first match wins.

    ``$OLDFIX_WEIGHTS`` when set, a checkout's ``weights/``, the copy inside the installed
    package, the user's cache.
    """
    chosen = os.environ.get("OLDFIX_WEIGHTS")
    checkout = _PACKAGE.parent
    folders = [Path(chosen)] if chosen else []
    if (checkout / "pyproject.toml").is_file():
        folders.append(checkout / "weights")
    return (*folders, _PACKAGE / "_weights", user_cache())


class Store:
    """Weights files in a list of folders.

    Args:
        folders: where to look, in order; None means `search_folders`.
    """

    def __init__(self, folders: Sequence[Path] | None = None) -> None:
        self.folders = tuple(folders) if folders is not None else search_folders()
        self._verified: set[tuple[Path, int, int]] = set()

    def find(self, card: WeightsCard) -> Path | None:
        """Return the card's file, or folder, in the first folder that has one, or None."""
        own = Path(card.file).is_absolute()
        paths = [Path(card.file)] if own else [folder / card.file for folder in self.folders]
        return next((p for p in paths if (p.is_dir() if card.layout else p.is_file())), None)

    def installed(self, card: WeightsCard) -> bool:
        """Whether the card's file is there (its digest is checked by `verify`)."""
        return self.find(card) is not None

    def best(self, cards: Iterable[WeightsCard], role: str) -> WeightsCard | None:
        """Return the installed card of a role with the highest rank, or None."""
        fitting = [card for card in cards if card.role == role and self.installed(card)]
        return max(fitting, key=lambda card: (card.rank, card.id), default=None)

    def verify(self, card: WeightsCard) -> Path:
        """Return the card's file after checking its digest, or its folder after its layout.

        Raises:
            WeightsError: it is missing, or is not what the card describes.
        """
        path = self.find(card)
        if path is None and Path(card.file).is_absolute():
            raise WeightsError(f"{card.file}: no such folder; check the path")
        if path is None:
            raise WeightsError(f"{card.id}: {card.file} is not installed; {_cure(card)}")
        if card.layout:
            check_layout(card, path)
            return path
        stat = path.stat()
        state = (path, stat.st_size, stat.st_mtime_ns)
        if state not in self._verified:
            check_digest(card, path)
            self._verified.add(state)
        return path

    def network(self, card: WeightsCard) -> Any:
        """Build a card's network from its verified file.

        Raises:
            WeightsError: the file is missing, not the one described, or cannot be opened.
        """
        path = self.verify(card)
        try:
            return resolve(card.load)(path)
        except OldfixError:
            raise
        except Exception as error:  # whatever the plugin's loader or the file brings
            raise WeightsError(f"{path}: cannot be opened as {card.id} ({error})") from error

    def put(self, card: WeightsCard, source: Path) -> Path:
        """Copy a file into the user's store after checking its digest.

        Raises:
            WeightsError: the file cannot be read or is not the one the card describes.
        """
        if card.layout:
            raise WeightsError(f"{card.id}: is a folder, not a file; {_cure(card)}")
        if not source.is_file():
            raise WeightsError(f"{source}: no such file; give the downloaded {card.file}")
        check_digest(card, source)
        folder = self.folders[0] if os.environ.get("OLDFIX_WEIGHTS") else user_cache()
        target = folder / card.file
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".import-") as unfinished:
                part = Path(unfinished) / card.file
                shutil.copyfile(source, part)
                part.replace(target)
        except OSError as error:
            raise WeightsError(
                f"{target}: cannot be written ({error.strerror}); free some space, or name another "
                "folder in OLDFIX_WEIGHTS"
            ) from error
        return target


def digest(path: Path) -> str:
    """Return a file's sha256 in hex."""
    hasher = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest()


def check_digest(card: WeightsCard, path: Path) -> None:
    """Raise WeightsError unless the file has the size and sha256 that the card states."""
    size = path.stat().st_size
    if size != card.bytes:
        raise WeightsError(
            f"{path}: has {size} bytes where {card.id} has {card.bytes}; "
            f"delete it, then {_cure(card)}"
        )
    found = digest(path)
    if found != card.sha256:
        raise WeightsError(
            f"{path}: sha256 is {found[:12]}… where {card.id} has {card.sha256[:12]}…; "
            f"it was not opened; delete it, then {_cure(card)}"
        )


def check_layout(card: WeightsCard, folder: Path) -> None:
    """Raise WeightsError unless a folder holds every file that the card lists."""
    missing = [name for name in card.layout if not (folder / name).is_file()]
    if missing:
        raise WeightsError(
            f"{folder}: lacks {', '.join(missing)}, so it is not a whole {card.role}; "
            "copy the complete folder"
        )


def _cure(card: WeightsCard) -> str:
    """What the user can do about missing weights."""
    if card.layout:
        where = f" ({card.url})" if card.url else ""
        return f"download it{where} and put the folder into {user_cache()}, or name its path"
    if card.url:
        return (
            f"run 'oldfix weights pull {card.id}', or 'oldfix weights import FILE --as {card.id}'"
        )
    return "reinstall oldfix, which ships it"
