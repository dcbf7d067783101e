"""Small pictures through the shipped networks, compared with what they gave when last looked at.

``pytest tests/golden --update-golden`` writes them anew: look at them before committing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from oldfix import DEFECTS, IMAGE, Photo, Pipeline, Runner, discover, preset
from oldfix.degrade import age

HERE = Path(__file__).parent
#: Other processors round differently; more than this is another picture.
MEAN_ERROR, LARGE_ERROR, LARGE_SHARE = 1.0 / 255, 12.0 / 255, 0.005
CHAINS = {
    "classical": Pipeline.of("detect-scratches-classical", "fill-defects-classical"),
    "preset": preset(faces=True, colorize=True),
}


@pytest.fixture(scope="module")
def aged() -> Photo:
    from skimage.data import astronaut

    portrait = np.ascontiguousarray(astronaut()[0:192, 128:320]).astype(np.float32) / 255
    image = age(portrait, rng=np.random.default_rng(4), recipe="demo").image
    return Photo.from_array(image, source="astronaut")


@pytest.mark.parametrize("name", CHAINS)
def test_gives_what_it_gave(name: str, aged: Photo, request: pytest.FixtureRequest) -> None:
    plan = CHAINS[name].plan(discover())
    with Runner(device="cpu", precision="float32", seed=1) as runner:
        result = runner.run(plan, aged)
    found = np.concatenate(
        [result[IMAGE], np.repeat(result[DEFECTS][..., None], 3, axis=2)], axis=1
    )
    path = HERE / f"{name}.png"
    if request.config.getoption("--update-golden"):
        Image.fromarray(np.round(found * 255).astype(np.uint8)).save(path)
    expected = np.asarray(Image.open(path), np.float32) / 255
    error = np.abs(found - expected)
    histogram = np.histogram(error * 255, bins=[0, 1, 2, 4, 8, 16, 32, 256])
    assert error.mean() <= MEAN_ERROR, histogram
    assert (error > LARGE_ERROR).mean() <= LARGE_SHARE, histogram
