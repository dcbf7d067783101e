"""inpaint-diffusion and upscale-diffusion: the stages, and the networks of our own behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

from oldfix import DEFECTS, FACES, IMAGE, Face, Photo, StageError, check_enlargement
from oldfix.errors import PipelineError
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import StageContract, TinyStore, example_photo


class TestInpaint(StageContract):
    stage = "inpaint-diffusion"


class TestInpaintInSteps(StageContract):
    stage = "inpaint-diffusion"
    options: ClassVar[Mapping[str, Any]] = {"steps": 3, "sampler": "indi"}
    sizes = ((31, 37),)


class TestUpscale(StageContract):
    stage = "upscale-diffusion"


class TestUpscaleFourTimes(StageContract):
    stage = "upscale-diffusion"
    options: ClassVar[Mapping[str, Any]] = {"factor": 4, "steps": 2}
    sizes = ((31, 37),)


class PublishedContract(StageContract):
    """The contract with random pipelines of the published kind, which choose their own windows."""

    sizes = ((1, 1), (31, 37))

    @pytest.fixture(autouse=True)
    def _needs_diffusers(self) -> None:
        pytest.importorskip("diffusers")

    def test_tiles_agree_with_the_whole(self, spec: Any, plan: Any) -> None:  # type: ignore[override]
        photo = self.photo(spec, 40, 24)
        tiled, whole = self.run(plan, photo, tile=64), self.run(plan, photo, tile=4096)
        np.testing.assert_array_equal(tiled[IMAGE], whole[IMAGE])


class TestPublishedInpainting(PublishedContract):
    stage = "inpaint-diffusion"
    options: ClassVar[Mapping[str, Any]] = {"model": "sd-1.5-inpainting", "steps": 2}


class TestPublishedUpscaling(PublishedContract):
    stage = "upscale-diffusion"
    options: ClassVar[Mapping[str, Any]] = {"model": "ldm-sr-x4", "steps": 2, "scheduler": "ddpm"}


# --- the stages with tiny networks ------------------------------------------------------------


def run(photo: Photo, stage: str, **options: Any) -> Photo:
    """Run a stage on the cards' tiny networks."""
    plan = Pipeline((Step(stage, options=options),)).plan(
        discover(), given=set(photo), store=TinyStore()
    )
    with Runner(device="cpu", precision="float32") as runner:
        return runner.run(plan, photo)


def test_sound_pixels_stay_bit_for_bit() -> None:
    photo = example_photo(90, 70)
    mask = np.zeros((90, 70), np.float32)
    mask[20:24, 5:50], mask[50:80, 30:40], mask[85:, :8] = 1, 0.8, 0.5
    photo = photo.put(DEFECTS, mask)
    after = run(photo, "inpaint-diffusion")
    np.testing.assert_array_equal(after[IMAGE][mask <= 0.5], photo[IMAGE][mask <= 0.5])
    assert (after[IMAGE][mask > 0.5] != photo[IMAGE][mask > 0.5]).any()


def test_without_marks_the_photograph_passes() -> None:
    photo = example_photo(40, 40).put(DEFECTS, np.full((40, 40), 0.3, np.float32))
    after = run(photo, "inpaint-diffusion")
    assert after[IMAGE] is photo[IMAGE]
    assert after.history[0]["notes"] == {"marked": 0}


def test_where_everything_is_marked_the_photograph_passes_with_a_warning() -> None:
    photo = example_photo(40, 40).put(DEFECTS, np.ones((40, 40), np.float32))
    after = run(photo, "inpaint-diffusion")
    assert after[IMAGE] is photo[IMAGE]
    assert "every pixel is marked" in after.history[0]["warnings"][0]


def test_inpainting_asks_for_marks() -> None:
    pipeline = Pipeline((Step("inpaint-diffusion"),))
    with pytest.raises(PipelineError, match="needs 'defects'"):
        pipeline.plan(discover(), given={IMAGE}, store=TinyStore())


def test_what_lies_beneath_the_marks_does_not_matter() -> None:
    photo = example_photo(64, 64)
    mask = np.zeros((64, 64), np.float32)
    mask[20:30, 10:50] = 1
    white = photo.put(IMAGE, np.where(mask[..., None] > 0, np.float32(1), photo[IMAGE]))
    results = [run(p.put(DEFECTS, mask), "inpaint-diffusion")[IMAGE] for p in (photo, white)]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("factor", [2, 4])
def test_enlarging_takes_everything_along(factor: int) -> None:
    photo = example_photo(30, 41)
    mask = np.zeros((30, 41), np.float32)
    mask[10:12, 5:9] = 1
    points = np.array([[10, 10], [20, 10], [15, 15], [11, 20], [19, 20]], np.float32)
    photo = photo.put(DEFECTS, mask).put(FACES, (Face((5, 5, 25, 25), 0.9, points),))
    after = run(photo, "upscale-diffusion", factor=factor)
    assert after.size == (30 * factor, 41 * factor)
    assert after[DEFECTS].shape == after.size
    assert after[DEFECTS][11 * factor, 7 * factor] == 1
    np.testing.assert_allclose(after[FACES][0].points, (points + 0.5) * factor - 0.5, atol=1e-4)


@pytest.mark.parametrize("model", ["auto", "ldm-sr-x4"])
def test_a_picture_too_large_for_memory_is_refused_before_weights_are_opened(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: object) -> None:
        raise AssertionError("weights were opened")

    monkeypatch.setattr("oldfix.runner.StepContext.model", opened)
    photo, how = example_photo(60, 40), {"factor": 4, "max_megapixels": 0.038}
    with pytest.raises(
        StageError, match=r"160 x 240 pixels, 0\.0384 megapixels.*0\.038; set it higher.*smaller"
    ):
        run(photo, "upscale-diffusion", model=model, **how)


def test_a_scan_of_24_megapixels_may_be_enlarged_twice_and_not_four_times() -> None:
    most = discover().stages["upscale-diffusion"].options().max_megapixels
    check_enlargement((4000, 6000), 2, max_megapixels=most, bytes_per_pixel=70)
    with pytest.raises(StageError, match="it takes about 27 GB"):
        check_enlargement((4000, 6000), 4, max_megapixels=most, bytes_per_pixel=70)


def test_a_picture_of_just_the_size_allowed_is_made() -> None:
    after = run(example_photo(60, 40), "upscale-diffusion", max_megapixels=0.0096)
    assert after.size == (120, 80)


def test_three_times_larger_is_refused() -> None:
    pipeline = Pipeline((Step("upscale-diffusion", options={"factor": 3}),))
    with pytest.raises(PipelineError, match="factor"):
        pipeline.plan(discover(), store=TinyStore())
