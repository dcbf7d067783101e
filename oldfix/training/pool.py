"""Photographs to cut training crops from."""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from oldfix.errors import EnvironmentProblem, UsageError

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})


@dataclass(frozen=True)
class PhotoPool:
    """Photographs held in memory, 8 bits a channel.

    Every group (one for each entry of ``folders``) is drawn from equally often, so a folder
    given twice counts double.

    Attributes:
        groups: for each entry its photographs, as (name, (H, W, 3) uint8 RGB).
    """

    groups: tuple[tuple[tuple[str, NDArray[np.uint8]], ...], ...]

    @classmethod
    def read(
        cls, folders: Iterable[Path], *, max_side: int | None = None, min_side: int = 64
    ) -> PhotoPool:
        """Read all photographs of folders (and folders in them), or of lists, in sorted order.

        Args:
            folders: folders, photographs, text files with one path a line, or archives written
                by `oldfix.training.pack`, which give the groups that went into them.
            max_side: larger photographs are scaled down to this longer side.
            min_side: photographs with a shorter side below this are left out.

        Raises:
            UsageError: an entry does not exist or holds no usable photograph.
        """
        cache: dict[Path, NDArray[np.uint8]] = {}
        groups = []
        entries = list(folders)
        for entry in entries:
            if Path(entry).suffix == ".zip":
                groups += _unpacked(Path(entry), max_side, min_side)
                continue
            photos = []
            for path in _photographs(Path(entry)):
                if path not in cache:
                    cache[path] = _read(path, max_side)
                if min(cache[path].shape[:2]) >= min_side:
                    photos.append((str(path), cache[path]))
            if not photos:
                raise UsageError(
                    f"{entry}: holds no photograph of at least {min_side} pixels; "
                    "give a folder of JPEG, PNG, WebP or TIFF files"
                )
            groups.append(tuple(photos))
        if not groups:
            raise UsageError("training data: no folder given; name one with --data FOLDER")
        pool = cls(tuple(groups))
        return pool.mapped() if any(Path(entry).suffix == ".zip" for entry in entries) else pool

    @property
    def names(self) -> tuple[str, ...]:
        """Path of every photograph, group after group."""
        return tuple(name for group in self.groups for name, _ in group)

    @property
    def digest(self) -> str:
        """SHA-256 over sizes and pixels of all photographs, in order."""
        total = hashlib.sha256()
        for group in self.groups:
            for _, image in group:
                total.update(repr(image.shape).encode() + image.tobytes())
        return total.hexdigest()

    def mapped(self) -> PhotoPool:
        """Return the same photographs, their pixels in one memory-mapped temporary file.

        Processes that make samples then share them, and the system may drop what is not in use.

        Raises:
            EnvironmentProblem: the folder for temporary files has no room for the pixels.
        """
        try:
            with tempfile.TemporaryFile() as file:
                # Written, not mapped and filled: a page that a full disk has no room for would
                # end the process without a word.
                for group in self.groups:
                    for _, image in group:
                        file.write(np.ascontiguousarray(image).data)
                file.flush()
                store = np.memmap(file, np.uint8, "r")
        except OSError as error:
            raise EnvironmentProblem(
                f"{tempfile.gettempdir()}: no room for the photographs "
                f"({error.strerror or error}); free some space, or name another folder in TMPDIR"
            ) from error
        groups, start = [], 0
        for group in self.groups:
            photos = []
            for name, image in group:
                photos.append((name, store[start : start + image.size].reshape(image.shape)))
                start += image.size
            groups.append(tuple(photos))
        return PhotoPool(tuple(groups))

    def __len__(self) -> int:
        return sum(len(group) for group in self.groups)

    def split(self, every: int = 20) -> tuple[PhotoPool, PhotoPool]:
        """Return (training, validation); validation takes each ``every``-th photograph.

        A photograph that is in two groups falls on the same side in both.

        Raises:
            UsageError: too few photographs to have both.
        """
        if not any(len(group) >= every for group in self.groups):
            cure = (
                "give more"
                if len(self) < every
                else f"each entry needs {every}: name one folder, or one text file with their paths"
            )
            raise UsageError(
                f"training data: {len(self)} photographs in {len(self.groups)} entries are too few "
                f"to keep every {every}th for validation; {cure}"
            )
        kept = {name for group in self.groups for name, _ in group[every - 1 :: every]}
        train = (tuple(p for p in group if p[0] not in kept) for group in self.groups)
        valid = (tuple(p for p in group if p[0] in kept) for group in self.groups)
        return PhotoPool(tuple(g for g in train if g)), PhotoPool(tuple(g for g in valid if g))

    def crop(
        self, rng: np.random.Generator, size: int, *, shrink: float = 0.5
    ) -> NDArray[np.float32]:
        """Cut a random square, mirrored half of the time.

        Args:
            rng: source of randomness.
            size: width and height in pixels. A smaller photograph is enlarged to fit.
            shrink: chance that the photograph is first scaled down, to at least ``size``.

        Returns:
            (size, size, 3) float32 RGB in [0, 1], sRGB-encoded.
        """
        group = self.groups[rng.integers(len(self.groups))]
        image = group[rng.integers(len(group))][1]
        shortest = min(image.shape[:2])
        side = min(size, shortest)
        if side < shortest and rng.random() < shrink:
            side = int(rng.integers(size, shortest + 1))
        y, x = (int(rng.integers(length - side + 1)) for length in image.shape[:2])
        square = image[y : y + side, x : x + side]
        if side != size:
            method = cv2.INTER_AREA if side > size else cv2.INTER_CUBIC
            square = np.asarray(cv2.resize(square, (size, size), interpolation=method), np.uint8)
        if rng.random() < 0.5:
            square = square[:, ::-1]
        return square.astype(np.float32) / np.float32(255)


def _photographs(entry: Path) -> Sequence[Path]:
    if entry.is_dir():
        return sorted(p for p in entry.rglob("*") if p.suffix.lower() in _SUFFIXES)
    if not entry.is_file():
        raise UsageError(f"{entry}: no such file or folder; check the path given as --data")
    if entry.suffix == ".txt":
        return list(_listed(entry))
    return [entry]


def _listed(listing: Path) -> Iterator[Path]:
    try:
        lines = listing.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{listing}: cannot be read as a list of photographs ({error}); "
            "give a text file in UTF-8 with one path a line"
        ) from error
    for line in lines:
        if line.strip():
            path = listing.parent / line.strip()
            if not path.is_file():
                raise UsageError(f"{listing}: lists {path}, which does not exist; correct the list")
            yield path


def _unpacked(
    archive: Path, max_side: int | None, min_side: int
) -> list[tuple[tuple[str, NDArray[np.uint8]], ...]]:
    """Read the groups of an archive; without photographs that are too small."""
    try:
        with zipfile.ZipFile(archive) as file:
            names = sorted(name for name in file.namelist() if not name.endswith("/"))
            # zlib fails on a damaged member; RuntimeError says that one is encrypted
            read = [(n, _read(archive / n, max_side, file.read(n))) for n in names]
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
        raise UsageError(
            f"{archive}: is not a pack of photographs ({error}); pack again"
        ) from error
    large = [(name, image) for name, image in read if min(image.shape[:2]) >= min_side]
    if not large:
        raise UsageError(f"{archive}: holds no photograph of at least {min_side} pixels")
    return [tuple(group) for _, group in groupby(large, key=lambda item: Path(item[0]).parent)]


def _read(path: Path, max_side: int | None, data: bytes | None = None) -> Any:
    try:
        with Image.open(path if data is None else io.BytesIO(data)) as file:
            image = ImageOps.exif_transpose(file).convert("RGB")
    except Exception as error:  # Pillow's decoders raise whatever they stumble over
        raise UsageError(f"{path}: cannot be read as a photograph ({error}); remove it") from error
    if max_side is not None and max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return np.asarray(image)
