"""A sound photograph comes back nearly unchanged."""

from __future__ import annotations

import numpy as np
import pytest

from oldfix import IMAGE, Photo, Runner, discover, preset
from oldfix.evaluation.metrics import psnr, ssim


@pytest.mark.parametrize("picture", ["astronaut", "chelsea", "coffee"])
def test_a_sound_photograph_passes(picture: str) -> None:
    import skimage.data

    sound = getattr(skimage.data, picture)()[40:296, 100:356]
    photo = Photo.from_array(np.ascontiguousarray(sound))
    plan = preset(faces=True).plan(discover())
    with Runner(device="cpu") as runner:
        restored = runner.run(plan, photo)[IMAGE]
    assert psnr(restored, photo[IMAGE]) >= 36
    assert ssim(restored, photo[IMAGE]) >= 0.97
