"""GFP-GAN as published: modulation, components, losses, judges by card, damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from oldfix import WeightsCard, WeightsError, compat
from oldfix.degrade import load_recipe
from oldfix.training import PhotoPool
from oldfix_faces import judges, published_losses as losses
from oldfix_faces.components import component_boxes, regions
from oldfix_faces.games import start_near_identity
from oldfix_faces.published_task import RestorationTask, scaled
from oldfix_faces.refiner_net import PUBLISHED, FaceRefiner

TINY = {
    **PUBLISHED,
    "out_size": 32,
    "num_style_feat": 8,
    "channel_multiplier": 1,
    "num_mlp": 1,
    "narrow": 1 / 32,
}


def refiner() -> FaceRefiner:
    torch.manual_seed(0)
    return FaceRefiner(residual=False, **TINY)


def pool(count: int = 20) -> PhotoPool:
    """Faces of a kind: a bright oval with two dark spots and a bar, differently lit."""
    y, x = np.mgrid[:192, :192].astype(np.float32) / 192 - 0.5
    faces = []
    for number in range(count):
        tone = 0.5 + 0.4 * np.sin(number + np.arange(3))
        oval = ((x / 0.36) ** 2 + (y / 0.45) ** 2 < 1)[..., None] * tone
        for spot in (-0.12, 0.12):
            oval[(x - spot) ** 2 + (y + 0.03) ** 2 < 0.002] = 0
        oval[(np.abs(x) < 0.1) & (np.abs(y - 0.22) < 0.02)] = (0.6, 0.1, 0.1)
        faces.append((f"{number:02d}", np.round(255 * oval).astype(np.uint8)))
    return PhotoPool((tuple(faces),))


# --- the network -----------------------------------------------------------------------------


def test_modulation_by_one_and_nought_changes_nothing() -> None:
    decoder = refiner().gfpgan.stylegan_decoder.eval()
    plain = compat.load("gfpgan.archs.stylegan2_clean_arch:StyleGAN2GeneratorClean")(
        32, num_style_feat=8, num_mlp=1, channel_multiplier=1, narrow=1 / 32
    ).eval()
    plain.load_state_dict(decoder.state_dict())
    style = torch.randn(2, 8)
    neutral: list[torch.Tensor] = []
    for size, conv in zip((8, 16, 32), decoder.style_convs[::2], strict=True):
        half = conv.modulated_conv.out_channels // 2
        neutral += [torch.ones(2, half, size, size), torch.zeros(2, half, size, size)]
    with torch.no_grad():
        wanted, _ = plain([style], randomize_noise=False)
        for conditions in (neutral, []):
            got, _ = decoder([style], conditions, randomize_noise=False)
            torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)


def test_modulation_leaves_half_of_the_channels_alone() -> None:
    decoder = refiner().gfpgan.stylegan_decoder.eval()
    seen: list[torch.Tensor] = []
    # What the second convolution of the first scale gets is what came out of the modulation.
    decoder.style_convs[1].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    style, half = torch.randn(1, 8), decoder.style_convs[0].modulated_conv.out_channels // 2
    scale, shift = torch.full((1, half, 8, 8), 3.0), torch.full((1, half, 8, 8), 0.25)
    with torch.no_grad():
        decoder([style], [], randomize_noise=False)
        decoder([style], [scale, shift], randomize_noise=False)
    before, after = seen
    assert torch.equal(after[:, :half], before[:, :half])
    torch.testing.assert_close(after[:, half:], 3.0 * before[:, half:] + 0.25)


def test_training_starts_from_a_modulation_that_does_nothing() -> None:
    net = refiner()
    start_near_identity(net)
    feature = torch.randn(1, net.gfpgan.condition_scale[0][0].in_channels, 8, 8)
    with torch.no_grad():
        assert bool((net.gfpgan.condition_scale[0](feature) == 1).all())
        assert bool((net.gfpgan.condition_shift[0](feature) == 0).all())


def test_basicsrs_operations_run_without_its_extensions() -> None:
    x, bias = torch.tensor([[[[1.0]], [[-2.0]]]]), torch.tensor([0.5, 1.0])
    layer = compat.load("basicsr.ops.fused_act:FusedLeakyReLU")(2)
    layer.bias.data = bias
    root = 2**0.5
    wanted = torch.tensor([[[[1.5 * root]], [[-0.2 * root]]]])
    torch.testing.assert_close(layer(x), wanted)
    judge = judges.face_judge(32, 1, 1 / 32)
    faces = torch.rand(4, 3, 32, 32, requires_grad=True)
    losses.r1(judge(faces), faces).backward()  # needs second derivatives
    assert all(p.grad is not None for name, p in judge.named_parameters() if "weight" in name)


@pytest.mark.parametrize(("up", "down", "pad"), [(1, 1, (2, 1)), (1, 2, (1, 1)), (2, 1, (2, 1))])
def test_resampling_is_basicsrs(up: int, down: int, pad: tuple[int, int]) -> None:
    basicsrs = compat.load("basicsr.ops.upfirdn2d.upfirdn2d:upfirdn2d_native")
    ours = compat.load("basicsr.archs.stylegan2_arch:upfirdn2d")
    x, kernel = torch.rand(2, 3, 9, 12, dtype=torch.double), torch.rand(4, 4, dtype=torch.double)
    wanted = basicsrs(x, kernel, up, up, down, down, *pad, *pad)
    torch.testing.assert_close(ours(x, kernel, up=up, down=down, pad=pad), wanted)


# --- components ------------------------------------------------------------------------------


def test_component_boxes_by_hand() -> None:
    boxes = component_boxes(512)
    # The template: eyes at (192.98, 239.95) and (318.90, 240.19), 125.92 apart; mouth corners at
    # (201.26, 371.41) and (313.09, 371.15). Sides: 80 / 126 and 120 / 126 of the eyes' distance.
    assert boxes["left_eye"] == pytest.approx((153.0, 199.97, 232.96, 279.92), abs=0.02)
    assert boxes["right_eye"] == pytest.approx((278.93, 200.22, 358.88, 280.17), abs=0.02)
    assert boxes["mouth"] == pytest.approx((197.21, 311.32, 317.14, 431.24), abs=0.02)
    half = component_boxes(256)["mouth"]
    assert half == pytest.approx([(edge + 0.5) / 2 - 0.5 for edge in boxes["mouth"]], abs=1e-6)


def test_regions_are_what_lies_in_their_boxes() -> None:
    y, x = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    ramps = torch.stack([x, y, x + y])[None].repeat(2, 1, 1, 1)
    cut = regions(ramps, {"square": (9.5, 19.5, 25.5, 35.5)})["square"]
    # Sixteen pixels from column 10 and row 20 on, taken where they lie.
    torch.testing.assert_close(cut, ramps[:, :, 20:36, 10:26], rtol=0, atol=1e-4)
    small = regions(ramps, component_boxes(64))
    assert small["left_eye"].shape == (2, 3, 10, 10) and small["mouth"].shape == (2, 3, 15, 15)


def test_gram_by_hand() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])  # two channels of 1 x 2
    # F F^T = [[5, 1], [1, 10]], over C H W = 4.
    torch.testing.assert_close(losses.gram(features), torch.tensor([[[1.25, 0.25], [0.25, 2.5]]]))


def test_feature_style_by_hand() -> None:
    ones, zeros = torch.ones(1, 1, 1, 2, requires_grad=True), torch.zeros(1, 1, 1, 2)
    true = zeros.clone().requires_grad_(True)
    # Gram of ones is 1, of zeros 0: 0.5 * 1 for the first layer, 1 for the second.
    loss = losses.feature_style([ones, ones], [true, true])
    assert loss.item() == pytest.approx(1.5)
    loss.backward()
    assert ones.grad is not None and true.grad is None


def test_pyramid_by_hand() -> None:
    target = torch.ones(1, 3, 32, 32)
    sides = [
        torch.full((1, 3, size, size), value) for size, value in ((8, 0.5), (16, 1.0), (32, 3.0))
    ]
    assert float(losses.pyramid(sides, target)) == pytest.approx(2.5)


def test_adversarial_terms_by_hand() -> None:
    scores = torch.tensor([0.0, 2.0])
    softplus = np.log1p(np.exp([0.0, -2.0])).mean()
    assert float(losses.adversarial()(scores, True)) == pytest.approx(softplus)
    assert float(losses.component_adversarial()(scores, True)) == pytest.approx(softplus)
    x = torch.tensor([[3.0, 4.0]], requires_grad=True)
    assert losses.r1((x**2).sum(dim=1), x).item() == pytest.approx(6.0**2 + 8.0**2)


def test_identity_sees_grey_of_128_pixels() -> None:
    red = torch.zeros(1, 3, 40, 40)
    red[:, 0] = 1
    grey = losses.grey_for_identity(red)
    assert grey.shape == (1, 1, 128, 128)
    assert float(grey.mean()) == pytest.approx(0.2989)


# --- networks by card ------------------------------------------------------------------------


def card_of(path: Path, monkeypatch: Any) -> WeightsCard:
    """Install an identity network with a card of its own."""
    import hashlib

    data = path.read_bytes()
    card = WeightsCard(
        id="arcface-test",
        role=judges.IDENTITY,
        file=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        bytes=len(data),
        licence="none",
        source="made for a test",
        load="oldfix_faces.judges:load_arcface",
        tiny="oldfix_faces.refiner_net:tiny",
        limits="random",
    )
    monkeypatch.setenv("OLDFIX_WEIGHTS", str(path.parent))
    monkeypatch.setattr(judges, "discover", lambda: type("R", (), {"cards": {card.id: card}}))
    return card


def test_without_an_identity_network_the_term_is_off() -> None:
    assert judges.identity_network("auto") is None
    assert judges.identity_network("none") is None
    with pytest.raises(WeightsError, match=r"nobody: is no card.*identify-faces"):
        judges.identity_network("nobody")


def test_an_installed_identity_network_is_taken(tmp_path: Path, monkeypatch: Any) -> None:
    kind = compat.load("gfpgan.archs.arcface_arch:ResNetArcFace")
    torch.manual_seed(0)
    published = kind("IRBlock", [2, 2, 2, 2], use_se=False).eval()
    path = tmp_path / "arcface.pth"
    torch.save({f"module.{k}": v for k, v in published.state_dict().items()}, path)
    card_of(path, monkeypatch)
    net = judges.identity_network("auto")
    assert net is not None and not any(p.requires_grad for p in net.parameters())
    grey = torch.rand(2, 1, 128, 128)
    with torch.no_grad():
        torch.testing.assert_close(net(grey), published(grey))
    face, other = torch.rand(2, 1, 3, 32, 32)
    assert float(RestorationTask.unlike(net, face, face)) == 0
    assert float(RestorationTask.unlike(net, other, face)) > 0
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match=r"arcface\.pth: is not ArcFace"):
        judges.load_arcface(path)
    with pytest.raises(WeightsError, match=r"arcface\.pth"):  # damaged is not the same as missing
        judges.identity_network("auto")
    path.unlink()
    assert judges.identity_network("auto") is None
    with pytest.raises(WeightsError, match="not installed"):
        judges.identity_network("arcface-test")


def test_the_perceptual_loss_downloads_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    assert judges.perceptual_loss() is None


# --- damage ----------------------------------------------------------------------------------


def test_published_ranges_follow_the_size_of_the_face() -> None:
    recipe = load_recipe("face-gfpgan")  # for 256 pixels
    full = scaled(recipe, 2.0)
    blur, low, noise = full.step[0], full.step[2], full.step[3]
    assert (blur.parameters["sigma_px"].low, blur.parameters["sigma_px"].high) == (0.1, 10.0)
    assert (low.parameters["factor"].low, low.parameters["factor"].high) == (1.0, 8.0)
    assert noise.parameters["std"].high == 20
    tiny = scaled(recipe, 0.125).step[2].parameters["factor"]
    assert (tiny.low, tiny.high) == (1.0, 1.0)
    assert scaled(recipe, 1.0) == recipe
