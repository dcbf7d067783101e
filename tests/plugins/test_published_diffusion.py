"""Published pipelines from folders: opened and walked, as diffusers lays them out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("diffusers")
pytest.importorskip("transformers")

import diffusers

from oldfix import DEFECTS, IMAGE
from oldfix.testing import example_photo
from oldfix_diffusion.published import load_inpainting, load_upscaling
from oldfix_diffusion.walking import make_scheduler, walk
from oldfix_diffusion.windows import Window
from tests.plugins.tiny_pipelines import (
    marked_photo,
    run,
    stable_upscaling_folder,
)


@pytest.fixture(scope="module")
def stable_upscaling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stable_upscaling_folder(tmp_path_factory.mktemp("sd4") / "pipeline")


# --- inpainting -----------------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ["ddpm", "ddim", "dpm"])
def test_only_marked_pixels_change(inpainting: Path, scheduler: str) -> None:
    photo = marked_photo()
    after = run(photo, "inpaint-diffusion", inpainting, scheduler=scheduler)
    marked = photo[DEFECTS] > 0.5
    np.testing.assert_array_equal(after[IMAGE][~marked], photo[IMAGE][~marked])
    assert (after[IMAGE][marked] != photo[IMAGE][marked]).any(axis=-1).mean() > 0.9


def test_what_lies_beneath_the_marks_does_not_matter(inpainting: Path) -> None:
    photo = marked_photo()
    marked = photo[DEFECTS][..., None] > 0.5
    white = photo.put(IMAGE, np.where(marked, np.float32(1), photo[IMAGE]))
    results = [run(each, "inpaint-diffusion", inpainting)[IMAGE] for each in (photo, white)]
    np.testing.assert_array_equal(*results)


def test_the_canvas_of_one_window_is_what_the_pipeline_does(inpainting: Path) -> None:
    """With one window, our walk is diffusers' own pipeline on the same noise."""
    photo = marked_photo(64, 64)
    net = load_inpainting(inpainting)
    mask = (photo[DEFECTS] > 0.5).astype(np.float32)
    hidden = np.where(mask[..., None] > 0, np.float32(0.5), photo[IMAGE])
    noise = np.random.default_rng(0).standard_normal((16, 16, 4), np.float32)
    squares = mask.reshape(16, 4, 16, 4)[:, 0, :, 0]  # nearest, as the pipeline has it
    with torch.inference_mode():
        latents = net.encode(torch.from_numpy(hidden).permute(2, 0, 1)[None])

        def predict(planes: np.ndarray, t: int) -> np.ndarray:
            x = torch.from_numpy(planes).permute(2, 0, 1)[None]
            return net.predict(x, t=t)[0].permute(1, 2, 0).numpy()

        known = np.concatenate([squares[..., None], latents[0].permute(1, 2, 0).numpy()], axis=2)
        chosen = make_scheduler("ddim", net.schedule)
        z = walk(predict, noise, known, chosen, steps=4, seed=0)
        ours = net.decode(torch.from_numpy(z).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    pipeline = diffusers.StableDiffusionInpaintPipeline.from_pretrained(
        inpainting, local_files_only=True, safety_checker=None, low_cpu_mem_usage=False
    )
    pipeline.scheduler = make_scheduler("ddim", net.schedule)
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        prompt="",
        image=torch.from_numpy(photo[IMAGE].copy()).permute(2, 0, 1)[None],
        mask_image=torch.from_numpy(mask)[None, None],
        height=64,
        width=64,
        guidance_scale=1.0,
        num_inference_steps=4,
        latents=torch.from_numpy(noise).permute(2, 0, 1)[None],
        masked_image_latents=latents,  # it would draw them from their distribution
        output_type="np",
    ).images[0]
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_windows_share_one_canvas_of_noise(inpainting: Path, monkeypatch: Any) -> None:
    """Where two windows overlap they are given the same state, at every step."""
    from oldfix_diffusion import walking

    seen: list[tuple[list[Window], list[np.ndarray]]] = []
    before = walking.in_windows

    def spy(ctx: Any, model: Any, places: Any, plane: Any, part: str, **extra: Any) -> Any:
        if part == "predict":
            seen.append((list(places), [place.of(plane).copy() for place in places]))
        return before(ctx, model, places, plane, part, **extra)

    monkeypatch.setattr(walking, "in_windows", spy)
    photo = example_photo(72, 136).put(DEFECTS, np.zeros((72, 136), np.float32))
    mask = np.zeros((72, 136), np.float32)
    mask[30:34] = 1
    run(photo.put(DEFECTS, mask), "inpaint-diffusion", inpainting, scheduler="ddpm")
    assert len(seen) == 3
    for places, states in seen:
        assert len(places) > 1
        canvas = np.full((19, 34, states[0].shape[2]), np.nan, np.float32)
        for place, state in zip(places, states, strict=True):
            view = place.of(canvas)
            known = ~np.isnan(view)
            np.testing.assert_array_equal(view[known], state[known])
            view[:] = state


# --- upscaling ------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [2, 4])
def test_latent_diffusion_enlarges(latent_upscaling: Path, factor: int) -> None:
    photo = example_photo(21, 30)
    after = run(photo, "upscale-diffusion", latent_upscaling, factor=factor)
    assert after.size == (21 * factor, 30 * factor)
    means = after[IMAGE].reshape(21, factor, 30, factor, 3).mean(axis=(1, 3))
    assert np.abs(means - photo[IMAGE]).mean() < 0.05  # it keeps the photograph's own tones


def test_one_window_of_latent_diffusion_is_what_the_pipeline_does(latent_upscaling: Path) -> None:
    net = load_upscaling(latent_upscaling)
    small = torch.from_numpy(example_photo(16, 16)[IMAGE].copy()).permute(2, 0, 1)[None] * 2 - 1
    noise = torch.randn((1, 3, 16, 16), generator=torch.Generator().manual_seed(4))

    def predict(planes: np.ndarray, t: int) -> np.ndarray:
        x = torch.from_numpy(planes).permute(2, 0, 1)[None]
        return net.predict(x, t=t)[0].permute(1, 2, 0).numpy()

    chosen = make_scheduler("ddim", net.schedule)
    with torch.inference_mode():
        noise_plane, known = (x[0].permute(1, 2, 0).numpy() for x in (noise, small))
        z = walk(predict, noise_plane, known, chosen, steps=3, seed=0)
        ours = net.decode(torch.from_numpy(z).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    pipeline = diffusers.LDMSuperResolutionPipeline.from_pretrained(
        latent_upscaling, local_files_only=True, low_cpu_mem_usage=False
    )
    pipeline.scheduler = make_scheduler("ddim", net.schedule)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(4)
    theirs = pipeline(small, num_inference_steps=3, generator=generator, output_type="np").images[0]
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_the_stable_upscaler_enlarges(stable_upscaling: Path) -> None:
    after = run(example_photo(24, 20), "upscale-diffusion", stable_upscaling, factor=4)
    assert after.size == (96, 80)


def test_more_windows_than_one_enlarge_without_holes(latent_upscaling: Path) -> None:
    after = run(example_photo(40, 50), "upscale-diffusion", latent_upscaling, factor=4, steps=1)
    assert after.history[0]["notes"]["windows"] > 1
    assert np.isfinite(after[IMAGE]).all()
