"""Training of the restorer in the latent of a finished autoencoder.

Three phases: the denoiser learns in the latent, where a step is cheap; then the detail head learns
what to keep of the photograph, given what the denoiser predicts; then both learn together what
the finished picture should be. A recipe may do with fewer, and go on with a network that is there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix import between
from oldfix.training import PhotoPool, TrainRequest, charbonnier, fit, publish, read_recipe, stacked
from oldfix_diffusion.examples import make_example
from oldfix_diffusion.net import Autoencoder
from oldfix_diffusion.restorer import Restorer, holes_of
from oldfix_diffusion.train_latent import finished_latent, log_error
from oldfix_diffusion.waking import started

NAME = "restorer-s"
#: Weight of the latent's loss beside that of the finished picture.
LATENT_WEIGHT = 0.1


def train(request: TrainRequest) -> Path:
    """Train the restorer; writes ``restorer-s.safetensors`` and ``.json`` with its figures.

    The autoencoder is the one trained in the folder ``latent-f4-s`` beside ``request.out``, if
    there is one, else the installed one.

    Raises:
        UsageError: the recipe goes on with a network, and ``request.init`` names none that fits.
    """
    latent = finished_latent(request)
    recipe = read_recipe(Path(__file__).with_name("training.toml"), NAME, request)
    net = Restorer(channels=latent.config["channels"], **recipe.network)
    asked = started(net, request, recipe)
    pool = PhotoPool.read(request.data, max_side=1024)
    for name, phase in recipe.phases.items():
        task = _TASKS[name](pool, latent.to(request.device), net)
        net = fit(task, phase.settings, recipe.part(asked, name))
    with torch.inference_mode():
        figures = task.validate(net.to(request.device))
    return publish(net, request, NAME, recipe=recipe, figures=figures, photographs=pool)


class _Task(ABC):
    """What the phases share: photographs, the frozen latent, and held-out examples."""

    sound: float

    def __init__(self, photographs: PhotoPool, latent: Autoencoder, net: Restorer) -> None:
        self.pool, validation = photographs.split()
        self.latent = latent.requires_grad_(False)
        self.net = net
        self.held_out = stacked(
            make_example(validation, np.random.default_rng([7, i]), sound=i < 8) for i in range(64)
        )

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """See `make_example`; a part of them is sound."""
        return make_example(self.pool, rng, sound=rng.random() < self.sound)

    @abstractmethod
    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """The loss of a batch, and figures for the log."""

    @abstractmethod
    def validate(self, net: nn.Module) -> dict[str, float]:
        """How well a network does on the held-out examples; "score": higher is better."""

    def examples(self, device: torch.device) -> Iterator[tuple[Tensor, ...]]:
        """The held-out examples, eight at a time; the first eight are sound."""
        for part in zip(*(column.split(8) for column in self.held_out), strict=True):
            yield tuple(value.to(device) for value in part)

    def restored(self, net: Restorer, start: Tensor, mask: Tensor) -> Tensor:
        """What one step gives, decoded."""
        return self.latent.decode(net.denoise(self.latent.encode(start), holes_of(mask), 1.0))


class DenoiserTask(_Task):
    """Latents of aged crops to be cleaned, from every point of the way between aged and clean."""

    sound = 1 / 12

    def __init__(self, photographs: PhotoPool, latent: Autoencoder, net: Restorer) -> None:
        super().__init__(photographs, latent, net)
        net.requires_grad_(True)
        net.head.requires_grad_(False)
        self.worth = channel_worth(latent)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """Charbonnier loss in the latent, each channel by what it is worth in pixels."""
        assert isinstance(net, Restorer)
        _, errors = latent_errors(net, self.latent, self.worth, batch)
        return errors.mean(), {"one_step": errors[: len(errors) // 2].detach().mean()}

    def validate(self, net: nn.Module) -> dict[str, float]:
        """PSNR of the mean squared error of one step, decoded, over held-out worn crops."""
        assert isinstance(net, Restorer)
        errors, found = [], []
        for _, start, target, mask in list(self.examples(next(net.parameters()).device))[1:]:
            restored = self.restored(net, start, mask).clamp(0, 1)
            errors.append((restored - target).square().mean())
            found.append((start - target).square().mean())
        decibels = [-10 * torch.stack(e).mean().log10() for e in (errors, found)]
        return {"score": float(decibels[0]), "filled": float(decibels[1])}


class HeadTask(_Task):
    """What to keep of the photograph, given what the finished denoiser made of it."""

    sound = 1 / 6

    def __init__(self, photographs: PhotoPool, latent: Autoencoder, net: Restorer) -> None:
        super().__init__(photographs, latent, net)
        net.requires_grad_(False)
        net.head.requires_grad_(True)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """See `finished_loss`."""
        assert isinstance(net, Restorer)
        aged, start, target, mask = batch
        with torch.no_grad():
            restored = self.restored(net, start, mask)
        return finished_loss(net.detail(aged, restored, mask), target, mask)

    def validate(self, net: nn.Module) -> dict[str, float]:
        """Mean PSNR over held-out crops (50 dB at most): finished, decoded, filled, and sound."""
        assert isinstance(net, Restorer)
        rows = []
        for aged, start, target, mask in self.examples(next(net.parameters()).device):
            restored = self.restored(net, start, mask)
            pictures = (net.detail(aged, restored, mask), restored, start)
            errors = [log_error(x.clamp(0, 1), target, floor=1e-5) for x in pictures]
            rows.append(-10 * torch.stack(errors))
        sound, worn = rows[0][0].mean(), torch.cat(rows[1:], dim=1).mean(dim=1)
        names = ("finished", "decoded", "filled")
        figures = dict(zip(names, worn.tolist(), strict=True))
        return {"score": figures["finished"] + 0.1 * float(sound), **figures, "sound": float(sound)}


class JointTask(HeadTask):
    """Denoiser and head together: half of the batch finished, half from all points of the way."""

    def __init__(self, photographs: PhotoPool, latent: Autoencoder, net: Restorer) -> None:
        super().__init__(photographs, latent, net)
        net.requires_grad_(True)
        self.worth = channel_worth(latent)

    def loss(
        self, net: nn.Module, batch: tuple[Tensor, ...]
    ) -> tuple[Tensor, dict[str, float | Tensor]]:
        """`finished_loss` of the half at t = 1, and the denoiser's loss of all."""
        assert isinstance(net, Restorer)
        aged, _, target, mask = batch
        z, errors = latent_errors(net, self.latent, self.worth, batch)
        half = len(aged) // 2
        restored = self.latent.decode(z[:half])
        finished = net.detail(aged[:half], restored, mask[:half])
        loss, figures = finished_loss(finished, target[:half], mask[:half])
        return loss + LATENT_WEIGHT * errors.mean(), {**figures, "latent": errors.detach().mean()}


#: The phases that a recipe may have.
_TASKS: Mapping[str, type[_Task]] = {
    "denoiser": DenoiserTask,
    "head": HeadTask,
    "joint": JointTask,
}


def latent_errors(
    net: Restorer, latent: Autoencoder, worth: Tensor, batch: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Predict the clean latents of a batch from the states of `on_the_way`.

    Returns:
        The predictions (N, C, h, w), and their Charbonnier errors weighted by ``worth``.
    """
    _, start, target, mask = batch
    with torch.no_grad():
        z_aged, z_clean = latent.encode(torch.cat([start, target])).chunk(2)
    z_t, t = on_the_way(z_clean, z_aged)
    z = net.denoise(z_t, holes_of(mask), t)
    return z, worth.to(z.device) * charbonnier(z - z_clean)


def on_the_way(z_clean: Tensor, z_found: Tensor) -> tuple[Tensor, Tensor]:
    """States between two batches of latents: the first half at t = 1, the others at any time.

    Half of the batch is at the only time that one step sees (arXiv 2305.04457 draws t evenly,
    which costs one-step quality).

    Returns:
        ``z_t`` (N, C, h, w) and t (N,).
    """
    t = torch.rand(len(z_found), device=z_found.device)
    t[: (len(t) + 1) // 2] = 1.0
    return between(z_clean, z_found, t[:, None, None, None]), t


def finished_loss(
    finished: Tensor, target: Tensor, mask: Tensor
) -> tuple[Tensor, dict[str, float | Tensor]]:
    """Charbonnier loss and PSNR: one decibel counts the same in mild and in heavy damage."""
    final = ((1 + mask) * charbonnier(finished - target)).mean()
    errors = log_error(finished, target, floor=1e-5).mean()
    return final + 0.03 * errors, {"final": final.detach(), "psnr": -10 * errors.detach()}


def channel_worth(latent: Autoencoder) -> Tensor:
    """How much a unit of each latent channel changes the decoded pixels, mean 1; (1, C, 1, 1)."""
    channels = latent.config["channels"]
    units = torch.eye(channels)[:, :, None, None].expand(-1, -1, 16, 16)
    units = units.to(latent.mean.device)
    with torch.inference_mode():
        change = latent.decode(units) - latent.decode(torch.zeros_like(units))
    worth = change.float().square().mean(dim=(1, 2, 3)).sqrt().clone()
    return (worth / worth.mean())[None, :, None, None]
