"""Enlarging: the networks beside basicsr's, the stage, and what follows the picture's size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
import torch

from oldfix import (
    DEFECTS,
    FACES,
    IMAGE,
    Pipeline,
    Runner,
    StageError,
    Step,
    WeightsError,
    compat,
    discover,
    read_image,
)
from oldfix.testing import StageContract, TinyStore, example_photo, example_value
from oldfix_upscale import enlarger, faces
from oldfix_upscale.net import Compact, RRDBNet
from oldfix_upscale.stage import lanczos

CARDS = ("realesrgan-x4plus", "realesr-general-x4v3", "realesrgan-x2plus")


class TestUpscaleByACompactNetwork(StageContract):
    stage = "upscale"
    options: ClassVar = {"model": "realesr-general-x4v3"}


class TestUpscaleByDenseBlocks(StageContract):
    stage = "upscale"
    options: ClassVar = {"model": "realesrgan-x4plus", "factor": 4}


class TestUpscaleByLanczos(StageContract):
    stage = "upscale"
    options: ClassVar = {"model": "none"}


def run(photo: Any, *, tile: int | None = None, **options: Any) -> Any:
    plan = Pipeline((Step("upscale", options=options),)).plan(
        discover(), given=set(photo), store=TinyStore()
    )
    with Runner(device="cpu", precision="float32", tile=tile) as runner:
        return runner.run(plan, photo)


@pytest.mark.parametrize(
    ("mine", "theirs", "arguments"),
    [
        (
            lambda: Compact(8, 3, 4),
            "basicsr.archs.srvgg_arch:SRVGGNetCompact",
            {"num_feat": 8, "num_conv": 3, "upscale": 4, "act_type": "prelu"},
        ),
        *(
            (
                lambda factor=factor: RRDBNet(factor, width=8, blocks=2, growth=4),
                "basicsr.archs.rrdbnet_arch:RRDBNet",
                {
                    "num_in_ch": 3,
                    "num_out_ch": 3,
                    "num_feat": 8,
                    "num_block": 2,
                    "num_grow_ch": 4,
                    "scale": factor,
                },
            )
            for factor in (2, 4)
        ),
    ],
    ids=["compact", "dense x2", "dense x4"],
)
def test_the_networks_are_those_of_basicsr(mine: Any, theirs: str, arguments: Any) -> None:
    torch.manual_seed(0)
    published = compat.load(theirs)(**arguments).eval()
    net = mine().eval()
    net.load_state_dict(published.state_dict())
    image = torch.rand(2, 3, 14, 18)
    with torch.no_grad():
        torch.testing.assert_close(net(image), published(image), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("load", "theirs", "arguments"),
    [
        (
            enlarger.load_general,
            "basicsr.archs.srvgg_arch:SRVGGNetCompact",
            {"num_feat": 64, "num_conv": 32, "upscale": 4, "act_type": "prelu"},
        ),
        *(
            (
                load,
                "basicsr.archs.rrdbnet_arch:RRDBNet",
                {"num_in_ch": 3, "num_out_ch": 3, "num_block": 23, "scale": factor},
            )
            for load, factor in ((enlarger.load_x2, 2), (enlarger.load_x4, 4))
        ),
    ],
    ids=["general", "x2plus", "x4plus"],
)
def test_files_in_the_published_layout_load(
    load: Any, theirs: str, arguments: Any, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    published = compat.load(theirs)(**arguments)
    path = tmp_path / "published.pth"
    key = "params" if "srvgg" in theirs else "params_ema"
    torch.save({key: published.state_dict()}, path)
    for name, value in load(path).net.state_dict().items():
        assert torch.equal(value, published.state_dict()[name]), name
    torch.save({"params_ema": {"weight": torch.zeros(2)}}, path)
    with pytest.raises(WeightsError, match=r"published\.pth.*pull it again"):
        load(path)


def test_twice_is_the_mean_of_four_times() -> None:
    net = enlarger.tiny_general().eval()
    image = torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        large, half = net.four_times(image), net.twice(image)
    torch.testing.assert_close(half[0, :, 0, 0], large[0, :, :2, :2].mean(dim=(1, 2)))
    assert half.shape == (1, 3, 18, 14)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("model", [*CARDS, "none"])
def test_what_hangs_on_the_picture_follows_its_size(model: str, factor: int) -> None:
    if (model, factor) == ("realesrgan-x2plus", 4):
        pytest.skip("enlarges twice only")
    photo = example_photo(40, 30)
    for key in (DEFECTS, FACES):
        photo = photo.put(key, example_value(key, photo))
    alpha = np.linspace(0, 1, 1200, dtype=np.float32).reshape(40, 30)
    after = run(photo.with_meta(replace(photo.meta, alpha=alpha)), model=model, factor=factor)
    assert after.size == (40 * factor, 30 * factor)
    assert after[DEFECTS].shape == after.meta.alpha.shape == after.size
    np.testing.assert_allclose(
        after[FACES][0].points, (photo[FACES][0].points + 0.5) * factor - 0.5, atol=1e-4
    )
    method = "Lanczos" if model == "none" else model
    assert after.history[0]["notes"]["method"] == method


def test_lanczos_is_opencvs_held_in_range() -> None:
    image = np.zeros((8, 8, 3), np.float32)
    image[:, 4:] = 1
    raw = cv2.resize(image, (16, 16), interpolation=cv2.INTER_LANCZOS4)
    assert raw.max() > 1.01  # it rings
    np.testing.assert_array_equal(lanczos(image, 2), np.clip(raw, 0, 1))


def test_refuses_what_it_cannot_do_before_it_starts() -> None:
    with pytest.raises(StageError, match=r"80 x 120 pixels, 0.0096 megapixels.*set it higher"):
        run(example_photo(60, 40), model="none", max_megapixels=0.005)
    with pytest.raises(StageError, match=r"realesrgan-x2plus: cannot enlarge 4 times.*factor = 2"):
        run(example_photo(60, 40), model="realesrgan-x2plus", factor=4)


@pytest.mark.real_weights
def test_the_published_file_gives_what_basicsrs_network_gives(shared: Path) -> None:
    file = shared / "weights/restore/realesr-general-x4v3_fp16.pth"
    if not file.is_file():
        pytest.skip("no realesr-general-x4v3 beside the repository")
    kind = compat.load("basicsr.archs.srvgg_arch:SRVGGNetCompact")
    published = kind(num_feat=64, num_conv=32, upscale=4, act_type="prelu")
    published.load_state_dict(torch.load(file, weights_only=True)["params"])
    picture = read_image(next((shared / "data/eval/Kodak24").iterdir()))[200:296, 100:228]
    image = torch.from_numpy(picture.transpose(2, 0, 1)[None].copy())
    net = enlarger.load_general(file).eval()
    with torch.no_grad():
        wanted, got = published.eval()(image).clamp(0, 1), net.four_times(image)
    torch.testing.assert_close(got, wanted, rtol=0, atol=1e-6)
    # It is the network that was meant: shrunk and enlarged again, edges come back nearer to as
    # sharp as they were than by Lanczos. (Its pixels do not: it was trained to look sharp.)
    small = cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        back = net.four_times(torch.from_numpy(small.transpose(2, 0, 1)[None].copy()))

    def sharpness(other: Any) -> float:
        return float(np.abs(np.diff(other, axis=1)).mean())

    enlarged = back[0].permute(1, 2, 0).numpy()
    assert 1.05 * sharpness(lanczos(small, 4)) < sharpness(enlarged) < 1.2 * sharpness(picture)


def test_faces_that_were_found_can_be_spared() -> None:
    photo = example_photo(80, 60)
    photo = photo.put(FACES, example_value(FACES, photo))
    without = run(photo, model="realesr-general-x4v3")[IMAGE]
    after = run(photo, model="realesr-general-x4v3", spare_faces=True)
    plain = lanczos(photo[IMAGE], 2)
    x, y = (after[FACES][0].points[2]).astype(int)
    np.testing.assert_allclose(after[IMAGE][y, x], plain[y, x], atol=1e-6)
    np.testing.assert_array_equal(after[IMAGE][:8, :8], without[:8, :8])
    assert np.abs(without[y, x] - plain[y, x]).max() > 0.01
    assert after.history[0]["notes"]["spared_faces"] == 1


def test_the_spared_ellipse_turns_with_the_face() -> None:
    upright = np.array([[40, 40], [60, 40], [50, 52], [43, 62], [57, 62]], np.float32)
    turned = np.stack([100 - upright[:, 1], upright[:, 0]], axis=1)
    whole = slice(0, 101), slice(0, 101)
    first, second = faces.mask(upright, *whole), faces.mask(turned, *whole)
    np.testing.assert_allclose(np.rot90(first, -1), second, atol=1e-5)
    assert first[51, 50] == 1 and first[0, 0] == 0
    assert (first > 0.5).any(axis=0).sum() < (first > 0.5).any(axis=1).sum()  # taller than wide


def test_a_face_beyond_the_border_is_spared_as_far_as_it_goes() -> None:
    enlarged, plain = np.zeros((30, 30, 3), np.float32), np.ones((30, 30, 3), np.float32)
    points = np.array([[-6, 2], [4, 2], [-1, 8], [-4, 12], [2, 12]], np.float32)
    faces.spare(enlarged, plain, points)
    assert enlarged[5, 0, 0] == 1 and enlarged[29, 29, 0] == 0
    faces.spare(enlarged, plain, points - 500)
    faces.spare(enlarged, plain, np.zeros((5, 2), np.float32))
