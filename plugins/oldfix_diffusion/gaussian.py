"""The usual latent diffusion, from Gaussian noise, as a rival of the interpolation used here.

A conditional latent diffusion model (arXiv 2112.10752) in our own latent: it sees the noisy latent
and, beside it, the latent of the photograph as found and its mask. It predicts the velocity
``v = a e - s x_0`` of ``x_t = a x_0 + s e`` (arXiv 2202.00512), under a noise schedule that ends in
pure noise (arXiv 2305.08891), so that even a single step is well defined.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from oldfix import SAMPLERS
from oldfix.training import charbonnier
from oldfix_diffusion.bank import Bank
from oldfix_diffusion.bank_task import BankTask
from oldfix_diffusion.denoiser import Denoiser
from oldfix_diffusion.net import Autoencoder
from oldfix_diffusion.train_latent import log_error
from oldfix_diffusion.train_restorer import on_the_way
from oldfix_diffusion.walking import make_scheduler, to_plane, to_tensor, walk

#: Noise levels that a network is trained at.
LEVELS = 1000
#: What its scheduler is made of.
SCHEDULE: Mapping[str, Any] = {
    "num_train_timesteps": LEVELS,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
}
_Array = NDArray[np.float32]
Restore = Callable[[Denoiser, _Array, _Array, int], _Array]


def velocity(net: Denoiser, z_t: Tensor, known: Tensor, level: Tensor) -> Tensor:
    """The velocity predicted for noisy latents (N, C, h, w) at levels (N,) from 0 to 999."""
    # The network adds what it is given to what it says; for a velocity that would be no help.
    predicted: Tensor = net(z_t, known, (level + 1) / LEVELS) - z_t
    return predicted


class PairTask(BankTask):
    """What the two rivals share: their validation; ``known`` in the bank is the mask's squares."""

    @abstractmethod
    def one_step(self, net: Denoiser, z_start: Tensor, squares: Tensor) -> Tensor:
        """The clean latent guessed in one step."""

    def validate(self, net: nn.Module) -> dict[str, float]:
        """Mean PSNR of one step, decoded, over held-out crops."""
        assert isinstance(net, Denoiser)
        device, errors = next(net.parameters()).device, []
        for batch in self.held_out.batches(8):
            _, target, squares, z_start, _ = (value.to(device) for value in batch)
            picture = self.latent.decode(self.one_step(net, z_start, squares)).clamp(0, 1)
            errors.append(log_error(picture, target, floor=1e-5))
        return {"score": float(-10 * torch.cat(errors).mean())}


class InterpolationTask(PairTask):
    """The way between the photograph as found and the clean one, as in ``restorer-s``."""

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Charbonnier loss in the latent, each channel by what it is worth in pixels."""
        _, _, squares, z_start, z_target = batch
        z_t, t = on_the_way(z_target, z_start)
        loss = (self.worth.to(z_t.device) * charbonnier(net(z_t, squares, t) - z_target)).mean()
        return loss, {}

    def one_step(self, net: Denoiser, z_start: Tensor, squares: Tensor) -> Tensor:
        """What the network makes of the photograph as found."""
        guess: Tensor = net(z_start, squares, 1.0)
        return guess


class GaussianTask(PairTask):
    """The way between Gaussian noise and the clean photograph, told the one as found."""

    def __init__(self, bank: Bank, held_out: Bank, latent: Autoencoder, net: Denoiser) -> None:
        super().__init__(bank, held_out, latent, net)
        self.scheduler = make_scheduler("ddpm", SCHEDULE)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Mean squared error of the velocity, all noise levels equally often."""
        assert isinstance(net, Denoiser)
        _, _, squares, z_start, z_target = batch
        level = torch.randint(LEVELS, (len(z_target),), device=z_target.device)
        noise = torch.randn_like(z_target)
        z_t = self.scheduler.add_noise(z_target, noise, level)
        truth = self.scheduler.get_velocity(z_target, noise, level)
        predicted = velocity(net, z_t, torch.cat([z_start, squares], dim=1), level)
        return functional.mse_loss(predicted.float(), truth), {}

    def one_step(self, net: Denoiser, z_start: Tensor, squares: Tensor) -> Tensor:
        """From pure noise, where the velocity is the clean latent with its sign changed."""
        noise = torch.randn(z_start.shape, generator=torch.Generator().manual_seed(0))
        level = torch.full((len(z_start),), LEVELS - 1, device=z_start.device)
        known = torch.cat([z_start, squares], dim=1)
        return -velocity(net, noise.to(z_start.device), known, level)


def interpolated(net: Denoiser, z_found: _Array, squares: _Array, steps: int) -> _Array:
    """Walk from a latent as found (h, w, C) to a clean one."""

    def predict(z: _Array, t: float) -> _Array:
        with torch.inference_mode():
            return to_plane(net(to_tensor(z), to_tensor(squares), t))

    return SAMPLERS["improved"](predict, z_found, steps)


def denoised(scheduler: str) -> Restore:
    """How to walk from noise, always the same, to a clean latent by "ddim" or "ddpm"."""

    def restore(net: Denoiser, z_found: _Array, squares: _Array, steps: int) -> _Array:
        channels = z_found.shape[2]

        def predict(planes: _Array, t: int) -> _Array:
            z_t, known = to_tensor(planes).split([channels, planes.shape[2] - channels], dim=1)
            with torch.inference_mode():
                return to_plane(velocity(net, z_t, known, torch.tensor([t])))

        noise = np.random.default_rng(0).standard_normal(z_found.shape, np.float32)
        known = np.concatenate([z_found, squares], axis=2)
        return walk(predict, noise, known, make_scheduler(scheduler, SCHEDULE), steps=steps, seed=0)

    return restore
