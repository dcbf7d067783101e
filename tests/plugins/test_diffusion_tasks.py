"""Training of the inpainter, the upscaler and the Gaussian rival: examples, losses, the study."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from oldfix import write_network
from oldfix.training import TrainRequest
from oldfix_diffusion.bank import Bank
from oldfix_diffusion.bank_task import train_on_bank
from oldfix_diffusion.denoiser import Denoiser
from oldfix_diffusion.inpainting import HoleBank, make_example as make_holes
from oldfix_diffusion.net import load_autoencoder, tiny_autoencoder
from oldfix_diffusion.train_inpainter import InpaintTask, error_inside
from oldfix_diffusion.train_upscaler import UpscaleTask
from oldfix_diffusion.upscaling import enlarged, make_example as make_small, shrunk
from tests.plugins.pictures import coarse_noise

WEIGHTS = Path(__file__).parents[2] / "weights"


def net(known: int) -> Denoiser:
    torch.manual_seed(0)
    return Denoiser(4, (8, 12), (1, 1), known)


def task(kind: str, seed: int = 0) -> InpaintTask | UpscaleTask:
    latent = tiny_autoencoder()
    if kind == "inpaint":
        return InpaintTask(coarse_noise(), latent, net(16), seed=seed, count=8, holes=4)
    return UpscaleTask(coarse_noise(), latent, net(1), seed=seed, count=8)


# --- examples -------------------------------------------------------------------------------


def test_holes_are_told_pixel_by_pixel_and_all_else_is_the_picture() -> None:
    holes = HoleBank.drawn(np.random.default_rng(0), 4)
    assert set(np.unique(holes.masks)) == {0, 1}
    start, target, squares = make_holes(coarse_noise(), holes, np.random.default_rng(1))
    mask = squares.reshape(32, 32, 4, 4).transpose(0, 2, 1, 3).reshape(128, 128)
    assert 0 < mask.mean() < 1
    np.testing.assert_array_equal(start[mask == 0], target[mask == 0])
    assert (start[mask == 1] != target[mask == 1]).any()


@pytest.mark.parametrize("seed", range(6))
def test_small_copies_are_told_their_factor(seed: int) -> None:
    start, target, plane = make_small(coarse_noise(), np.random.default_rng(seed))
    assert start.shape == target.shape == (128, 128, 3)
    assert plane.shape == (1, 1, 1)
    assert float(plane[0, 0, 0]) in (0.0, 1.0)


@pytest.mark.parametrize("factor", [2, 4])
def test_shrinking_and_enlarging_keep_every_place(factor: int) -> None:
    """A plane comes back as it was: no method shifts the picture."""
    y, x = np.mgrid[0:64, 0:64].astype(np.float32) / 80
    plane = np.stack([x, y, (x + y) / 2], axis=2) + 0.1
    for seed in range(12):
        again = enlarged(shrunk(plane, factor, np.random.default_rng(seed)), factor)
        assert np.abs(again - plane)[12:-12, 12:-12].max() < 0.006


def test_a_bank_holds_what_the_autoencoder_makes_of_its_examples() -> None:
    latent = tiny_autoencoder()
    make = partial(make_small, coarse_noise())
    bank = Bank.filled(make, latent, 3, seed=5)
    start, target, _ = make(np.random.default_rng([5, 2]))
    rest, kept, _, z_start, z_target = (torch.from_numpy(np.array(c)) for c in bank.row(2))
    x = torch.from_numpy(np.stack([start, target])).permute(0, 3, 1, 2)
    with torch.inference_mode():
        z = latent.encode(x).permute(0, 2, 3, 1)
        again = latent.decode(z_start.float().permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    torch.testing.assert_close(z_start.float(), z[0], atol=5e-3, rtol=5e-3)
    torch.testing.assert_close(z_target.float(), z[1], atol=5e-3, rtol=5e-3)
    torch.testing.assert_close(again + rest.float(), torch.from_numpy(start), atol=5e-3, rtol=0)
    np.testing.assert_allclose(kept.numpy() / 255, target, atol=0.51 / 255)
    sizes = [len(batch[0]) for batch in bank.batches(2)]
    assert sizes == [2, 1]


def test_what_is_made_before_the_time_box_begins_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number, picture in enumerate(coarse_noise().groups[0]):
        Pillow.fromarray(picture[1]).save(tmp_path / f"{number}.png")
    latent, beside = (
        tiny_autoencoder(),
        tmp_path / "runs" / "latent-f4-s" / "latent-f4-s.safetensors",
    )
    beside.parent.mkdir(parents=True)
    write_network(beside, latent, config=latent.config)
    out = tmp_path / "runs" / "upscaler-s"
    request = TrainRequest((tmp_path,), out, minutes=1e-4, workers=0)
    with caplog.at_level("INFO", "oldfix.training"):
        train_on_bank(request, "upscaler-s", partial(UpscaleTask, count=4), known=1)
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == f"in the latent of {beside}"
    assert said[1] == "making 8 examples, which is not part of the time box"
    assert re.fullmatch(r"made them in \d+ s; the time box begins", said[2])
    assert said[3].startswith("step ")


# --- losses ---------------------------------------------------------------------------------


def test_errors_are_those_inside_the_holes() -> None:
    target = torch.full((1, 3, 4, 4), 0.5)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2, :2] = 1
    x = target + 0.1 * mask + 0.4 * (1 - mask)
    assert float(-10 * error_inside(x, target, mask)) == pytest.approx(20.0, abs=1e-3)


def test_a_network_that_says_nothing_enlarges_bicubically() -> None:
    """At the start the last layer is zero."""
    found = task("upscale")
    with torch.inference_mode():
        figures = found.validate(found.net)
    assert figures["score"] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize("kind", ["inpaint", "upscale"])
def test_the_seed_changes_what_is_learnt_and_not_what_is_held_out(kind: str) -> None:
    first, second = task(kind, seed=1), task(kind, seed=2)
    for name in ("target", "known"):
        held = [getattr(found.held_out, name) for found in (first, second)]
        np.testing.assert_array_equal(*held)
    assert (first.bank.target != second.bank.target).any()


@pytest.mark.parametrize(("kind", "figure"), [("inpaint", "inside"), ("upscale", "psnr")])
def test_two_examples_are_learnt_to_a_decibel(kind: str, figure: str) -> None:
    """A small network gains a decibel on what it is shown, with the shipped autoencoder."""
    latent = load_autoencoder(WEIGHTS / "latent-f4-s.safetensors")
    torch.manual_seed(0)
    small = Denoiser(16, (24,), (1,), 16 if kind == "inpaint" else 1)
    if kind == "inpaint":
        found: InpaintTask | UpscaleTask = InpaintTask(
            coarse_noise(), latent, small, count=2, holes=2
        )
    else:
        found = UpscaleTask(coarse_noise(), latent, small, count=2)
    (batch,) = found.bank.batches(2)
    optimizer = torch.optim.Adam(small.parameters(), 3e-3)
    levels = []
    for _ in range(40):
        torch.manual_seed(1)  # the same times t at every step
        loss, figures = found.loss(small, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        levels.append(float(figures[figure]))
    assert levels[-1] > levels[0] + 1


# --- the Gaussian rival -----------------------------------------------------------------------


def test_the_velocity_leads_back_to_the_clean_latent() -> None:
    pytest.importorskip("diffusers")
    from oldfix_diffusion.gaussian import LEVELS, SCHEDULE
    from oldfix_diffusion.walking import make_scheduler

    scheduler = make_scheduler("ddpm", SCHEDULE)
    kept = scheduler.alphas_cumprod
    assert float(kept[-1]) == pytest.approx(0, abs=1e-7)  # the walk begins in pure noise
    clean, noise = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8)
    level = torch.tensor([0, 500, LEVELS - 1])
    z = scheduler.add_noise(clean, noise, level)
    v = scheduler.get_velocity(clean, noise, level)
    a, s = (x[level].sqrt()[:, None, None, None] for x in (kept, 1 - kept))
    torch.testing.assert_close(a * z - s * v, clean, atol=1e-5, rtol=0)
    torch.testing.assert_close(v[2], -clean[2])


def test_a_perfect_velocity_restores_in_any_number_of_steps() -> None:
    pytest.importorskip("diffusers")
    from oldfix_diffusion import gaussian

    clean = np.random.default_rng(3).standard_normal((6, 5, 4), np.float32)
    scheduler = gaussian.make_scheduler("ddpm", gaussian.SCHEDULE)
    kept = scheduler.alphas_cumprod

    class Perfect:
        def __call__(self, z: torch.Tensor, known: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            a = kept[round(float(t) * gaussian.LEVELS) - 1]
            x_0 = torch.from_numpy(clean).permute(2, 0, 1)[None]
            noise = (z - a.sqrt() * x_0) / (1 - a).sqrt()
            return z + a.sqrt() * noise - (1 - a).sqrt() * x_0

    for way in ("ddim", "ddpm"):
        for steps in (1, 4):
            found = gaussian.denoised(way)(Perfect(), clean, clean[..., :1], steps)  # type: ignore[arg-type]
            np.testing.assert_allclose(found, clean, atol=2e-3)


def test_the_study_trains_both_and_measures_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("diffusers")
    from oldfix_diffusion import study

    rng = np.random.default_rng(0)
    for i in range(20):
        noise = rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)
        Pillow.fromarray(np.kron(noise, np.ones((18, 18, 1), np.uint8))).save(tmp_path / f"{i}.png")
    out = tmp_path / "out"
    latent = tiny_autoencoder()
    write_network(tmp_path / "latent", latent, config=latent.config)
    beside = out / "latent-f4-s"
    beside.mkdir(parents=True)
    (tmp_path / "latent").rename(beside / "latent-f4-s.safetensors")
    before = study.read_recipe
    small = {"network": {"widths": [8], "blocks": [1]}}
    monkeypatch.setattr(study, "read_recipe", lambda *a: before(*a).model_copy(update=small))
    monkeypatch.setattr(study, "STEPS", (1, 3))
    arguments = ["--data", str(tmp_path), "--questions", str(tmp_path), "-o", str(out)]
    sizes = ["--minutes", "0.02", "--examples", "4", "--limit", "1", "--crop", "32"]
    assert study.main([*arguments, *sizes, "--workers", "0"]) == 0
    page = capsys.readouterr().out
    assert page == (out / "gaussian.md").read_text()
    assert page.count("\n") == 2 + 2 + 3 * len(study.STEPS)
    for name in ("interpolation", "gaussian"):
        assert (out / name / f"{name}.safetensors").is_file()
