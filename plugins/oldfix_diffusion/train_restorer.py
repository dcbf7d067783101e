"""Training of the restorer in the latent of a finished autoencoder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix import write_network
from oldfix.degrade import age
from oldfix.training import PhotoPool, Settings, TrainRequest, fit, installed
from oldfix_diffusion import CARDS
from oldfix_diffusion.net import Autoencoder, load_autoencoder
from oldfix_diffusion.restorer import Restorer, holes_of
from oldfix_diffusion.train_latent import log_error

NAME = "restorer-s"
_CROP = 128
_SETTINGS = Settings(batch=12, learning_rate=6e-4, warmup=200, clip=0.1, ema=0.998)
_Image = NDArray[np.float32]


def train(request: TrainRequest) -> Path:
    """Train the restorer; writes ``restorer-s.safetensors`` and ``.json`` with its figures.

    The autoencoder is the one trained in the folder ``latent-f4-s`` beside ``request.out``, if
    there is one, else the installed one.
    """
    beside = request.out.parent / CARDS[0].id / CARDS[0].file
    latent = load_autoencoder(beside if beside.is_file() else installed(CARDS[0]))
    task = RestorerTask(PhotoPool.read(request.data, max_side=1024), latent.to(request.device))
    net = fit(task, _SETTINGS, request)
    assert isinstance(net, Restorer)
    path = request.out / f"{NAME}.safetensors"
    write_network(path, net, config=net.config)
    with torch.inference_mode():
        figures = {**task.validate(net.to(request.device)), "photographs": len(task.pool)}
    path.with_suffix(".json").write_text(json.dumps(figures, indent=2) + "\n")
    return path


class RestorerTask:
    """Aged crops to be restored, from every point of the way between aged and clean."""

    def __init__(
        self, photographs: PhotoPool, latent: Autoencoder, net: Restorer | None = None
    ) -> None:
        self.pool, validation = photographs.split()
        self.latent = latent.requires_grad_(False)
        self.net = net or Restorer(channels=latent.config["channels"])
        samples = [
            make_sample(validation, np.random.default_rng([7, i]), sound=i < 8) for i in range(48)
        ]
        self.held_out = [
            torch.from_numpy(np.stack(column)).permute(0, 3, 1, 2)
            for column in zip(*samples, strict=True)
        ]

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """(aged, target, mask), of 128 pixels; one in twelve is sound."""
        return make_sample(self.pool, rng, sound=rng.random() < 1 / 12)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Charbonnier losses of latent, decoded prediction and finished picture, and its PSNR.

        The PSNR counts one decibel the same in lightly and in heavily damaged crops. Half of the
        batch is at t = 1, the only time that one step sees (arXiv 2305.04457 draws t evenly,
        which costs one-step quality); only this half trains the detail head.
        """
        assert isinstance(net, Restorer)
        aged, target, mask = batch
        with torch.no_grad():
            z_aged, z_clean = self.latent.encode(torch.cat([aged, target])).chunk(2)
        half = len(aged) // 2
        t = torch.rand(len(aged), device=aged.device)
        t[:half] = 1.0
        at = t[:, None, None, None]
        z = net.denoise((1 - at) * z_clean + at * z_aged, holes_of(mask), t)
        restored = self.latent.decode(z)
        finished = net.detail(aged[:half], restored[:half], mask[:half])
        weight = 1 + mask
        in_latent = charbonnier(z - z_clean).mean()
        decoded = (weight * charbonnier(restored - target)).mean()
        final = (weight[:half] * charbonnier(finished - target[:half])).mean()
        errors = log_error(finished, target[:half], floor=1e-5).mean()
        loss = 0.1 * in_latent + decoded + final + 0.02 * errors
        figures = {"latent": in_latent, "decoded": decoded, "final": final, "psnr": -10 * errors}
        return loss, {name: value.detach() for name, value in figures.items()}

    def validate(self, net: nn.Module) -> dict[str, float]:
        """PSNR of one step over held-out crops: finished, decoded only, as found, and sound."""
        assert isinstance(net, Restorer)
        device = next(net.parameters()).device
        rows = []
        for part in zip(*(column.split(8) for column in self.held_out), strict=True):
            aged, target, mask = (value.to(device) for value in part)
            restored = self.latent.decode(net.denoise(self.latent.encode(aged), holes_of(mask), 1))
            finished = net.detail(aged, restored, mask)
            pictures = [finished.clamp(0, 1), restored.clamp(0, 1), aged]
            rows.append(torch.stack([-10 * log_error(x, target) for x in pictures]))
        sound, worn = rows[0][0].mean(), torch.cat(rows[1:], dim=1).mean(dim=1)
        figures = {
            "psnr": worn[0],
            "latent": worn[1],
            "aged": worn[2],
            "sound": sound.clamp(max=50),
        }
        score = float(worn[0] + 0.1 * figures["sound"])
        return {"score": score, **{name: float(value) for name, value in figures.items()}}


def charbonnier(error: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Return ``sqrt(error^2 + epsilon^2)``."""
    return (error.square() + epsilon**2).sqrt()


def make_sample(
    pool: PhotoPool, rng: np.random.Generator, *, sound: bool
) -> tuple[_Image, _Image, _Image]:
    """Cut a crop, age it, and draw the mask a user or a detector might give.

    Returns:
        (aged, target, mask): (128, 128, 3) twice, and (128, 128, 1). ``sound`` gives
        aged == target.
    """
    truth = age(pool.crop(rng, _CROP), rng=rng, recipe="old-photo")
    aged = truth.target if sound else truth.image
    mask = given_mask(np.zeros_like(truth.defects) if sound else truth.defects, rng)
    return aged, truth.target, mask[..., None]


def given_mask(defects: _Image, rng: np.random.Generator) -> _Image:
    """Turn the truth about the defects into a mask with the faults that masks have.

    Half of the masks are complete and grown a little, a quarter are the opacity itself or
    exact, the others miss parts, mark sound parts, or are empty.
    """
    kind = rng.random()
    if kind < 0.1:
        return np.zeros_like(defects)
    if kind < 0.2:
        return defects
    marked = (defects > 0.1).astype(np.float32)
    if kind < 0.35:
        return marked
    if kind > 0.8:
        marked = _with_errors(marked, rng)
    size = 2 * int(rng.integers(1, 4)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(marked, disc), np.float32)


def _with_errors(marked: _Image, rng: np.random.Generator) -> _Image:
    """Drop marks in some areas and add, in others, marks that belong elsewhere."""
    coarse = rng.random((5, 5), dtype=np.float32)
    field = np.asarray(cv2.resize(coarse, marked.shape[::-1], interpolation=cv2.INTER_CUBIC))
    moved = np.roll(marked[::-1], tuple(rng.integers(0, marked.shape[0], 2)), axis=(0, 1))
    found = np.where(field < rng.uniform(0.2, 0.6), 0, marked)
    return np.asarray(np.where(field > rng.uniform(0.6, 1.0), moved, found), np.float32)
