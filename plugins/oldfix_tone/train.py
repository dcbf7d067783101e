"""Training of the tone estimator on thumbnails that were faded and cast, and on sound ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix.degrade import Recipe, age, load_recipe
from oldfix.training import PhotoPool, TrainRequest, fit, publish, read_recipe, stacked
from oldfix_tone.correction import LUMA, Correction, with_saturation
from oldfix_tone.net import SIDE, ToneNet

Image = NDArray[np.float32]

NAME = "tone-s"
#: Steps of the recipe "tone" that take colour away for good.
_COLOUR_LOST = ("grey", "sepia", "toning")
_VALIDATION = 300
_SOUND_WEIGHT = 4.0


def train(request: TrainRequest) -> Path:
    """Train for the time box and write ``tone-s.safetensors`` with its figures beside it."""
    recipe = read_recipe(Path(__file__).with_name("training.toml"), NAME, request)
    photographs = PhotoPool.read(request.data, max_side=2 * SIDE, min_side=SIDE // 2)
    task = ToneTask(*photographs.split(), ToneNet(**recipe.network))
    net = fit(task, recipe.phases["whole"].settings, recipe.part(request, "whole"))
    return publish(
        net,
        request,
        NAME,
        recipe=recipe,
        figures=task.validate(net),
        photographs=photographs,
    )


@dataclass
class ToneTask:
    """Thumbnails of aged tone in, a correction out that brings the sound tone back.

    Attributes:
        pool: photographs of sound tone to train on.
        kept: photographs of sound tone to validate on.
        net: what is trained.
    """

    pool: PhotoPool
    kept: PhotoPool
    net: ToneNet

    def __post_init__(self) -> None:
        recipe = load_recipe("tone")
        steps = tuple(step for step in recipe.step if step.kind not in _COLOUR_LOST)
        self.recipe: Recipe = recipe.model_copy(update={"step": steps})
        rng = np.random.default_rng(7)
        self._validation = [self._example(self.kept, rng) for _ in range(_VALIDATION)]

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """Return ((64, 64, 3) aged, (64, 64, 3) sound), float32."""
        return self._example(self.pool, rng)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Mean distance in lightness and opponent colours, roughly that of CIELAB."""
        aged, sound = batch
        # A correction is the same for every pixel: a quarter of them tells enough.
        mended = corrected(aged[..., ::2, ::2], net(aged))
        distance = opponent_distance(mended, sound[..., ::2, ::2])
        # What needs nothing must be left alone: there an error counts more.
        untouched = (aged == sound).flatten(1).all(1)
        weight = 1 + (_SOUND_WEIGHT - 1) * untouched.float()
        return (weight * distance).mean() / 10, {"distance": distance.mean().detach()}

    def validate(self, net: nn.Module) -> Mapping[str, float]:
        """Mean CIELAB distance from the sound tone: before, after, and of sound pictures."""
        aged, sound = stacked(self._validation)
        with torch.no_grad():
            before, after = (
                lab_distance(aged, sound),
                lab_distance(corrected(aged, net(aged)), sound),
            )
        hurt = before > 1
        figures = {"before": before[hurt], "after": after[hurt], "sound": after[~hurt]}
        means = {name: float(values.mean()) for name, values in figures.items()}
        return {"score": -means["after"] - means["sound"], **means}

    def _example(self, pool: PhotoPool, rng: np.random.Generator) -> tuple[Image, Image]:
        """A quarter grey, a quarter of sound tone."""
        sound = pool.crop(rng, SIDE, shrink=0.8)
        if rng.random() < 0.5:
            sound = varied(sound, rng)
        if rng.random() < 0.25:
            sound = np.repeat((sound @ LUMA)[..., None], 3, axis=2)
            aged = sound if rng.random() < 0.3 else age(sound, rng=rng, recipe=self.recipe).image
            return np.repeat((aged @ LUMA)[..., None], 3, axis=2), sound
        if rng.random() < 0.25:
            return sound, sound
        return age(sound, rng=rng, recipe=self.recipe).image, sound


def varied(image: Image, rng: np.random.Generator) -> Image:
    """Give a sound picture the light, exposure and haze that sound pictures may have.

    The varied picture is the truth: it teaches to leave an evening light or a mist alone.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].
        rng: source of all randomness.
    """
    image = image ** np.float32(np.exp(rng.normal(0, 0.15)))
    white = rng.uniform(0.8, 1.0) * np.exp(rng.normal(0, 0.05, 3))
    black = rng.uniform(0, 0.08) * np.exp(rng.normal(0, 0.2, 3))
    out = black + (np.minimum(white, 1) - black) * image
    return with_saturation(np.asarray(out, np.float32), float(rng.uniform(0.75, 1.25)))


def corrected(images: Tensor, numbers: Tensor) -> Tensor:
    """Apply a batch of corrections; values are cut off, where `Correction` bends them.

    Args:
        images: (N, 3, H, W) sRGB in [0, 1].
        numbers: (N, 10, 1, 1), as `oldfix_tone.net.ToneNet` gives them.
    """
    limits = Correction.limits()
    bent = torch.tanh(numbers)
    gain, exponent = (bent[:, 0:3] * limits[0]).exp(), (bent[:, 6:9] * limits[2]).exp()
    moved = (images * gain - bent[:, 3:6] * limits[1]).clamp(2e-3, 1 - 1e-4) ** exponent
    weights = torch.from_numpy(LUMA).to(images)[None, :, None, None]
    luma = (moved * weights).sum(1, keepdim=True)
    return (luma + (bent[:, 9:10] * limits[3]).exp() * (moved - luma)).clamp(0, 1)


def opponent_distance(images: Tensor, others: Tensor) -> Tensor:
    """Like `lab_distance`, from encoded values without a power: five times as fast."""
    red, green, blue = (images - others).unbind(1)
    lightness = 100 * (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue)
    parts = torch.stack([lightness, 130 * (red - green), 90 * ((red + green) / 2 - blue)])
    return (parts.square().sum(0) + 1e-2).sqrt().mean((1, 2))


def lab_distance(images: Tensor, others: Tensor) -> Tensor:
    """Mean CIELAB distance of each pair in (N, 3, H, W) sRGB: (N,)."""
    apart = _lab(images) - _lab(others)
    return (apart.square().sum(1) + 1e-4).sqrt().mean((1, 2))


def _lab(images: Tensor) -> Tensor:
    """CIELAB (D65) of (N, 3, H, W) sRGB; CIE 15:2004 and IEC 61966-2-1."""
    dark = images / 12.92
    light = torch.where(images > 0.04045, ((images.clamp(min=0.04) + 0.055) / 1.055) ** 2.4, dark)
    matrix = light.new_tensor(
        [[0.43395, 0.37622, 0.18984], [0.21267, 0.71515, 0.07218], [0.01776, 0.10949, 0.87286]]
    )
    xyz = torch.einsum("ij,njhw->nihw", matrix, light)
    root = torch.where(xyz > 0.008856, xyz.clamp(min=0.008) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = root.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)
