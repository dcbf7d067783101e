"""Published latent diffusion, run through diffusers: pipelines in folders of its layout.

A pipeline becomes one network with up to three methods, ``encode``, ``predict`` and ``decode``,
which the host runs like any other. The way from noise to a latent is walked here, over one canvas
for the whole picture: diffusers' own pipelines know one window alone, and pictures are larger.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from oldfix import EnvironmentProblem, WeightsError, first_line


class Published(nn.Module):  # type: ignore[misc]
    """The networks of a published pipeline.

    Attributes:
        unet: predicts what the scheduler asks for (noise, or its velocity).
        autoencoder: between pictures and latents.
        schedule: the configuration of the scheduler it was trained with.
        noise_schedule: of the one that adds noise to the small picture, or None.
        factor: pixels a side for one latent position.
        latent_scale: what latents are multiplied by after encoding.
        text: (1, L, C), what the UNet is told in place of a description, or None.
    """

    def __init__(
        self,
        unet: nn.Module,
        autoencoder: nn.Module,
        schedule: Mapping[str, Any],
        *,
        noise_schedule: Mapping[str, Any] | None = None,
        text: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.unet, self.autoencoder = unet, autoencoder
        self.schedule, self.noise_schedule = dict(schedule), noise_schedule
        config = autoencoder.config
        self.factor = 2 ** (len(config.block_out_channels) - 1)
        self.channels = int(config.latent_channels)
        self.quantized = hasattr(autoencoder, "quantize")
        # A quantised autoencoder states a factor too, which its pipeline does not use.
        self.latent_scale = 1.0 if self.quantized else float(config.scaling_factor)
        self.text: Tensor | None
        self.register_buffer("text", text, persistent=False)

    @property
    def known(self) -> int:
        """Planes that the UNet sees beside the latent."""
        return int(self.unet.config.in_channels) - self.channels

    def encode(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to the mean latents (N, C, H / factor, W / factor)."""
        coded = self.autoencoder.encode(2 * x - 1)
        mean = coded.latents if self.quantized else coded.latent_dist.mode()
        return mean * self.latent_scale

    def predict(self, planes: Tensor, *, t: int, noise_level: int = 0) -> Tensor:
        """What the UNet makes of noisy latents and known planes (N, C + known, h, w) at t."""
        steps = torch.full((len(planes),), t, device=planes.device)
        extra: dict[str, Any] = {}
        if self.text is not None:
            extra["encoder_hidden_states"] = self.text.expand(len(planes), -1, -1).to(planes.dtype)
        if self.noise_schedule is not None:
            extra["class_labels"] = torch.full_like(steps, noise_level)
        predicted: Tensor = self.unet(planes, steps, **extra).sample
        return predicted

    def decode(self, z: Tensor) -> Tensor:
        """(N, C, h, w) to (N, 3, factor h, factor w), in [0, 1]."""
        x: Tensor = self.autoencoder.decode(z / self.latent_scale).sample
        return (x.float() / 2 + 0.5).clamp(0, 1)


def load_inpainting(folder: Path) -> Published:
    """Open a StableDiffusionInpaintPipeline's folder.

    Raises:
        WeightsError: the folder holds another pipeline, or one of other channels.
        EnvironmentProblem: diffusers or transformers is not installed.
    """
    net = _opened(folder, {"StableDiffusionInpaintPipeline": _stable})
    return _checked(net, folder, net.channels + 1)


def load_upscaling(folder: Path) -> Published:
    """Open the folder of an LDMSuperResolutionPipeline or a StableDiffusionUpscalePipeline.

    Raises:
        WeightsError: the folder holds another pipeline, or one of other channels.
        EnvironmentProblem: diffusers or transformers is not installed.
    """
    kinds = {"LDMSuperResolutionPipeline": _latent, "StableDiffusionUpscalePipeline": _stable}
    return _checked(_opened(folder, kinds), folder, 3)


def diffusers() -> Any:
    """The library, imported now.

    Raises:
        EnvironmentProblem: it is not installed, or does not fit what is.
    """
    try:
        return importlib.import_module("diffusers")
    except (ImportError, RuntimeError) as error:
        raise _missing(error) from error


def _missing(error: Exception) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"published diffusion needs diffusers and transformers ({first_line(error)}); "
        "run 'pip install oldfix[published]', or choose model = \"auto\""
    )


def _opened(folder: Path, kinds: Mapping[str, Callable[[Any], Published]]) -> Published:
    """Read a pipeline's folder, without asking any hub."""
    index = _index(folder)
    kind = str(index.get("_class_name"))
    if kind not in kinds:
        raise WeightsError(f"{folder}: holds a {kind}, where {' or '.join(kinds)} is wanted")
    spare = ("safety_checker", "feature_extractor", "image_encoder", "watermarker")
    unused = {name: None for name in spare if name in index}
    library = diffusers()
    try:  # diffusers imports a pipeline, and misses what it needs, only here
        pipelines = getattr(library, kind)
    except (ImportError, RuntimeError, AttributeError) as error:
        raise _missing(error) from error
    try:
        pipeline = pipelines.from_pretrained(
            str(folder), local_files_only=True, low_cpu_mem_usage=False, **unused
        )
        net = kinds[kind](pipeline)
    except ImportError as error:
        raise _missing(error) from error
    except Exception as error:  # it raises whatever it likes on a stranger's folder
        raise WeightsError(
            f"{folder}: cannot be opened ({first_line(error)}); copy it again"
        ) from error
    net.eval()
    return net


def _index(folder: Path) -> dict[str, Any]:
    """What a pipeline's folder says of itself."""
    file = folder / "model_index.json"
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{file}: cannot be read ({error}); copy the folder again") from error


def _checked(net: Published, folder: Path, known: int) -> Published:
    """Give the network back if its UNet sees so many planes beside the latent."""
    if net.known != known:
        wanted = net.channels + known
        raise WeightsError(
            f"{folder}: its UNet takes {wanted + net.known - known} channels, not {wanted} "
            f"({net.channels} of the latent, {known} beside it); it was made for another task"
        )
    return net


def _latent(pipeline: Any) -> Published:
    return Published(pipeline.unet, pipeline.vqvae, pipeline.scheduler.config)


def _stable(pipeline: Any) -> Published:
    low = getattr(pipeline, "low_res_scheduler", None)
    return Published(
        pipeline.unet,
        pipeline.vae,
        pipeline.scheduler.config,
        noise_schedule=None if low is None else dict(low.config),
        text=empty_text(pipeline.tokenizer, pipeline.text_encoder),
    )


def empty_text(tokenizer: Any, encoder: Any) -> Tensor:
    """What a text encoder says of a description without words, (1, L, C)."""
    tokens = tokenizer(
        "", padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt"
    )
    with torch.inference_mode():
        text: Tensor = encoder(tokens.input_ids)[0]
    return text.clone()


def tiny_inpainting() -> Published:
    """Random networks of a few thousand parameters, as Stable-Diffusion inpainting has them."""
    library = diffusers()
    torch.manual_seed(0)
    autoencoder = library.AutoencoderKL(**_TINY_AUTOENCODER, latent_channels=4)
    unet = library.UNet2DConditionModel(
        **_TINY_UNET,
        in_channels=9,
        out_channels=4,
        cross_attention_dim=8,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
    )
    net = Published(unet, autoencoder, {}, text=torch.randn(1, 4, 8))
    net.eval()
    return net


def tiny_upscaling() -> Published:
    """Random networks of a few thousand parameters, as latent-diffusion upscaling has them."""
    library = diffusers()
    torch.manual_seed(0)
    autoencoder = library.VQModel(**_TINY_AUTOENCODER, latent_channels=3, num_vq_embeddings=8)
    unet = library.UNet2DModel(
        **_TINY_UNET,
        in_channels=6,
        out_channels=3,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )
    net = Published(unet, autoencoder, {})
    net.eval()
    return net


_TINY_AUTOENCODER: Mapping[str, Any] = {
    "block_out_channels": (4, 4, 4),
    "down_block_types": ("DownEncoderBlock2D",) * 3,
    "up_block_types": ("UpDecoderBlock2D",) * 3,
    "norm_num_groups": 2,
    "sample_size": 32,
}
_TINY_UNET: Mapping[str, Any] = {
    "block_out_channels": (4, 8),
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "attention_head_dim": 4,
    "sample_size": 64,
}
