"""The refiner's network: its sizes, its files and the training of its head."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from oldfix import WeightsError, compat, read_network, write_network
from oldfix.testing import count_parameters
from oldfix.training import PhotoPool
from oldfix_faces import RefineOptions, parser_net
from oldfix_faces.refiner_net import (
    FaceRefiner,
    build,
    config_small,
    load,
    load_checkpoint,
    load_published,
    tiny,
)
from oldfix_faces.refiner_task import RefinerTask, window

PUBLISHED_SMALL = {
    "out_size": 64,
    "num_style_feat": 16,
    "channel_multiplier": 2,
    "decoder_load_path": None,
    "fix_decoder": False,
    "num_mlp": 2,
    "input_is_latent": True,
    "different_w": True,
    "narrow": 0.0625,
    "sft_half": True,
}


def test_the_network_is_gfpgans() -> None:
    arguments = PUBLISHED_SMALL
    torch.manual_seed(1)
    plain = compat.load("gfpgan.archs.gfpganv1_clean_arch:GFPGANv1Clean")(**arguments).eval()
    net = FaceRefiner(residual=False, **arguments).eval()
    net.gfpgan.load_state_dict(plain.state_dict())
    net = net.to(memory_format=torch.channels_last)
    faces = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        image, sides = plain(faces * 2 - 1, randomize_noise=False)
        wanted = ((image + 1) / 2).clamp(0, 1)
        got = net(faces.contiguous(memory_format=torch.channels_last))
        pyramid = net.pyramid(faces)
    np.testing.assert_allclose((faces + got).numpy(), wanted.numpy(), atol=1e-4)
    for mine, theirs in zip(pyramid, sides, strict=False):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=1e-4)


@pytest.mark.parametrize("detail", [(), (8, 8)])
def test_a_residual_network_starts_as_the_identity(detail: tuple[int, ...]) -> None:
    small = {**PUBLISHED_SMALL, "out_size": 32 if detail else 128}
    net = build({"residual": True, "detail": detail, **small}).eval()
    assert net.size == 128
    with torch.no_grad():
        assert float(net(torch.rand(1, 3, 128, 128)).abs().max()) == 0


def test_parser_files_in_the_published_layout_load(tmp_path: Any) -> None:
    arguments = parser_net.tiny_arguments()
    plain = compat.load("facexlib.parsing.parsenet:ParseNet")(**arguments).eval()
    path = tmp_path / "parsing.pth"
    torch.save(plain.state_dict(), path)
    net = parser_net.load_checkpoint(path, arguments)
    faces = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        classes = plain(faces * 2 - 1)[0].argmax(dim=1)
        probability = net(faces)[:, 0]
    assert probability.shape == classes.shape
    face = (classes >= 1) & (classes <= 13) | (classes == 15)
    assert bool((probability[face] > 0.05).all())
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match=r"parsing\.pth.*pull it again"):
        parser_net.load_published(path)


def test_files_in_the_published_layout_load(tmp_path: Any) -> None:
    torch.manual_seed(2)
    plain = compat.load("gfpgan.archs.gfpganv1_clean_arch:GFPGANv1Clean")(**PUBLISHED_SMALL)
    path = tmp_path / "GFPGANsmall.pth"
    torch.save({"params_ema": plain.state_dict()}, path)
    net = load_checkpoint(path, PUBLISHED_SMALL)
    assert not net.residual
    for name, value in plain.state_dict().items():
        assert torch.equal(net.gfpgan.state_dict()[name], value), name


def test_other_files_are_refused_with_a_cure(tmp_path: Any) -> None:
    path = tmp_path / "wrong.pth"
    torch.save({"params_ema": {"weight": torch.zeros(2)}}, path)
    with pytest.raises(WeightsError, match=r"wrong\.pth.*pull it again"):
        load_published(path)
    torch.save({"params_ema": {}, "code": RefineOptions}, path)
    with pytest.raises(WeightsError, match=r"wrong\.pth"):
        load_checkpoint(path, PUBLISHED_SMALL)


def test_networks_are_written_and_read(tmp_path: Any) -> None:
    net = tiny().eval()
    path = tmp_path / "net.safetensors"
    config = {"detail": [8, 8], "out_size": 32, "num_style_feat": 8, "narrow": 0.03125}
    write_network(path, net, config={**config_small(), **config})
    assert read_network(path)[0]["out_size"] == 32
    faces = torch.rand(1, 3, 128, 128)
    with torch.no_grad():
        assert float((load(path).eval()(faces) - net(faces)).abs().max()) < 0.02


def test_the_small_network_stays_small() -> None:
    assert count_parameters(build(config_small())) <= 8_000_000


def test_finishing_trains_the_head_alone_within_the_face() -> None:
    rng = np.random.default_rng(0)
    faces = tuple((str(i), rng.integers(0, 256, (128, 128, 3), np.uint8)) for i in range(20))
    net = tiny()
    task = RefinerTask(PhotoPool((faces,)), net, part="finish")
    start = {name: value.clone() for name, value in net.named_parameters()}
    damaged, target = (
        torch.from_numpy(np.stack(column)).permute(0, 3, 1, 2) / 255.0
        for column in zip(*(task.sample(rng) for _ in range(2)), strict=True)
    )
    loss, figures = task.loss(net, (damaged, target))
    loss.backward()
    torch.optim.SGD(net.parameters(), lr=0.01).step()
    changed = {n.split(".")[0] for n, p in net.named_parameters() if not torch.equal(p, start[n])}
    assert changed == {"detail"}
    assert np.isfinite(float(figures["psnr"]))
    for size in (64, 128, 256):
        _, _, rows, columns = window(size)
        assert rows.stop - rows.start == columns.stop - columns.start
        assert rows.start % 16 == columns.start % 16 == 0
        assert max(rows.stop, columns.stop) <= size
        assert rows.start <= 0.45 * size <= rows.stop and columns.start <= size / 2 <= columns.stop
