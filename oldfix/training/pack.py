"""One archive with the photographs of a training, small enough to travel."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oldfix.errors import EnvironmentProblem, UsageError
from oldfix.training.pool import PhotoPool

#: Largest archive, in bytes.
MOST_BYTES = 22 * 2**20
#: Tried from the first on, until the archive is small enough.
_QUALITIES = (95, 90, 85, 80, 72, 64)
#: Photographs that a quality's size is estimated from.
_PROBED = 24
#: Headers and directory of an archive, for each photograph.
_OVERHEAD = 256


def pack(photographs: PhotoPool, file: Path, *, most_bytes: int = MOST_BYTES) -> int:
    """Write photographs into one archive of WebP files, a folder for each group.

    The best quality that fits is used, the same for all. `PhotoPool.read` reads the archive as
    the groups that went into it.

    Args:
        photographs: what to pack, scaled as it shall be trained on.
        file: the archive, ending in .zip; replaced atomically.
        most_bytes: largest size.

    Returns:
        The quality, 0 to 100.

    Raises:
        UsageError: they do not fit, at the lowest quality either.
        EnvironmentProblem: the archive cannot be written (a full disk, say).
    """
    images = [image for group in photographs.groups for _, image in group]
    for quality in _QUALITIES:
        if _estimated(images, quality) > most_bytes:
            continue
        if _write(photographs, file, quality, most_bytes):
            return quality
    raise UsageError(
        f"{file}: {len(images)} photographs do not fit into {most_bytes / 2**20:.0f} MiB at WebP "
        f"quality {_QUALITIES[-1]}; give fewer, or smaller ones"
    )


def _estimated(images: Sequence[NDArray[np.uint8]], quality: int) -> float:
    """Size of the archive by a sample, a tenth less: the sample may be unlucky."""
    probed = images[:: max(1, len(images) // _PROBED)]
    mean = sum(len(_encoded(image, quality)) for image in probed) / len(probed)
    return 0.9 * (mean + _OVERHEAD) * len(images)


def _encoded(image: NDArray[np.uint8], quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=quality)
    return buffer.getvalue()


def _write(photographs: PhotoPool, file: Path, quality: int, most_bytes: int) -> bool:
    """Write the archive; False, and nothing written, if it becomes too large."""
    part = file.with_name(file.name + ".part")
    written = 0
    try:
        with zipfile.ZipFile(part, "w") as archive:
            for name, image in _named(photographs):
                data = _encoded(image, quality)
                written += len(data) + _OVERHEAD
                if written > most_bytes:
                    break
                archive.writestr(name, data)
        if written > most_bytes:
            return False
        part.replace(file)
    except OSError as error:
        raise EnvironmentProblem(
            f"{file}: cannot be written ({error}); free some space or choose another folder"
        ) from error
    finally:
        part.unlink(missing_ok=True)
    return True


def _named(photographs: PhotoPool) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for number, group in enumerate(photographs.groups):
        for index, (_, image) in enumerate(group):
            yield f"{number:02}/{index:05}.webp", image
