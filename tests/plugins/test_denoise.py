"""denoise-diffusion: the stage and its network."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from oldfix import IMAGE, Photo, PipelineError, between, write_network
from oldfix.evaluation.metrics import psnr
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import StageContract, TinyStore, count_parameters
from oldfix.weights.store import Store
from oldfix_denoise import CARDS
from oldfix_denoise.baselines import NLRN, DnCNN
from oldfix_denoise.net import PAPER, PixelDenoiser, load, tiny

CARD = CARDS[0]
WEIGHTS = Path(__file__).parents[2] / "weights"


class TestDenoise(StageContract):
    stage = "denoise-diffusion"


class TestBaseline(StageContract):
    stage = "denoise-baseline"


class TestDenoiseInSteps(StageContract):
    stage = "denoise-diffusion"
    options: ClassVar[Mapping[str, Any]] = {"steps": 3, "sampler": "indi"}
    sizes = ((31, 37),)


# --- the stage ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 21}, "steps"),
        ({"sampler": "ddim"}, "sampler"),
        ({"strength": 0.5}, "strength"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    pipeline = Pipeline((Step("denoise-diffusion", options=options),))
    with pytest.raises(PipelineError, match=message):
        pipeline.plan(discover(), given={IMAGE}, store=TinyStore())


def run(image: np.ndarray, store: Store, **options: object) -> np.ndarray:
    pipeline = Pipeline((Step("denoise-diffusion", options=options),))
    plan = pipeline.plan(discover(), given={IMAGE}, store=store)
    with Runner(device="cpu") as runner:
        return np.asarray(runner.run(plan, Photo.from_array(image))[IMAGE])


def portrait() -> np.ndarray:
    data = pytest.importorskip("skimage.data")
    return np.asarray(data.astronaut()[20:276, 100:356], np.float32) / 255


def noisy_portrait(std: float = 25, *, grey: bool = False) -> np.ndarray:
    clean = portrait()
    noise = np.random.default_rng(3).normal(0, std / 255, clean.shape)
    noisy = np.clip(clean + noise, 0, 1).astype(np.float32)
    return np.repeat(noisy[..., :1], 3, axis=2) if grey else noisy


@pytest.mark.parametrize("sampler", ["origin", "improved", "indi"])
def test_a_grey_picture_in_colour_channels_stays_exactly_grey(sampler: str) -> None:
    image = noisy_portrait(grey=True)[:64, :64]
    result = run(image, TinyStore(), steps=3, sampler=sampler)
    assert np.abs(result - image).max() > 1e-3
    np.testing.assert_array_equal(result[..., 0], result[..., 1])
    np.testing.assert_array_equal(result[..., 0], result[..., 2])


# --- the stage with its shipped weights -------------------------------------------------------


def test_noise_goes_and_the_tone_stays() -> None:
    noisy, clean = noisy_portrait(), portrait()
    result = run(noisy, Store([WEIGHTS]))
    assert psnr(result, clean) > psnr(noisy, clean) + 6
    # Clipped noise lifts the shadows; denoising must not move the tone on top of that.
    assert drift(result, clean) < drift(noisy, clean)


def drift(image: np.ndarray, truth: np.ndarray) -> float:
    """Largest difference between the means of squares of 32 pixels."""
    means = [picture.reshape(8, 32, 8, 32, 3).mean((1, 3)) for picture in (image, truth)]
    return float(np.abs(means[0] - means[1]).max())


def test_a_sound_photograph_passes_nearly_unchanged() -> None:
    assert psnr(run(portrait(), Store([WEIGHTS])), portrait()) > 36


def test_more_steps_differ_and_do_no_harm() -> None:
    noisy, clean = noisy_portrait()[:128, :128], portrait()[:128, :128]
    one, four, indi = (
        run(noisy, Store([WEIGHTS]), steps=n, sampler=s)
        for n, s in ((1, "improved"), (4, "improved"), (4, "indi"))
    )
    assert psnr(four, clean) > psnr(one, clean) - 0.3
    assert np.abs(four - one).max() > 1e-3
    assert np.abs(four - indi).max() > 1e-3


# --- the network ----------------------------------------------------------------------------


def reach(net: nn.Module, size: int) -> int:
    """How far an output pixel sees, with positive weights so that no influence cancels."""
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.01, 0.02)
    farthest = 0
    for at in range(size // 16 * 8, size // 16 * 8 + 8):
        x = torch.rand(1, 3, size, size, requires_grad=True)
        net(x)[:, :, at, at].sum().backward()
        assert x.grad is not None
        rows = (x.grad.abs().sum((0, 1, 3)) > 0).nonzero()
        farthest = max(farthest, at - int(rows.min()), int(rows.max()) - at)
    return farthest


def test_the_halo_is_the_networks_reach() -> None:
    assert CARD.parts[""].halo == reach(load(WEIGHTS / CARD.file), 200)


def test_the_halos_of_the_baselines_are_their_reach() -> None:
    dncnn, nlrn = CARDS[1:]
    assert dncnn.parts[""].halo == reach(DnCNN(width=8, depth=7), 64)
    # Zero weights pass nothing on, and positive ones all that they see.
    assert nlrn.parts[""].halo == reach(NLRN(width=8, embedding=4, window=5, steps=3), 96)


def test_the_shipped_network_is_small() -> None:
    assert count_parameters(load(WEIGHTS / CARD.file)) <= 2_000_000


def test_the_papers_kind_of_network_can_be_built() -> None:
    net = PixelDenoiser(**PAPER)
    assert count_parameters(net) == 9_850_739
    with torch.inference_mode():
        assert net(torch.rand(1, 3, 16, 24), 0.5).shape == (1, 3, 16, 24)


def test_the_network_survives_its_file(tmp_path: Path) -> None:
    x, net = torch.rand(1, 3, 16, 32), tiny().half().float()
    write_network(tmp_path / "n.safetensors", net, config=net.config)
    with torch.inference_mode():
        assert torch.equal(load(tmp_path / "n.safetensors")(x, 0.5), net(x, 0.5))


def test_an_untrained_network_and_time_zero_change_nothing() -> None:
    x = torch.rand(2, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(PixelDenoiser(widths=(8, 12), blocks=(1, 1))(x), x)
        assert torch.equal(tiny()(x, 0.0), x)
        assert not torch.equal(tiny()(x, 1.0), x)


def test_the_way_is_continuous_from_the_clean_picture_to_the_one_found() -> None:
    clean, found = (np.asarray(p[:64, :64]) for p in (portrait(), noisy_portrait()))
    np.testing.assert_array_equal(between(clean, found, 0.0), clean)
    np.testing.assert_array_equal(between(clean, found, 1.0), found)
    times = np.linspace(0, 1, 101)
    states = [between(clean, found, t) for t in times]
    steps = [float(np.abs(b - a).max()) for a, b in pairwise(states)]
    whole = float(np.abs(found - clean).max())
    np.testing.assert_allclose(steps, whole / 100, rtol=1e-3)  # evenly, without a jump


def test_the_guess_is_continuous_in_time_and_exact_at_its_end() -> None:
    net = load(WEIGHTS / CARD.file)
    found = torch.from_numpy(noisy_portrait()[:64, :64].copy()).permute(2, 0, 1)[None]
    with torch.inference_mode():
        assert torch.equal(net(found, 0.0), found)
        coarse, fine = (
            max(float((net(found, t + d) - net(found, t)).std()) for t in (0.0, 0.3, 0.6, 0.9))
            for d in (0.08, 0.004)
        )
    assert fine < coarse / 4  # a jump would not shrink with the distance


# --- the leak (a network given x_t and x_T solves for x_0 and learns nothing) -----------------


def test_the_network_is_shown_the_state_and_the_time_alone() -> None:
    assert list(inspect.signature(PixelDenoiser.forward).parameters) == ["self", "x", "t"]


def test_the_network_has_learnt_pictures_at_every_time() -> None:
    net = load(WEIGHTS / CARD.file)
    found, clean = (
        torch.from_numpy(image[:128, :128].copy()).permute(2, 0, 1)[None]
        for image in (noisy_portrait(), portrait())
    )
    with torch.inference_mode():
        states = {t: (1 - t) * clean + t * found for t in (0.5, 1.0)}
        errors = {t: float((net(x, t) - clean).std()) for t, x in states.items()}
        near, far = (net((1 - a) * clean + a * found, 0.5) for a in (0.3, 0.7))
    noise = float((found - clean).std())
    assert errors[1.0] < 0.6 * noise  # it has learnt to denoise
    assert 0.1 * errors[1.0] < errors[0.5] < 0.5 * noise  # on the way, too, and has no way around
    assert float((near - far).std()) > 0.02 * noise
