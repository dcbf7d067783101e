"""Training of the scratch detector on photographs aged with known damage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix.degrade import Recipe, age, load_recipe
from oldfix.evaluation.metrics import average_precision, roc_auc
from oldfix.training import PhotoPool, TrainRequest, fit, publish, read_recipe
from oldfix_scratch.negatives import draw_sound_structures
from oldfix_scratch.net import ScratchNet
from oldfix_scratch.thin import thin_parts

Image = NDArray[np.float32]
Plane = NDArray[np.float32]
Rng = np.random.Generator

NAME = "scratch-unet-s"
#: A data folder of this name holds overlays of film damage (one channel, white = damage).
OVERLAYS = "damage"
#: Side of a training crop, in pixels.
CROP = 128
_VALIDATION = 96
#: Damage wider than this, in pixels, counts by the weight below.
_WIDE_PX = 25
_WIDE_WEIGHT = 0.2
#: Share of the pixels of sound photographs that may lie above a probability of one half, and how
#: many crops it is measured on.
_FALSE_SHARE, _SOUND_CROPS = 0.0005, 400
#: Share of crops without structural damage, besides those that a recipe leaves so.
_SOUND = 0.25
#: Share of crops with drawn sound structures. At one half there is more of them than of damage,
#: and the network starts by learning nothing.
_DRAWN = 0.25
#: A sound crop is the busiest of so many: lace, foliage and print are what it may learn from.
_CANDIDATES = 3
#: Weight of damage that does not show.
_HIDDEN_WEIGHT = 0.05


def train(request: TrainRequest) -> Path:
    """Train for the time box and write ``scratch-unet-s.safetensors`` with its figures beside it.

    Args:
        request: its folders hold sound photographs; one named "damage" holds overlays of real
            film damage, used as one more source of it.

    Returns:
        Path of the weights.
    """
    photos = [folder for folder in request.data if folder.name != OVERLAYS]
    overlays = [folder for folder in request.data if folder.name == OVERLAYS]
    photographs = PhotoPool.read(photos)
    pool, kept = photographs.split()
    recipe = read_recipe(Path(__file__).with_name("training.toml"), NAME, request)
    task = ScratchTask(pool, kept, ScratchNet(**recipe.network), _read_overlays(overlays))
    net = fit(task, recipe.phases["whole"].settings, recipe.part(request, "whole"))
    calibrate(net, [kept.crop(np.random.default_rng(index), CROP) for index in range(_SOUND_CROPS)])
    return publish(
        net,
        request,
        NAME,
        recipe=recipe,
        figures=task.validate(net),
        photographs=photographs,
    )


def calibrate(net: nn.Module, sound: Sequence[Image]) -> None:
    """Shift the network's log-odds so that one half means one false mark in two thousand pixels.

    Thresholds then mean the same after every training (Neyman and Pearson: the rate of false
    alarms is fixed, whatever the share of damage in the training data).

    Args:
        net: a `ScratchNet`; its last bias is changed.
        sound: (H, W, 3) photographs without damage, of one size.
    """
    odds = []
    with torch.no_grad():
        for image in sound:
            pair = (torch.from_numpy(part).permute(2, 0, 1)[None] for part in _seen(image))
            odds.append(net.logits(*pair).flatten()[::4].numpy())
        shift = float(np.quantile(np.concatenate(odds), 1 - _FALSE_SHARE))
        net.head[0].bias -= shift


def _seen(image: Image) -> tuple[Image, Image]:
    return image, thin_parts(image)


@dataclass
class ScratchTask:
    """Aged crops in, where they are damaged out.

    Attributes:
        pool: sound photographs to train on.
        kept: sound photographs to validate on.
        net: what is trained.
        overlays: (H, W) float32 in [0, 1], opacity of damage on film.
    """

    pool: PhotoPool
    kept: PhotoPool
    net: ScratchNet
    overlays: Sequence[Plane] = ()

    def __post_init__(self) -> None:
        rng = np.random.default_rng(7)
        self._validation = [make_example(self.kept, self.overlays, rng) for _ in range(_VALIDATION)]

    def sample(self, rng: Rng) -> tuple[NDArray[Any], ...]:
        """Return an aged picture, the truth and its weight; see `make_example`."""
        return make_example(self.pool, self.overlays, rng)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, Mapping[str, float | Tensor]]:
        """Cross-entropy with damage weighted threefold, plus soft Dice over the batch."""
        image, thin, truth, weight = batch
        logits = net.logits(image, thin).float()
        entropy = nn.functional.binary_cross_entropy_with_logits(
            logits, truth, weight, pos_weight=torch.tensor(3.0, device=logits.device)
        )
        probability, truth = torch.sigmoid(logits) * weight, truth * weight
        overlap = 2 * (probability * truth).sum() + 1
        dice = 1 - overlap / (probability.sum() + truth.sum() + 1)
        return entropy + 0.3 * dice, {"entropy": entropy.detach(), "dice": dice.detach()}

    def validate(self, net: nn.Module) -> Mapping[str, float]:
        """Average precision ("score") and ROC AUC over the pixels of the validation crops."""
        parts = [np.stack(part) for part in zip(*self._validation, strict=True)]
        images, thins = (torch.from_numpy(part).permute(0, 3, 1, 2) for part in parts[:2])
        truths, weights = parts[2:]
        batches = zip(images.split(16), thins.split(16), strict=True)
        with torch.no_grad():
            found = torch.cat([net(*batch).float() for batch in batches])[:, 0, ..., None].numpy()
        counted = weights > 0.5
        found, truth = found[counted], truths[counted]
        return {"score": average_precision(found, truth), "roc_auc": roc_auc(found, truth)}


def make_example(
    pool: PhotoPool, overlays: Sequence[Plane], rng: Rng
) -> tuple[Image, Image, Plane, Plane]:
    """Age a crop; a quarter carry no structural damage, some hold drawn sound structures.

    Returns:
        The aged picture (128, 128, 3), its thin parts (128, 128, 4), the truth and its weight
        (128, 128, 1), all float32.
    """
    enlarged = rng.uniform(1.2, 3.0) if rng.random() < 0.35 else 1.0
    sound, side = rng.random() < _SOUND, round(CROP / enlarged)
    image = busiest(pool, side, rng) if sound else pool.crop(rng, side)
    if rng.random() < 0.6:
        image = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    if rng.random() < _DRAWN:
        image = draw_sound_structures(image, rng)
    aged, opacity, seen = (_sound if sound else _damaged)(image, overlays, rng)
    truth = soft_truth(_resized(opacity))
    weight = weight_of(truth) * np.where(truth > 0, _resized(seen), 1)
    aged = _resized(aged)
    return aged, thin_parts(aged), truth[..., None], weight[..., None].astype(np.float32)


def busiest(pool: PhotoPool, side: int, rng: Rng) -> Image:
    """Of a few crops (side, side, 3), the one with most of what is thin."""
    crops = [pool.crop(rng, side) for _ in range(_CANDIDATES)]
    return max(crops, key=lambda crop: float(thin_parts(crop).mean()))


def soft_truth(opacity: Plane) -> Plane:
    """Map opacity of damage to a target: 0 below 0.1, 1 from 0.3 on, a ramp between."""
    return np.asarray(np.clip((opacity - 0.1) / 0.2, 0, 1), np.float32)


def weight_of(truth: Plane) -> Plane:
    """How much each pixel counts: the inside of wide damage (stains, lost corners) hardly.

    A stain has a hundred times the pixels of a scratch, and is mostly translucent; without this
    the network learns stains alone.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_WIDE_PX, _WIDE_PX))
    wide = cv2.morphologyEx(truth, cv2.MORPH_OPEN, disc)
    return np.asarray(1 - (1 - _WIDE_WEIGHT) * wide, np.float32)


@cache
def damage_recipe() -> Recipe:
    """The damage to learn from."""
    return load_recipe(Path(__file__).with_name("damage.toml"))


def _sound(image: Image, _overlays: Sequence[Plane], rng: Rng) -> tuple[Image, Plane, Plane]:
    """Blur, noise, JPEG or a change of tone, but no structural damage."""
    recipe = ("face", "gaussian-25", "tone", "")[rng.integers(4)]
    aged = age(image, rng=rng, recipe=recipe).image if recipe else image
    return aged, np.zeros(image.shape[:2], np.float32), np.ones(image.shape[:2], np.float32)


def _damaged(image: Image, overlays: Sequence[Plane], rng: Rng) -> tuple[Image, Plane, Plane]:
    """Age with structural damage, sometimes with an overlay of real film damage under it."""
    before, film = image, np.zeros(image.shape[:2], np.float32)
    if overlays and rng.random() < 0.15:
        image, film = _overlaid(image, overlays[int(rng.integers(len(overlays)))], rng)
    result = age(image, rng=rng, recipe=damage_recipe())
    own = visibility(result.image, result.target, result.defects)
    from_film = visibility(image, before, film)
    seen = np.where(film > result.defects, from_film, own)
    return result.image, np.maximum(film, result.defects), np.asarray(seen, np.float32)


def visibility(image: Image, sound: Image, opacity: Plane) -> Plane:
    """1 where damage shows, little where it has the tone of what it covers or drowns in noise.

    Args:
        image: (H, W, 3) with damage.
        sound: the same without.
        opacity: (H, W) of the damage.
    """
    change = cv2.blur(np.abs(cv2.blur(image, (3, 3)) - cv2.blur(sound, (3, 3))).max(2), (3, 3))
    sound_change = change[opacity < 0.05]
    noise = float(np.median(sound_change)) if sound_change.size else 0.0
    shows = np.clip((change - noise - 0.02) / (0.04 + noise), 0, 1)
    return np.asarray(_HIDDEN_WEIGHT + (1 - _HIDDEN_WEIGHT) * shows, np.float32)


def _overlaid(image: Image, overlay: Plane, rng: Rng) -> tuple[Image, Plane]:
    """Lay a turned, cut part of an overlay over a picture, bright or dark."""
    size = image.shape[0]
    side = int(rng.integers(min(size, *overlay.shape), min(overlay.shape) + 1))
    y, x = (int(rng.integers(limit - side + 1)) for limit in overlay.shape)
    part = np.rot90(overlay[y : y + side, x : x + side], int(rng.integers(4)))
    how = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    part = cv2.resize(np.ascontiguousarray(part), (size, size), interpolation=how)
    opacity = (part * rng.uniform(0.4, 1.0))[..., None]
    tone = rng.uniform(0.75, 1.0) if rng.random() < 0.7 else rng.uniform(0.0, 0.25)
    return np.asarray(image * (1 - opacity) + tone * opacity, np.float32), opacity[..., 0]


def _resized(plane: Any) -> Any:
    """Bring a square picture or mask to the size of a training crop."""
    if plane.shape[0] == CROP:
        return plane
    scaled = cv2.resize(plane, (CROP, CROP), interpolation=cv2.INTER_CUBIC)
    return np.clip(scaled, 0, 1)


def _read_overlays(folders: Sequence[Path]) -> list[Plane]:
    """Read overlays of damage: one channel, 8 bits, white = damage."""
    files = sorted(path for folder in folders for path in folder.glob("*.png"))
    images = (cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in files)
    return [image.astype(np.float32) / 255 for image in images if image is not None]
