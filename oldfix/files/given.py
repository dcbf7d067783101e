"""Values that the user gives in files: masks, references (``--give key=FILE|FOLDER``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from oldfix.errors import FileError
from oldfix.files.decode import decode
from oldfix.files.find import find_photos
from oldfix.files.formats import SUFFIXES
from oldfix.files.icc import plain_cmyk_to_rgb
from oldfix.files.read import read_image
from oldfix.photo import Photo

if TYPE_CHECKING:
    from oldfix.keys import Image, Mask

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def read_mask(paths: Sequence[str | Path], photo: Photo) -> Mask:
    """Read a mask: float32 (H, W), [0, 1], white = damaged; a transparent pixel is sound.

    Args:
        paths: one file, or one folder that holds a file with the photograph's stem.
        photo: the photograph it belongs to.

    Raises:
        FileError: not exactly one file, unreadable, or of another size than the photograph.
    """
    files = matching(paths, photo.meta.source)
    if len(files) != 1:
        names = ", ".join(str(path) for path in files)
        raise FileError(f"{names}: {len(files)} masks for one photograph; give one")
    decoded = decode(files[0])
    samples = decoded.samples
    top = np.float32(np.iinfo(samples.dtype).max)
    if samples.ndim == 3 and samples.shape[2] == 4:
        samples = plain_cmyk_to_rgb(samples)
    mask: Mask = (samples if samples.ndim == 2 else samples @ _LUMA).astype(np.float32) / top
    if decoded.alpha is not None:
        mask *= decoded.alpha.astype(np.float32) / top
    _check_size(files[0], mask, photo)
    return np.clip(mask, 0.0, 1.0, out=mask)


def _check_size(path: Path, mask: Mask, photo: Photo) -> None:
    height, width = photo.size
    if mask.shape != (height, width):
        raise FileError(
            f"{path}: the mask has {mask.shape[1]} x {mask.shape[0]} pixels, "
            f"{photo.meta.source} has {width} x {height}; make them equal"
        )


def read_references(paths: Sequence[str | Path], photo: Photo) -> tuple[Image, ...]:
    """Read reference photographs: images as `oldfix.read_image` gives them, of any size.

    Args:
        paths: files, or folders that hold a file with the photograph's stem.
        photo: the photograph they are for.

    Raises:
        FileError: one cannot be read, or a folder holds none for this photograph.
    """
    return tuple(read_image(path) for path in matching(paths, photo.meta.source))


def read_library(paths: Sequence[str | Path], photo: Photo) -> tuple[Path, ...]:
    """List the photographs among which references are to be found; none is opened.

    Args:
        paths: folders, whose subfolders are searched too, and files.
        photo: the photograph they are for; its own file is left out.

    Raises:
        FileError: nothing is found.
    """
    found, problems = find_photos(paths)
    if problems:
        raise problems[0]
    own = Path(photo.meta.source).resolve()
    library = tuple(one.path for one in found if one.path.resolve() != own)
    if not library:
        names = ", ".join(str(path) for path in paths)
        raise FileError(f"{names}: holds no photograph but {own.name} itself; add colour ones")
    return library


def matching(paths: Sequence[str | Path], source: str) -> list[Path]:
    """Replace each folder by its file that has the same stem as ``source``.

    Raises:
        FileError: a folder without such a file.
    """
    return [_in_folder(Path(path), source) if Path(path).is_dir() else Path(path) for path in paths]


def _in_folder(folder: Path, source: str) -> Path:
    stem = Path(source).stem
    for path in sorted(folder.iterdir()):
        if path.stem == stem and path.suffix.lower() in SUFFIXES:
            return path
    raise FileError(f"{folder}: holds no file named {stem} with a known ending; add it")
