"""Pik-Fix: histogram, similarity, sub-networks and their published sizes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torchvision

from oldfix import WeightsError
from oldfix.colour import to_lab
from oldfix.testing import count_parameters
from oldfix_colorize import similarity
from oldfix_colorize.colorization import Colorization, colour_bins
from oldfix_colorize.histogram import LIMIT, ColourHistogram
from oldfix_colorize.net import PikFix, tiny
from oldfix_colorize.published import PikFixPublished
from oldfix_colorize.resnet import ResNetPyramid
from oldfix_colorize.restoration import Restoration
from oldfix_colorize.similarity import Similarity, unit, warp


def scene(seed: int, height: int = 64, width: int = 96) -> np.ndarray:
    """A smooth random colour picture."""
    small = np.random.default_rng(seed).random((5, 6, 3), np.float32)
    return np.clip(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)


def planes(seed: int, height: int = 64, width: int = 96) -> torch.Tensor:
    """A reference as the network takes it: luminance, chroma, 1."""
    lab = to_lab(scene(seed, height, width)) / 100
    array = np.concatenate([lab, np.ones_like(lab[..., :1])], axis=-1)
    return torch.from_numpy(array).permute(2, 0, 1)[None]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# The histogram ---------------------------------------------------------------------------------


def chroma(*shape: int, seed: int = 0) -> torch.Tensor:
    return 0.9 * (2 * torch.rand(*shape, generator=seeded(seed)) - 1)


def test_every_place_and_channel_has_mass_one():
    histogram = ColourHistogram()
    split = histogram(chroma(2, 2, 5, 7)).unflatten(1, (2, 256))
    torch.testing.assert_close(split.sum(dim=2), torch.ones(2, 2, 5, 7), atol=1e-5, rtol=0)


def test_mass_lies_in_the_bin_of_the_colour_and_at_its_place():
    histogram = ColourHistogram()
    planes = torch.zeros(1, 2, 3, 4)
    planes[0, :, 1, 2] = torch.tensor([0.5, -0.25])
    soft = histogram(planes).unflatten(1, (2, 256))
    for channel, value in enumerate((0.5, -0.25)):
        peak = histogram.centres[soft[0, channel, :, 1, 2].argmax()]
        assert abs(float(peak) - value) <= LIMIT / 256
    elsewhere = soft[0, :, :, 0, 0]
    assert (elsewhere.argmax(dim=1) - 127.5).abs().max() <= 0.5  # zero lies between two bins


def test_bins_are_gaussian():
    histogram = ColourHistogram()
    centre = float(histogram.centres[100])
    soft = histogram(torch.full((1, 2, 1, 1), centre))[0, :256, 0, 0]
    for apart in (1, 2, 3):
        expected = np.exp(-0.5 * (apart * histogram.width / histogram.deviation) ** 2)
        assert float(soft[100 + apart] / soft[100]) == pytest.approx(expected, rel=1e-4)
        assert float(soft[100 - apart]) == pytest.approx(float(soft[100 + apart]), rel=1e-4)


def test_mean_colour_is_the_colour():
    histogram = ColourHistogram()
    planes = chroma(1, 2, 6, 6, seed=1)
    torch.testing.assert_close(histogram.colours(histogram(planes)), planes, atol=1e-4, rtol=0)
    nothing = histogram.colours(torch.zeros(1, 512, 2, 2))
    assert nothing.abs().max() == 0


def test_histogram_of_a_picture_forgets_places_only():
    histogram = ColourHistogram()
    planes = chroma(1, 2, 4, 6)
    mixed = planes.flatten(2)[..., torch.randperm(24, generator=seeded())].view(1, 2, 4, 6)
    total = histogram.total(planes)
    torch.testing.assert_close(total, histogram.total(mixed))
    torch.testing.assert_close(total.sum(dim=2), torch.ones(1, 2))
    assert not torch.equal(histogram(planes), histogram(mixed))


# Similarity ------------------------------------------------------------------------------------


def descriptors(count: int, seed: int = 0) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(1, 16, count, generator=seeded(seed)), dim=1)


def test_warp_takes_what_lies_at_the_matching_place():
    phi, carried = descriptors(12), torch.eye(12)[None]
    order = torch.randperm(12, generator=seeded())
    theta = phi[..., order].view(1, 16, 3, 4)
    valid = torch.ones(1, 12, dtype=torch.bool)
    moved, best = warp(theta, phi, carried, valid, torch.tensor(0.005))
    torch.testing.assert_close(moved[0].flatten(1), torch.eye(12)[:, order], atol=1e-4, rtol=0)
    torch.testing.assert_close(best, torch.ones(1, 1, 3, 4))
    valid[0, order[0]] = False
    masked, best = warp(theta, phi, carried, valid, torch.tensor(0.005))
    assert masked[0, order[0]].max() == 0 and best[0, 0, 0, 0] < 0.99


def test_warp_weighs_as_the_formula_says():
    theta, phi = descriptors(1, 3).view(1, 16, 1, 1), descriptors(5, 4)
    carried = torch.rand(1, 2, 5, generator=seeded())
    valid = torch.ones(1, 5, dtype=torch.bool)
    moved, best = warp(theta, phi, carried, valid, torch.tensor(0.3))
    correlation = (theta.view(16) @ phi[0]).double()
    weight = torch.exp(correlation / 0.3) / torch.exp(correlation / 0.3).sum()
    expected = (carried[0].double() * weight).sum(dim=1)
    torch.testing.assert_close(moved[0, :, 0, 0].double(), expected, atol=1e-6, rtol=1e-5)
    assert float(best) == pytest.approx(float(correlation.max()), abs=1e-6)


def test_rows_worked_on_apart_give_the_same(monkeypatch):
    theta, phi = descriptors(60).view(1, 16, 6, 10), descriptors(40, 2)
    carried = torch.rand(1, 3, 40, generator=seeded())
    arguments = (theta, phi, carried, torch.ones(1, 40, dtype=torch.bool), torch.tensor(0.05))
    with torch.no_grad():
        whole = warp(*arguments)
        monkeypatch.setattr(similarity, "_MOST_PAIRS", 7 * 40)
        apart = warp(*arguments)
    for one, other in zip(whole, apart, strict=True):
        torch.testing.assert_close(one, other)


def test_a_picture_is_its_own_best_reference():
    describer = {"branch": 4, "inner": (4,) * 4, "residuals": 1}
    net = Similarity(4, frozen=False, describer=describer, temperature=0.005).eval()
    net.phi.load_state_dict(net.theta.state_dict())
    noise = torch.rand(1, 1, 64, 96, generator=seeded())
    own = torch.cat([noise, planes(0)[:, 1:]], dim=1)
    with torch.inference_mode():
        guidance = net(noise, (own,))
    truth = torch.nn.functional.avg_pool2d(own[:, 1:3], 8)
    torch.testing.assert_close(guidance.colour, truth, atol=0.02, rtol=0)
    torch.testing.assert_close(guidance.similarity, torch.ones(1, 1, 8, 12), atol=1e-4, rtol=0)


def test_descriptors_are_centred_and_of_unit_length():
    made = unit(torch.randn(2, 8, 5, 6, generator=seeded()) + 3)
    torch.testing.assert_close(made.norm(dim=1), torch.ones(2, 5, 6))
    shifted = unit(torch.randn(2, 8, 5, 6, generator=seeded()) - 1)
    torch.testing.assert_close(made, shifted, atol=1e-4, rtol=1e-3)


# ResNet ----------------------------------------------------------------------------------------


def test_features_equal_torchvisions(tmp_path: Path):
    torch.manual_seed(0)
    official = torchvision.models.resnet34(weights=None).eval()
    for module in official.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.1, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    torch.save(official.state_dict(), tmp_path / "resnet34.pth")
    net = ResNetPyramid(trained=False).train()
    net.load_imagenet(tmp_path / "resnet34.pth")
    light = torch.rand(1, 1, 64, 64, generator=seeded())
    with torch.inference_mode():
        y = (light.expand(-1, 3, -1, -1) - net.mean) / net.deviation
        y = official.maxpool(official.relu(official.bn1(official.conv1(y))))
        for number, features in enumerate(net(light)):
            y = getattr(official, f"layer{number + 1}")(y)
            torch.testing.assert_close(features, y)
    assert count_parameters(net) == 21_284_672  # torchvision's 21,797,672 without the classifier
    assert not any(p.requires_grad for p in net.parameters()) and not net.bn1.training


def test_a_file_of_another_network_is_refused(tmp_path: Path):
    torch.save({"conv1.weight": torch.zeros(8, 3, 7, 7)}, tmp_path / "other.pth")
    (tmp_path / "broken.pth").write_bytes(b"nothing")
    for name in ("other.pth", "broken.pth", "missing.pth"):
        with pytest.raises(WeightsError, match=f"{name}: is not a ResNet-34"):
            ResNetPyramid().load_imagenet(tmp_path / name)


# The sub-networks ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def published() -> PikFixPublished:
    with torch.device("meta"):
        return PikFixPublished()


def test_published_sizes(published):
    colour = published.colorization
    encoder = sum(map(count_parameters, (colour.stem, colour.levels, colour.transitions)))
    decoder = count_parameters(colour.ups) + count_parameters(colour.last)
    own = (
        count_parameters(published.similarity) - count_parameters(published.similarity.features) - 1
    )
    assert count_parameters(published.restoration) == 30_192_129
    assert (encoder, decoder) == (16_366_656, 65_007_618)
    assert count_parameters(colour.fusions) == 25_471_744
    assert own == 6_106_123
    assert encoder + decoder + count_parameters(colour.fusions) + own == 112_952_141


def test_published_system_takes_and_gives_the_sizes_of_the_paper(published):
    light, reference = (torch.zeros(1, n, 64, 96, device="meta") for n in (1, 4))
    assert published.restoration(light).shape == (1, 1, 64, 96)
    assert published(light, reference).shape == (1, 2, 64, 96)
    guidance = published.similarity(light, (reference,))
    assert guidance.histogram.shape == (1, 512, 8, 12)


def test_multilevel_restoration_of_the_papers_kind():
    with torch.device("meta"):
        net = PikFixPublished(multilevel=True)
    assert count_parameters(net.restoration) == 65_705_729
    assert net(torch.zeros(1, 1, 32, 64, device="meta")).shape == (1, 2, 32, 64)


def test_small_system_fits_into_its_budget():
    assert count_parameters(PikFix()) < 3_000_000


def test_a_new_restoration_changes_nothing_and_a_trained_one_sees_no_further_than_its_halo():
    net = Restoration(widths=(8, 8), blocks=(1, 1), layers=1)
    light = torch.rand(1, 1, 64, 64, generator=seeded())
    torch.testing.assert_close(net(light), light)
    torch.nn.init.normal_(net.last.weight, generator=seeded())
    changed = light.clone()
    changed[..., 0] += 0.5
    with torch.inference_mode():
        difference = (net(changed) - net(light)).abs().amax(dim=(0, 1, 2))
    assert difference[: net.halo].max() > 0
    assert difference[net.halo + 1 :].max() < 1e-6


def test_network_gives_chroma_at_half_the_size():
    with torch.inference_mode():
        alone, given_one = tiny()(planes(0)[:, :1]), tiny()(planes(0)[:, :1], planes(1))
    assert alone.shape == given_one.shape == (1, 2, 32, 48)
    assert not torch.equal(alone, given_one)


def test_an_empty_reference_is_no_reference():
    with torch.inference_mode():
        net = tiny()
        alone = net(planes(0)[:, :1])
        empty = net(planes(0)[:, :1], torch.zeros_like(planes(1)))
    torch.testing.assert_close(alone, empty, atol=1e-5, rtol=1e-4)


def test_classes_sum_to_one_and_their_mean_is_the_colour():
    net = Colorization(width=8, growth=(8, 8), layers=1)
    planes_of_chroma = planes(3)[:, 1:3] * 0.5
    classes = net.classes(planes_of_chroma)
    torch.testing.assert_close(classes.sum(1), torch.ones_like(classes[:, 0]))
    mean = torch.einsum("nqhw,qc->nchw", classes, net.bins)
    assert (mean - planes_of_chroma).abs().mean() < 0.03


def test_bins_cover_the_gamut_and_no_more():
    bins = colour_bins(20.0).tolist()
    assert [0.0, 0.0] in bins and [60.0, 60.0] in bins
    assert [-100.0, -100.0] not in bins and [120.0, 0.0] not in bins
