"""What a photograph may hold: typed keys, and what their values must be.

Conventions between stages, always: numpy float32, ``(H, W, 3)``, RGB, ``[0, 1]``, sRGB-encoded,
read-only. Masks are ``(H, W)`` float32 in ``[0, 1]`` with 1 = damaged. Points and boxes are
``(x, y)`` in pixels of the current image, pixel centres at integers. A grey photograph has three
equal channels.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.float32]
    Mask = NDArray[np.float32]

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Key(Generic[T]):
    """A named, typed slot of a photograph.

    Functions are given as ``"module:function"`` so that declaring a key imports nothing.

    Attributes:
        name: unique; plugins prefix theirs (``"stamp.border"``).
        doc: one line saying what the value is.
        check: ``(value) -> None``, raising ValueError with what is wrong.
        resize: ``(value, old_size, new_size) -> value`` with sizes as (height, width);
            None if the value does not depend on the size of the image.
        read: ``(paths, photo) -> value`` that reads the value from files (``--give``).
    """

    name: str
    doc: str
    check: str | None = None
    resize: str | None = None
    read: str | None = None

    def __repr__(self) -> str:
        return f"Key({self.name!r})"


@dataclass(frozen=True, eq=False)
class Face:
    """One detected face.

    Attributes:
        box: ``(x0, y0, x1, y1)`` in pixels.
        score: the detector's confidence, in [0, 1].
        points: ``(5, 2)`` float32: image-left eye, image-right eye, nose, image-left mouth
            corner, image-right mouth corner.
    """

    box: tuple[float, float, float, float]
    score: float
    points: NDArray[np.float32]

    @property
    def eye_distance(self) -> float:
        """Distance between the eyes, in pixels."""
        dx, dy = (self.points[1] - self.points[0]).tolist()
        return float((dx * dx + dy * dy) ** 0.5)


def resolve(reference: str) -> Any:
    """Import ``"module:name"`` and return what it names."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def check_value(key: Key[Any], value: Any) -> None:
    """Raise ValueError if the value does not fit its key."""
    if key.check is not None:
        cast(Callable[[Any], None], resolve(key.check))(value)


def check_image(value: Any) -> None:
    """Raise ValueError unless float32 (H, W, 3), finite, in [0, 1]."""
    _check_array(value, 3)
    if value.shape[2] != 3:
        raise ValueError(f"must have 3 channels, got shape {value.shape}")


def check_mask(value: Any) -> None:
    """Raise ValueError unless float32 (H, W), finite, in [0, 1]."""
    _check_array(value, 2)


def _check_array(value: Any, ndim: int) -> None:
    import numpy as np

    if not isinstance(value, np.ndarray) or value.dtype != np.float32 or value.ndim != ndim:
        got = f"{getattr(value, 'dtype', type(value).__name__)} {getattr(value, 'shape', '')}"
        raise ValueError(f"must be a float32 array with {ndim} axes, got {got}")
    if min(value.shape) < 1:
        raise ValueError(f"must not be empty, got shape {value.shape}")
    low, high = float(value.min()), float(value.max())
    if not (low >= 0.0 and high <= 1.0):  # false for NaN too
        raise ValueError(f"must lie in [0, 1] and be finite, got {low:g} to {high:g}")


def check_faces(value: Any) -> None:
    """Raise ValueError unless a tuple of `Face` with points (5, 2)."""
    if not isinstance(value, tuple) or not all(isinstance(face, Face) for face in value):
        raise ValueError(f"must be a tuple of Face, got {type(value).__name__}")
    for face in value:
        if getattr(face.points, "shape", None) != (5, 2):
            raise ValueError(f"face points must have shape (5, 2), got {face.points!r}")


def check_references(value: Any) -> None:
    """Raise ValueError unless a non-empty tuple of images."""
    if not isinstance(value, tuple) or not value:
        raise ValueError("must be a tuple of at least one image")
    for image in value:
        check_image(image)


def check_library(value: Any) -> None:
    """Raise ValueError unless a non-empty tuple of paths."""
    if not isinstance(value, tuple) or not value:
        raise ValueError("must be a tuple of at least one path")
    for path in value:
        if not isinstance(path, Path):
            raise ValueError(f"must hold paths, got {type(path).__name__}")


_HERE = __name__
#: The picture itself.
IMAGE: Key[Image] = Key("image", "the picture", check=f"{_HERE}:check_image")
#: Probability or mark of damage, 1 = damaged.
DEFECTS: Key[Mask] = Key(
    "defects",
    "damaged pixels, 1 = damaged",
    check=f"{_HERE}:check_mask",
    resize="oldfix.resizing:resize_mask",
    read="oldfix.files.given:read_mask",
)
#: Detected faces, largest first.
FACES: Key[tuple[Face, ...]] = Key(
    "faces",
    "detected faces with box, score and five landmarks",
    check=f"{_HERE}:check_faces",
    resize="oldfix.resizing:resize_faces",
)
#: Colour photographs to take colour from.
REFERENCES: Key[tuple[Image, ...]] = Key(
    "references",
    "photographs to take colour from",
    check=f"{_HERE}:check_references",
    read="oldfix.files.given:read_references",
)
#: Files of colour photographs among which references are to be found.
LIBRARY: Key[tuple[Path, ...]] = Key(
    "library",
    "files of photographs among which references are found",
    check=f"{_HERE}:check_library",
    read="oldfix.files.given:read_library",
)
#: Keys that the host knows; a plugin's keys come from its stages' declarations.
BUILT_IN_KEYS: tuple[Key[Any], ...] = (IMAGE, DEFECTS, FACES, REFERENCES, LIBRARY)
