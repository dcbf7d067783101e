"""What flows through a pipeline: an immutable photograph under typed keys, see `oldfix.keys`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar, cast, overload

from oldfix.keys import IMAGE, Key, check_image

T = TypeVar("T")
D = TypeVar("D")


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
