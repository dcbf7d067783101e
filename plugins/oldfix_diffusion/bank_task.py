"""What trainings on a `Bank` of examples share: drawing from it, and the run to weights."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix.training import PhotoPool, TrainRequest, fit, publish, read_recipe
from oldfix_diffusion.bank import Bank, Maker
from oldfix_diffusion.denoiser import Denoiser
from oldfix_diffusion.net import Autoencoder
from oldfix_diffusion.train_latent import finished_latent
from oldfix_diffusion.train_restorer import channel_worth

_log = logging.getLogger("oldfix.training")
#: Seed of held-out examples, beyond those of any training.
HELD_OUT_SEED = 2**31


class BankTask(ABC):
    """A denoiser that learns from a bank of examples.

    Args:
        bank, held_out: examples to train on and to validate on.
        latent: the autoencoder, frozen.
        net: what is trained.
    """

    def __init__(self, bank: Bank, held_out: Bank, latent: Autoencoder, net: Denoiser) -> None:
        self.bank, self.held_out = bank, held_out
        self.latent, self.net = latent.requires_grad_(False), net
        self.worth = channel_worth(latent)

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """One of the bank's examples; see `Bank.row`."""
        return self.bank.row(int(rng.integers(len(self.bank))))

    @abstractmethod
    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """What is made small, of a batch of the bank's examples."""

    @abstractmethod
    def validate(self, net: nn.Module) -> dict[str, float]:
        """How well a network does on the held-out examples; "score": higher is better."""


def filled_banks(
    makers: Iterable[Maker], latent: Autoencoder, count: int, *, seed: int
) -> tuple[Bank, Bank]:
    """Make examples to train on and, by the second maker, up to 64 that are held out.

    Those do not depend on the seed. The time box of a training begins after this.
    """
    make, make_held_out = makers
    held_out = min(64, count)
    _log.info("making %d examples, which is not part of the time box", count + held_out)
    bank = Bank.filled(make, latent, count, seed=seed)
    return bank, Bank.filled(make_held_out, latent, held_out, seed=HELD_OUT_SEED)


def train_on_bank(
    request: TrainRequest,
    name: str,
    task_of: Callable[[PhotoPool, Autoencoder, Denoiser], BankTask],
    **network: Any,
) -> Path:
    """Train a denoiser in the finished latent; writes ``NAME.safetensors`` and its figures.

    Args:
        request: what ``oldfix train`` was asked for.
        name: of the network, and of its recipe.
        task_of: makes the task of photographs, the autoencoder and the network.
        network: arguments of the `Denoiser` besides the recipe's.
    """
    recipe = read_recipe(Path(__file__).with_name("training.toml"), name, request)
    latent = finished_latent(request).to(request.device)
    pool = PhotoPool.read(request.data, max_side=1024)
    net = Denoiser(latent.config["channels"], **recipe.network, **network)
    begun = time.monotonic()
    task = task_of(pool, latent, net)
    _log.info("made them in %.0f s; the time box begins", time.monotonic() - begun)
    trained = fit(task, recipe.phases["whole"].settings, recipe.part(request, "whole"))
    with torch.inference_mode():
        figures = task.validate(trained.to(request.device))
    return publish(trained, request, name, recipe=recipe, figures=figures, photographs=pool)
