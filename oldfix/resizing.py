"""How what a photograph holds follows the size of its image, and how large that may become."""

from __future__ import annotations

from typing import Any

from oldfix.errors import StageError
from oldfix.keys import Face


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


def check_enlargement(
    size: tuple[int, int], factor: int, *, max_megapixels: float, bytes_per_pixel: int
) -> None:
    """Refuse to make a picture that memory may not hold, before anything is computed.

    Args:
        size: (height, width) of the picture as it is.
        factor: how many times larger it shall be.
        max_megapixels: the option of the stage; the largest picture it may make.
        bytes_per_pixel: memory that the stage needs for each pixel of the larger picture.

    Raises:
        StageError: the picture would be larger.
    """
    height, width = (factor * side for side in size)
    megapixels = height * width / 1e6
    if megapixels > max_megapixels:
        raise StageError(
            f"would make {width} x {height} pixels, {megapixels:.3g} megapixels, and "
            f"max_megapixels is {max_megapixels:g}; set it higher if memory allows (it takes "
            f"about {bytes_per_pixel * megapixels / 1000:.2g} GB), or make the factor smaller"
        )
