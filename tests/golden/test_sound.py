"""A sound photograph comes back nearly unchanged.

What it loses, it loses where thin bright things are taken for scratches; without that step nothing
is invented.
"""

from __future__ import annotations

import numpy as np
import pytest

from oldfix import IMAGE, Photo, Runner, discover, preset
from oldfix.evaluation.metrics import psnr, ssim

#: Least PSNR in dB through the whole chain without colour; raise them as the detector improves.
FLOORS = {"astronaut": 32.0, "chelsea": 36.0}


def restored(photo: Photo, **switches: bool) -> np.ndarray:
    plan = preset(faces=True, **switches).plan(discover())
    with Runner(device="cpu") as runner:
        return runner.run(plan, photo)[IMAGE]


def sound_photo(picture: str) -> Photo:
    import skimage.data

    return Photo.from_array(np.ascontiguousarray(getattr(skimage.data, picture)()[40:296, 100:356]))


@pytest.mark.parametrize("picture", FLOORS)
def test_a_sound_photograph_passes(picture: str) -> None:
    photo = sound_photo(picture)
    result = restored(photo)
    assert psnr(result, photo[IMAGE]) >= FLOORS[picture]
    assert ssim(result, photo[IMAGE]) >= 0.97


@pytest.mark.parametrize("picture", [*FLOORS, "coffee"])
def test_without_marks_less_than_a_jpeg_is_lost(picture: str) -> None:
    photo = sound_photo(picture)
    result = restored(photo, scratches=False)
    assert psnr(result, photo[IMAGE]) >= 40
    assert ssim(result, photo[IMAGE]) >= 0.98
