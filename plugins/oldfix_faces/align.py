"""Where a face lies in its photograph: the template, the similarity to it, and warps both ways.

Points are (x, y) in pixels, pixel centres at integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Where the five landmarks lie in an aligned face of 512 pixels (FFHQ, as facexlib's
#: face_restoration_helper has them).
TEMPLATE_512 = np.array(
    [
        [192.98138, 239.94708],
        [318.90277, 240.1936],
        [256.63416, 314.01935],
        [201.26117, 371.41043],
        [313.08905, 371.15118],
    ],
    np.float64,
)

#: Each landmark of a mirrored face is this one of the face.
MIRRORED = [1, 0, 2, 4, 3]


def template(size: int) -> NDArray[np.float64]:
    """Return the five landmarks of an aligned face of ``size`` pixels, (5, 2)."""
    return (TEMPLATE_512 + 0.5) * (size / 512) - 0.5


@dataclass(frozen=True)
class Alignment:
    """The similarity from a photograph to an aligned crop.

    Attributes:
        matrix: (2, 3) float64; crop point = matrix @ (x, y, 1).
        size: width and height of the crop, in pixels.
    """

    matrix: NDArray[np.float64]
    size: int

    @property
    def scale(self) -> float:
        """Crop pixels per photograph pixel."""
        return float(np.hypot(self.matrix[0, 0], self.matrix[1, 0]))

    @property
    def inverse(self) -> NDArray[np.float64]:
        """The (2, 3) matrix from the crop to the photograph."""
        return np.asarray(cv2.invertAffineTransform(self.matrix), np.float64)

    def to_crop(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Carry (N, 2) points of the photograph into the crop."""
        return np.asarray(points, np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def to_photo(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Carry (N, 2) points of the crop into the photograph."""
        inverse = self.inverse
        return np.asarray(points, np.float64) @ inverse[:, :2].T + inverse[:, 2]


def align(points: NDArray[np.floating], size: int) -> Alignment:
    """Find the similarity that best carries five landmarks onto the template.

    Least squares over rotation, one scale and translation, without reflection (Umeyama, "Least-
    squares estimation of transformation parameters between two point patterns", PAMI 1991), in
    complex numbers: crop = a * photo + b.

    Args:
        points: (5, 2) landmarks in the photograph.
        size: width and height of the crop, in pixels.

    Raises:
        ValueError: the landmarks coincide.
    """
    source = np.asarray(points, np.float64) @ np.array([1, 1j])
    target = template(size) @ np.array([1, 1j])
    centred, goal = source - source.mean(), target - target.mean()
    spread = np.vdot(centred, centred).real
    if spread < 1e-6:
        raise ValueError(f"the five landmarks coincide at {points[0]}")
    a = np.vdot(centred, goal) / spread
    b = target.mean() - a * source.mean()
    return Alignment(np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]]), size)


def on_grid(alignment: Alignment) -> Alignment:
    """Return a crop that nearly lies on the pixels of its photograph on them, others as they are.

    A photograph that is an aligned face already need not be interpolated, which blurs; no
    landmark is known to a pixel.
    """
    ends = corners(alignment.size)
    offsets = alignment.to_photo(ends) - ends
    shift = np.round(offsets.mean(axis=0))
    if float(np.abs(offsets - shift).max()) >= 1:
        return alignment
    return Alignment(np.array([[1, 0, -shift[0]], [0, 1, -shift[1]]]), alignment.size)


@dataclass(frozen=True)
class Box:
    """A rectangle of whole pixels of a photograph: rows top to bottom, columns left to right."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the rectangle in an array (H, W, ...)."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.bottom <= self.top or self.right <= self.left


def box_around(points: NDArray[np.floating], size: tuple[int, int], margin: float = 1) -> Box:
    """Return the smallest box around (N, 2) points and a margin, inside (height, width)."""
    low = np.floor(points.min(axis=0) - margin).astype(int)
    high = np.ceil(points.max(axis=0) + margin).astype(int) + 1
    return Box(
        max(0, int(low[1])),
        min(size[0], int(high[1])),
        max(0, int(low[0])),
        min(size[1], int(high[0])),
    )


def corners(size: int) -> NDArray[np.float64]:
    """Return the centres of the four corner pixels of a crop, (4, 2)."""
    end = size - 1.0
    return np.array([[0, 0], [end, 0], [end, end], [0, end]])


def crop_face(image: Array, alignment: Alignment) -> Array:
    """Cut the aligned crop out of a photograph; outside the photograph its border is mirrored.

    Reads only the part of the photograph that the crop covers. A face larger than the crop is
    averaged down first, so nothing aliases.

    Args:
        image: (H, W, C) or (H, W) float32. Not modified.
        alignment: from `align`.

    Returns:
        (size, size, C) float32, or (size, size).
    """
    box = box_around(alignment.to_photo(corners(alignment.size)), image.shape[:2], margin=8)
    if box.empty:
        raise ValueError("the face lies outside the photograph")
    region = image[box.slices]
    shrink = min(1.0, alignment.scale)
    region, matrix = _averaged(region, shifted(alignment.matrix, box.left, box.top), shrink)
    size = (alignment.size, alignment.size)
    warped = cv2.warpAffine(
        np.ascontiguousarray(region),
        matrix,
        size,
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    return np.asarray(warped, np.float32)


def uncrop(crop: Array, alignment: Alignment, box: Box) -> Array:
    """Carry an array of the crop back onto a box of the photograph; zero outside the crop.

    Args:
        crop: (size, size, C) or (size, size) float32.
        alignment: from `align`.
        box: where in the photograph.

    Returns:
        (bottom - top, right - left, C) float32, or without C.
    """
    inverse = alignment.inverse
    shrink = min(1.0, 1 / alignment.scale)
    if shrink < 1:  # the photograph is coarser than the crop: blur what it cannot carry
        crop = cv2.GaussianBlur(crop, (0, 0), 0.5 * np.sqrt(max(shrink**-2 - 1, 1e-6)))
    inverse = inverse.copy()
    inverse[:, 2] -= (box.left, box.top)
    size = (box.right - box.left, box.bottom - box.top)
    warped = cv2.warpAffine(crop, inverse, size, flags=cv2.INTER_CUBIC)
    return np.asarray(warped, np.float32)


def shifted(matrix: NDArray[np.float64], left: float, top: float) -> NDArray[np.float64]:
    """Return a matrix that takes points counted from (left, top) instead of from (0, 0)."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (left, top)
    return moved


def _averaged(
    region: Array, matrix: NDArray[np.float64], shrink: float
) -> tuple[Array, NDArray[np.float64]]:
    """Scale a region down by area average to about the crop's scale, and its matrix with it."""
    if shrink > 0.75:
        return region, matrix
    height, width = region.shape[:2]
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(np.ascontiguousarray(region), size, interpolation=cv2.INTER_AREA)
    factors = np.array([width / size[0], height / size[1]])
    scaled = matrix.copy()
    scaled[:, :2] = matrix[:, :2] * factors
    scaled[:, 2] = matrix[:, 2] + matrix[:, :2] @ (0.5 * factors - 0.5)
    return np.asarray(small, np.float32), scaled
