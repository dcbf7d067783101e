"""Published pipelines from folders: opened, walked and refused, as diffusers lays them out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("diffusers")
pytest.importorskip("transformers")

import diffusers
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from oldfix import DEFECTS, IMAGE, Photo
from oldfix.errors import EnvironmentProblem, OldfixError, PipelineError, WeightsError
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import example_photo
from oldfix.weights.store import Store
from oldfix_diffusion.published import load_inpainting, load_upscaling
from oldfix_diffusion.walking import make_scheduler, walk
from oldfix_diffusion.windows import Window

_STABLE_SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "steps_offset": 1,
}


def autoencoder(levels: int, scaling: float = 0.18215) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(4,) * levels,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        latent_channels=4,
        norm_num_groups=2,
        sample_size=32,
        scaling_factor=scaling,
    )


def text_parts(folder: Path) -> dict[str, Any]:
    """A tokenizer of a few letters, and a text encoder for it."""
    folder.mkdir()
    words = ["a", "b", "a</w>", "b</w>", "ab</w>", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\na b</w>\n")
    tokenizer = CLIPTokenizer.from_pretrained(folder, model_max_length=8, local_files_only=True)
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=8,
        intermediate_size=8,
        num_attention_heads=2,
        num_hidden_layers=1,
        max_position_embeddings=8,
        bos_token_id=5,
        eos_token_id=6,
    )
    return {"tokenizer": tokenizer, "text_encoder": CLIPTextModel(config)}


def conditional_unet(planes: int, **more: Any) -> Any:
    return diffusers.UNet2DConditionModel(
        block_out_channels=(4, 8),
        layers_per_block=1,
        norm_num_groups=2,
        attention_head_dim=4,
        sample_size=16,
        in_channels=planes,
        out_channels=4,
        cross_attention_dim=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        **more,
    )


def inpainting_folder(folder: Path, planes: int = 9) -> Path:
    """A folder as that of Stable-Diffusion inpainting, of random tiny networks."""
    torch.manual_seed(0)
    diffusers.StableDiffusionInpaintPipeline(
        vae=autoencoder(3),
        unet=conditional_unet(planes),
        scheduler=diffusers.PNDMScheduler(
            skip_prk_steps=True,
            set_alpha_to_one=False,
            **{k: v for k, v in _STABLE_SCHEDULE.items() if k != "clip_sample"},
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **text_parts(folder.with_name("words")),
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def inpainting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return inpainting_folder(tmp_path_factory.mktemp("sd") / "pipeline")


@pytest.fixture(scope="module")
def latent_upscaling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as that of latent-diffusion super-resolution."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("ldm") / "pipeline"
    diffusers.LDMSuperResolutionPipeline(
        vqvae=diffusers.VQModel(
            block_out_channels=(4, 4, 4),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            latent_channels=3,
            num_vq_embeddings=8,
            norm_num_groups=2,
        ),
        unet=diffusers.UNet2DModel(
            block_out_channels=(4, 8),
            layers_per_block=1,
            norm_num_groups=2,
            attention_head_dim=4,
            sample_size=16,
            in_channels=6,
            out_channels=3,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        ),
        scheduler=diffusers.DDIMScheduler(beta_start=0.0015, beta_end=0.0155),
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def stable_upscaling(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as that of the Stable-Diffusion x4 upscaler."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("sd4") / "pipeline"
    diffusers.StableDiffusionUpscalePipeline(
        vae=autoencoder(3, 0.08333),
        unet=conditional_unet(7, num_class_embeds=350),
        low_res_scheduler=diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        scheduler=diffusers.DDIMScheduler(prediction_type="v_prediction", **_STABLE_SCHEDULE),
        **text_parts(folder.with_name("words")),
    ).save_pretrained(folder)
    return folder


def run(photo: Photo, stage: str, folder: Path, **options: Any) -> Photo:
    step = Step(stage, options={"model": str(folder), "steps": 3, **options})
    plan = Pipeline((step,)).plan(discover(), given=set(photo), store=Store([]))
    with Runner(device="cpu", precision="float32") as runner:
        return runner.run(plan, photo)


def marked_photo(height: int = 72, width: int = 88) -> Photo:
    photo = example_photo(height, width)
    mask = np.zeros((height, width), np.float32)
    mask[10:14, 5:60] = 1
    mask[40:60, 50:53] = 0.9
    return photo.put(DEFECTS, mask)


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


# --- folders that will not do -----------------------------------------------------------------


def test_a_missing_component_is_named_before_anything_runs(
    inpainting: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(inpainting, folder)
    shutil.rmtree(folder / "vae")
    with pytest.raises(WeightsError, match=r"lacks vae/config\.json"):
        run(marked_photo(), "inpaint-diffusion", folder)


def test_a_folder_that_is_no_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"lacks model_index\.json"):
        run(marked_photo(), "inpaint-diffusion", tmp_path)
    with pytest.raises(WeightsError, match="no such folder"):
        run(marked_photo(), "inpaint-diffusion", tmp_path / "nowhere")


def test_another_tasks_pipeline_is_refused(inpainting: Path, latent_upscaling: Path) -> None:
    with pytest.raises(OldfixError, match="StableDiffusionInpaintPipeline"):
        run(example_photo(16, 16), "upscale-diffusion", inpainting)
    with pytest.raises(OldfixError, match="holds a LDMSuperResolutionPipeline"):
        load_inpainting(latent_upscaling)


def test_wrong_channels_are_refused(tmp_path: Path) -> None:
    folder = inpainting_folder(tmp_path / "text-to-image", planes=4)
    with pytest.raises(WeightsError, match=r"takes 4 channels, not 9"):
        load_inpainting(folder)


def test_damaged_files_are_refused(latent_upscaling: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(latent_upscaling, folder)
    (file,) = (folder / "unet").glob("*.safetensors")
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(WeightsError, match="cannot be opened"):
        load_upscaling(folder)
    file.unlink()
    with pytest.raises(WeightsError, match="cannot be opened"):
        load_upscaling(folder)


@pytest.mark.parametrize("text", ["{", "[1]", ""])
def test_an_index_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text(text)
    with pytest.raises(WeightsError, match=r"model_index\.json: cannot be read .*copy the folder"):
        load_upscaling(tmp_path)


def test_a_library_that_misses_another_is_told_as_such(
    latent_upscaling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError("requires the transformers library")

    monkeypatch.setattr(diffusers.LDMSuperResolutionPipeline, "from_pretrained", missing)
    with pytest.raises(EnvironmentProblem, match=r"needs diffusers and transformers .*requires"):
        load_upscaling(latent_upscaling)


def test_names_are_still_names(tmp_path: Path) -> None:
    """Only what looks like a path is one."""
    pipeline = Pipeline((Step("inpaint-diffusion", options={"model": "sd-1.5-inpaintin"}),))
    with pytest.raises(PipelineError, match=r"did you mean 'sd-1\.5-inpainting'"):
        pipeline.plan(discover(), given={IMAGE, DEFECTS}, store=Store([tmp_path]))
    pipeline = Pipeline((Step("inpaint-diffusion", options={"model": "sd-1.5-inpainting"}),))
    with pytest.raises(WeightsError, match=r"is not installed; download it \(https"):
        pipeline.plan(discover(), given={IMAGE, DEFECTS}, store=Store([tmp_path]))


def test_a_folder_in_the_store_answers_to_its_name(inpainting: Path, tmp_path: Path) -> None:
    shutil.copytree(inpainting, tmp_path / "stable-diffusion-inpainting")
    step = Step("inpaint-diffusion", options={"model": "sd-1.5-inpainting", "steps": 1})
    plan = Pipeline((step,)).plan(discover(), given={IMAGE, DEFECTS}, store=Store([tmp_path]))
    with Runner(device="cpu") as runner:
        after = runner.run(plan, marked_photo())
    assert after.history[0]["options"]["model"] == "sd-1.5-inpainting"
