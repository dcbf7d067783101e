"""What flows through a pipeline: an immutable photograph under typed keys.

Conventions between stages, always: numpy float32, ``(H, W, 3)``, RGB, ``[0, 1]``, sRGB-encoded,
read-only. Masks are ``(H, W)`` float32 in ``[0, 1]`` with 1 = damaged. Points and boxes are
``(x, y)`` in pixels of the current image, pixel centres at integers. A grey photograph has three
equal channels.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.float32]
    Mask = NDArray[np.float32]

T = TypeVar("T")
D = TypeVar("D")


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


@dataclass(frozen=True)
class Meta:
    """What a file says besides its pixels, carried from input to output.

    Attributes:
        source: path of the file, or a name for photographs made in memory.
        format: "JPEG", "PNG", "TIFF", "WEBP" or "" (in memory).
        bits: 8 or 16 bits a channel.
        grey: the source has one channel; the output too, unless a step produces colour.
        alpha: ``(H, W)`` float32 in [0, 1], or None; follows the size of the image.
        icc, exif, dpi: the file's colour profile, metadata and resolution, or None.
        extra: the file module's own notes (for example the pixels before conversion to sRGB).
    """

    source: str = "memory"
    format: str = ""
    bits: int = 8
    grey: bool = False
    alpha: Any = None
    icc: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "alpha", _freeze(self.alpha))


class Photo:
    """An immutable map from `Key` to value, with the file's `Meta` and a history of steps."""

    __slots__ = ("_values", "history", "meta")

    def __init__(
        self,
        values: Mapping[Key[Any], Any] | None = None,
        *,
        meta: Meta | None = None,
        history: tuple[Mapping[str, Any], ...] = (),
    ) -> None:
        self._values = MappingProxyType({k: _freeze(v) for k, v in (values or {}).items()})
        self.meta = meta or Meta()
        self.history = history

    @classmethod
    def from_array(cls, image: Any, **meta: Any) -> Photo:
        """Make a photograph from an array ``(H, W)`` or ``(H, W, 3)``, RGB.

        Args:
            image: float in [0, 1], or uint8, or uint16. Not modified.
            meta: fields of `Meta`.

        Raises:
            ValueError: another shape or type, or values outside [0, 1].
        """
        import numpy as np

        array = np.asarray(image)
        scale = {"uint8": 255.0, "uint16": 65535.0}.get(array.dtype.name, 1.0)
        grey = array.ndim == 2
        if grey:
            array = np.repeat(array[..., None], 3, axis=2)
        value = np.ascontiguousarray(array, dtype=np.float32) / np.float32(scale)
        check_image(value)
        bits = 16 if scale == 65535.0 else 8
        return cls({IMAGE: value}, meta=Meta(**{"grey": grey, "bits": bits, **meta}))

    def __getitem__(self, key: Key[T]) -> T:
        try:
            return cast(T, self._values[key])
        except KeyError:
            raise KeyError(f"{self.meta.source}: has no '{key.name}'") from None

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[Key[Any]]:
        return iter(self._values)

    @overload
    def get(self, key: Key[T]) -> T | None: ...
    @overload
    def get(self, key: Key[T], default: D) -> T | D: ...
    def get(self, key: Key[Any], default: Any = None) -> Any:
        """Return the value of ``key``, or ``default``."""
        return self._values.get(key, default)

    def put(self, key: Key[T], value: T) -> Photo:
        """Return a photograph with ``key`` set; arrays are made read-only, not copied."""
        return Photo({**self._values, key: value}, meta=self.meta, history=self.history)

    def without(self, key: Key[Any]) -> Photo:
        """Return a photograph without ``key``."""
        values = {k: v for k, v in self._values.items() if k is not key}
        return Photo(values, meta=self.meta, history=self.history)

    def record(self, entry: Mapping[str, Any]) -> Photo:
        """Return a photograph with one more entry in its history."""
        return Photo(self._values, meta=self.meta, history=(*self.history, dict(entry)))

    def with_meta(self, meta: Meta) -> Photo:
        """Return a photograph with other metadata."""
        return Photo(self._values, meta=meta, history=self.history)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image in pixels."""
        height, width = self[IMAGE].shape[:2]
        return int(height), int(width)

    def __repr__(self) -> str:
        return f"Photo({self.meta.source!r}, {', '.join(key.name for key in self)})"


def _freeze(value: Any) -> Any:
    """Make an array (or each array of a tuple) read-only; a writable view is copied first."""
    if type(value) is tuple:
        frozen = tuple(_freeze(item) for item in value)
        same = all(new is old for new, old in zip(frozen, value, strict=True))
        return value if same else frozen  # an untouched value keeps its identity
    if type(value).__module__ == "numpy" and hasattr(value, "flags") and value.flags.writeable:
        if value.base is not None:
            value = value.copy()
        value.flags.writeable = False
    return value


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


def resize_mask(value: Any, old: tuple[int, int], new: tuple[int, int]) -> Any:
    """Scale a mask; a damaged pixel stays damaged when the picture shrinks."""
    import cv2
    import numpy as np

    shrinking = new[0] * new[1] < old[0] * old[1]
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    scaled = cv2.resize(value, (new[1], new[0]), interpolation=how)
    return np.clip(np.ceil(scaled) if shrinking else scaled, 0, 1).astype(np.float32)


def resize_alpha(alpha: Any, new: tuple[int, int]) -> Any:
    """Scale an alpha channel to (height, width)."""
    import cv2

    shrinking = new[0] * new[1] < alpha.size
    how = cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR
    return cv2.resize(alpha, (new[1], new[0]), interpolation=how)


def resize_faces(value: Any, old: tuple[int, int], new: tuple[int, int]) -> Any:
    """Scale boxes and landmarks; pixel centres lie at integers."""
    import numpy as np

    scale = np.array([new[1] / old[1], new[0] / old[0]], np.float32)

    def move(points: Any) -> Any:
        return ((np.asarray(points, np.float32) + 0.5) * scale - 0.5).astype(np.float32)

    def scaled(face: Face) -> Face:
        x0, y0, x1, y1 = move(np.reshape(face.box, (2, 2))).ravel().tolist()
        return Face((x0, y0, x1, y1), face.score, move(face.points))

    return tuple(scaled(face) for face in value)


_HERE = __name__
#: The picture itself.
IMAGE: Key[Image] = Key("image", "the picture", check=f"{_HERE}:check_image")
#: Probability or mark of damage, 1 = damaged.
DEFECTS: Key[Mask] = Key(
    "defects",
    "damaged pixels, 1 = damaged",
    check=f"{_HERE}:check_mask",
    resize=f"{_HERE}:resize_mask",
    read="oldfix.files.given:read_mask",
)
#: Detected faces, largest first.
FACES: Key[tuple[Face, ...]] = Key(
    "faces",
    "detected faces with box, score and five landmarks",
    check=f"{_HERE}:check_faces",
    resize=f"{_HERE}:resize_faces",
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
