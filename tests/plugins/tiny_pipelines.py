"""Tiny random networks in the folders that diffusers writes, and a photograph to run them on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from oldfix import DEFECTS, Photo
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import example_photo
from oldfix.weights.store import Store

STABLE_SCHEDULE = {
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
            **{k: v for k, v in STABLE_SCHEDULE.items() if k != "clip_sample"},
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        **text_parts(folder.with_name("words")),
    ).save_pretrained(folder)
    return folder


def latent_upscaling_folder(folder: Path) -> Path:
    """A folder as that of latent-diffusion super-resolution."""
    torch.manual_seed(0)
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


def stable_upscaling_folder(folder: Path) -> Path:
    """A folder as that of the Stable-Diffusion x4 upscaler."""
    torch.manual_seed(0)
    diffusers.StableDiffusionUpscalePipeline(
        vae=autoencoder(3, 0.08333),
        unet=conditional_unet(7, num_class_embeds=350),
        low_res_scheduler=diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        scheduler=diffusers.DDIMScheduler(prediction_type="v_prediction", **STABLE_SCHEDULE),
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
