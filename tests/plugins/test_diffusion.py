"""restore-diffusion: its networks, its files and the stage."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from oldfix import DEFECTS, IMAGE, Photo, fill_marks, write_network
from oldfix.degrade import age
from oldfix.degrade.grain import grain
from oldfix.evaluation.metrics import psnr
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import StageContract, count_parameters
from oldfix.weights.store import Store
from oldfix_diffusion import CARDS
from oldfix_diffusion.denoiser import Denoiser, load_denoiser
from oldfix_diffusion.net import Autoencoder, load_autoencoder, tiny_autoencoder
from oldfix_diffusion.restorer import Restorer, holes_of, load_restorer, tiny_restorer
from oldfix_diffusion.squares import squares
from oldfix_diffusion.train_latent import standardise

LATENT, RESTORER = (
    next(card for card in CARDS if card.role == r) for r in ("latent-f4", "restorer")
)
WEIGHTS = Path(__file__).parents[2] / "weights"
KODAK = Path(__file__).parents[3] / "shared" / "data" / "eval" / "Kodak24"


class TestRestore(StageContract):
    stage = "restore-diffusion"


class TestRestoreInSteps(StageContract):
    stage = "restore-diffusion"
    options: ClassVar[Mapping[str, Any]] = {"steps": 3, "sampler": "indi"}
    sizes = ((31, 37),)


# --- networks -------------------------------------------------------------------------------


def positive(net: nn.Module) -> nn.Module:
    """Give a network positive weights, so that no influence of an input cancels."""
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.01, 0.02)
    return net


def reach(function: object, planes: int, size: int, scale: float) -> int:
    """How far an output pixel sees, in input pixels, beyond its own input block."""
    farthest, middle = 0, round(size * scale) // 8 * 4
    for at in range(middle, middle + 4):
        x = torch.rand(1, planes, size, size, requires_grad=True)
        assert callable(function)
        function(x)[:, :, at, at].sum().backward()
        assert x.grad is not None
        rows = (x.grad.abs().sum((0, 1, 3)) > 0).nonzero()
        first, last = int(at / scale), max(int(at / scale), int((at + 1) / scale) - 1)
        farthest = max(farthest, first - int(rows.min()), int(rows.max()) - last)
    return farthest


def test_the_autoencoders_halos_are_its_reach() -> None:
    net = positive(load_autoencoder(WEIGHTS / LATENT.file))
    assert isinstance(net, Autoencoder)
    channels = net.config["channels"]
    assert LATENT.parts["encode"].halo == reach(net.encode, 3, 96, 0.25)
    assert LATENT.parts["decode"].halo == reach(net.decode, channels, 32, 4)
    assert LATENT.parts[""].halo >= reach(net, 3, 160, 1)


def test_the_restorers_halos_are_its_reach() -> None:
    net = positive(load_restorer(WEIGHTS / RESTORER.file))
    assert isinstance(net, Restorer)
    holes, mask = torch.zeros(1, 16, 144, 144), torch.zeros(1, 1, 320, 320)
    found = reach(lambda z: net.denoise(z, holes, 1.0), net.config["channels"], 144, 1)
    assert RESTORER.parts["denoise"].halo == found
    assert RESTORER.parts["detail"].halo == reach(
        lambda x: net.detail(x + 1, 2 * x + 2, mask), 3, 320, 1
    )


@pytest.mark.parametrize("role", ["inpainter", "upscaler"])
def test_the_denoisers_halos_are_their_reach(role: str) -> None:
    card = next(card for card in CARDS if card.role == role and not card.layout)
    net = positive(load_denoiser(WEIGHTS / card.file))
    assert isinstance(net, Denoiser)
    known = torch.zeros(1, net.config["known"], 104, 104)
    found = reach(lambda z: net(z, known, 1.0), net.config["channels"], 104, 1)
    assert card.parts[""].halo == found
    assert 2 ** (len(net.config["widths"]) - 1) == card.parts[""].multiple_of


def test_shipped_networks_are_small() -> None:
    for net in (load_autoencoder(WEIGHTS / LATENT.file), load_restorer(WEIGHTS / RESTORER.file)):
        assert count_parameters(net) <= 8_000_000


def test_networks_survive_their_files(tmp_path: Path) -> None:
    x, z, holes = torch.rand(1, 3, 32, 32), torch.randn(1, 4, 8, 8), torch.zeros(1, 16, 8, 8)
    latent, restorer = tiny_autoencoder().half().float(), tiny_restorer().half().float()
    write_network(tmp_path / "a.safetensors", latent, config=latent.config)
    write_network(tmp_path / "r.safetensors", restorer, config=restorer.config)
    with torch.inference_mode():
        assert torch.equal(load_autoencoder(tmp_path / "a.safetensors")(x), latent(x))
        again = load_restorer(tmp_path / "r.safetensors")
        assert torch.equal(again.denoise(z, holes, 0.5), restorer.denoise(z, holes, 0.5))


def test_the_latent_is_standardised() -> None:
    net = tiny_autoencoder()
    pictures = torch.rand(4, 3, 64, 64) * torch.rand(4, 3, 1, 1)
    with torch.no_grad():
        before = net(pictures)
    standardise(net, pictures)
    with torch.inference_mode():
        z = net.encode(pictures)
        torch.testing.assert_close(net(pictures), before, atol=1e-4, rtol=0)
    torch.testing.assert_close(z.mean((0, 2, 3)), torch.zeros(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(z.std((0, 2, 3)), torch.ones(4), atol=1e-3, rtol=0)


def test_host_and_network_lay_out_the_mask_alike() -> None:
    mask = np.random.default_rng(0).random((10, 15), dtype=np.float32)
    padded = torch.from_numpy(np.pad(mask, ((0, 2), (0, 1)), mode="edge"))[None, None]
    np.testing.assert_array_equal(squares(mask), holes_of(padded)[0].permute(1, 2, 0).numpy())


# --- the leak (a network given z_t and z_T solves for z_0 and learns nothing) -----------------


@pytest.fixture(scope="module")
def worn() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Restorer]:
    """(z_T, z_0, holes) of an aged picture, and the shipped restorer."""
    y, x = np.mgrid[0:128, 0:128].astype(np.float32)
    stripes = np.stack([0.5 + 0.3 * np.sin(x / 5 + c) * np.cos(y / 7) for c in range(3)], axis=2)
    aged = age(stripes.astype(np.float32), rng=np.random.default_rng(5), recipe="gaussian-25")
    latent = load_autoencoder(WEIGHTS / LATENT.file)
    pictures = torch.from_numpy(np.stack([aged.image, aged.target])).permute(0, 3, 1, 2)
    with torch.inference_mode():
        z_found, z_clean = latent.encode(pictures.contiguous()).chunk(2)
    return z_found, z_clean, torch.zeros(1, 16, 32, 32), load_restorer(WEIGHTS / RESTORER.file)


def test_the_denoiser_is_not_given_the_photograph_as_found() -> None:
    assert list(inspect.signature(Restorer.denoise).parameters) == ["self", "z", "holes", "t"]


def test_the_error_on_the_way_does_not_collapse(
    worn: tuple[torch.Tensor, torch.Tensor, torch.Tensor, Restorer],
) -> None:
    z_found, z_clean, holes, net = worn
    with torch.inference_mode():
        errors = {
            t: float((net.denoise((1 - t) * z_clean + t * z_found, holes, t) - z_clean).std())
            for t in (0.5, 1.0)
        }
    found = float((z_found - z_clean).std())
    assert errors[1.0] < 0.8 * found  # it has learnt to denoise
    assert errors[0.5] > 0.1 * errors[1.0]  # and has found no way around it


def test_the_state_on_the_way_matters(
    worn: tuple[torch.Tensor, torch.Tensor, torch.Tensor, Restorer],
) -> None:
    z_found, z_clean, holes, net = worn
    with torch.inference_mode():
        near, far = (net.denoise((1 - a) * z_clean + a * z_found, holes, 0.5) for a in (0.3, 0.7))
    assert float((near - far).std()) > 0.02 * float((z_found - z_clean).std())


# --- the detail head ------------------------------------------------------------------------


def test_nothing_of_a_marked_pixel_passes_the_gate() -> None:
    net = tiny_restorer()
    nn.init.zeros_(net.head.exit.weight)
    nn.init.zeros_(net.head.exit.bias)
    net.head.exit.bias.data[:16] = 10.0  # gate fully open, no correction
    x, restored = torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)
    mask = (torch.rand(1, 1, 16, 16) > 0.5).float()
    with torch.inference_mode():
        finished = net.detail(x, restored, mask)
    marked = mask.expand_as(x) > 0
    torch.testing.assert_close(finished[marked], restored[marked])
    torch.testing.assert_close(finished[~marked], x[~marked])


# --- the stage with its shipped weights -----------------------------------------------------


def run(photo: Photo, **options: object) -> np.ndarray:
    pipeline = Pipeline((Step("restore-diffusion", options=options),))
    plan = pipeline.plan(discover(), given={IMAGE, DEFECTS}, store=Store([WEIGHTS]))
    with Runner(device="cpu") as runner:
        return np.asarray(runner.run(plan, photo)[IMAGE])


def portrait() -> np.ndarray:
    data = pytest.importorskip("skimage.data")
    return np.asarray(data.astronaut()[20:276, 100:356], np.float32) / 255


def test_a_sound_photograph_passes_nearly_unchanged() -> None:
    image = portrait()
    assert psnr(run(Photo.from_array(image)), image) > 38


def test_grain_coarser_than_white_noise_is_seen() -> None:
    image = portrait()
    grainy = grain(image, rng=np.random.default_rng(0), std=16, size_px=0.6)
    assert psnr(run(Photo.from_array(grainy)), image) > psnr(grainy, image) + 1


@pytest.fixture(scope="module")
def worn_portraits() -> list[tuple[Photo, np.ndarray]]:
    """Four aged portraits with their marked defects, and what restoring should give."""
    agings = [
        age(portrait(), rng=np.random.default_rng(seed), recipe="old-photo-no-tone")
        for seed in range(4)
    ]
    return [
        (Photo.from_array(a.image).put(DEFECTS, (a.defects > 0.25).astype(np.float32)), a.target)
        for a in agings
    ]


def decibels(results: list[np.ndarray], portraits: list[tuple[Photo, np.ndarray]]) -> float:
    """PSNR of the mean squared error over all portraits."""
    errors = [np.square(r - truth).mean() for r, (_, truth) in zip(results, portraits, strict=True)]
    return float(-10 * np.log10(np.mean(errors)))


def test_restoring_does_better_than_nothing_and_than_filling(
    worn_portraits: list[tuple[Photo, np.ndarray]],
) -> None:
    photos = [photo for photo, _ in worn_portraits]
    restored = decibels([run(photo) for photo in photos], worn_portraits)
    assert restored > decibels([p[IMAGE] for p in photos], worn_portraits) + 0.3
    assert restored > decibels(
        [fill_marks(p[IMAGE], p[DEFECTS] > 0.5, 16) for p in photos], worn_portraits
    )


def test_more_steps_differ_and_do_no_harm(
    worn_portraits: list[tuple[Photo, np.ndarray]],
) -> None:
    photos = [photo for photo, _ in worn_portraits]
    one, four, indi = (
        [run(photo, steps=n, sampler=s) for photo in photos]
        for n, s in ((1, "improved"), (4, "improved"), (4, "indi"))
    )
    assert decibels(four, worn_portraits) > decibels(one, worn_portraits) - 0.3
    assert np.abs(four[0] - one[0]).max() > 1e-3
    assert np.abs(four[0] - indi[0]).max() > 1e-3


@pytest.mark.skipif(not KODAK.is_dir(), reason="needs the Kodak photographs beside the project")
def test_the_autoencoder_is_not_the_ceiling() -> None:
    from PIL import Image

    net = load_autoencoder(WEIGHTS / LATENT.file)
    values = []
    for path in sorted(KODAK.iterdir())[::6]:
        image = np.asarray(Image.open(path).convert("RGB"), np.float32)[:320, :320] / 255
        with torch.inference_mode():
            x = torch.from_numpy(image).permute(2, 0, 1)[None].contiguous()
            values.append(psnr(net(x)[0].permute(1, 2, 0).numpy(), image))
    assert np.mean(values) > 37
