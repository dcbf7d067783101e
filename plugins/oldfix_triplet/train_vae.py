"""Stage one: the two autoencoders, and a latent in which real and synthetic damage look alike."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oldfix.training import TrainRequest, judged_by, publish, read_recipe, stacked, start_from
from oldfix_triplet.discriminators import OWN, PatchDiscriminator
from oldfix_triplet.examples import Domains, held_pairs, held_real
from oldfix_triplet.gap import domain_accuracy
from oldfix_triplet.losses import kl_divergence, lsgan, psnr, reconstruction
from oldfix_triplet.phases import measured, trained
from oldfix_triplet.vae import Vae, VaePair, start_from_principal

NAME = "triplet-vae-s"
_HELD = 96
#: The head start of the discriminator of latents: crops of each domain, steps, batch, and rate.
_CODES, _HEAD_STEPS, _HEAD_BATCH, _HEAD_RATE = 384, 200, 16, 1e-3
_log = logging.getLogger("oldfix.training")
Figures = dict[str, float | Tensor]


class VaeGame(nn.Module):  # type: ignore[misc]
    """Both autoencoders with the discriminators they are trained against.

    Args:
        vae: arguments of both autoencoders.
        alpha: weight of the reconstruction; 10 in the paper.
        kl: weight of the KL divergence; 1 in the paper.
        image_gan: weight of the discriminator of decoded pictures; 1 in the paper, 0 leaves it out.
        latent_gan: weight of the discriminator of latents; 1 in the paper.
        width: of the discriminators; 64 in the paper.
    """

    def __init__(
        self,
        vae: dict[str, Any] | None = None,
        *,
        alpha: float = 10.0,
        kl: float = 1.0,
        image_gan: float = 1.0,
        latent_gan: float = 1.0,
        width: int = 64,
    ) -> None:
        super().__init__()
        arguments = vae or {}
        self.pair = VaePair(**arguments)
        channels = arguments.get("channels", 16)
        self.alpha, self.kl, self.image_gan, self.latent_gan = alpha, kl, image_gan, latent_gan
        self.latent_judge = PatchDiscriminator(channels, width, scales=1)
        self.found_judge = PatchDiscriminator(3, width) if image_gan else None
        self.clean_judge = PatchDiscriminator(3, width) if image_gan else None

    def told(self, vae: Vae, pictures: Tensor, judge: nn.Module | None) -> tuple[Tensor, Tensor]:
        """Code pictures and decode them: the loss of equation 1 or 2, and the codes' means.

        ``KL + alpha L1 + LSGAN``; the discriminator's own loss is part of the sum.
        """
        mean = vae.encode(pictures)
        decoded = vae.decode(vae.sample(mean))
        loss = self.kl * kl_divergence(mean, vae.deviation)
        loss = loss + self.alpha * reconstruction(decoded, pictures)
        if judge is not None:
            made, true = judge(decoded.detach()), judge(pictures)
            loss = loss + self.image_gan * lsgan(judged_by(judge)(decoded), 1.0)
            loss = loss + OWN * 0.5 * (lsgan(made, 0.0) + lsgan(true, 1.0))
        return loss, mean

    def confused(self, z_r: Tensor, z_x: Tensor) -> tuple[Tensor, Tensor]:
        """The two losses of the latent game: the encoder's and the discriminator's.

        As in the published code the discriminator answers 1 for synthetic and 0 for real, and
        only the codes of real photographs are pushed, towards the synthetic ones.
        """
        judge = self.latent_judge
        caught = lsgan(judge(z_x.detach()), 1.0) + lsgan(judge(z_r.detach()), 0.0)
        return lsgan(judged_by(judge)(z_r), 1.0), 0.5 * caught


class VaeTask:
    """Real, synthetic and clean crops, each told again by its autoencoder.

    Args:
        domains: photographs.
        net: what is trained.
        apart: both autoencoders and the latent game; else VAE1 alone learns all three domains,
            which costs half as much, and VAE2 then starts as its copy: so the two latents are
            near each other, and the mapping starts near the identity.
    """

    def __init__(self, domains: Domains, net: VaeGame, *, apart: bool) -> None:
        self.domains, held = domains.split()
        self.net: nn.Module = net
        self.apart = apart
        net.requires_grad_(apart)
        net.pair.found.requires_grad_(True)
        self.x, self.y, _ = held_pairs(held, _HELD)
        self.r = held_real(held, _HELD)

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[Any], ...]:
        """One crop of each domain: r, x, y."""
        x, y, _ = self.domains.pair(rng)
        return self.domains.real_old(rng), x, y

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, Figures]:
        """Equations 1 and 2, and with ``apart`` the latent game of equation 3."""
        assert isinstance(net, VaeGame)
        r, x, y = batch
        pair = net.pair
        if not self.apart:
            loss, _ = net.told(pair.found, torch.cat([r, x, y]), None)
            return loss, {}
        found, z = net.told(pair.found, torch.cat([r, x]), net.found_judge)
        clean, _ = net.told(pair.clean, y, net.clean_judge)
        fooling, caught = net.confused(*z.chunk(2))
        loss = 2 * found + clean + net.latent_gan * fooling + OWN * caught
        return loss, {"fooling": fooling.detach(), "caught": caught.detach()}

    def validate(self, net: nn.Module) -> dict[str, float]:
        """Mean PSNR of held-out crops told again, and how well their domains can be told apart.

        The score trades a tenth of the accuracy above one half for a decibel.
        """
        assert isinstance(net, VaeGame)
        pair = net.pair
        clean = pair.clean if self.apart else pair.found
        device = next(net.parameters()).device
        z_r, z_x = (codes(pair.found, part, device) for part in (self.r, self.x))
        told_x, told_y = told_again(pair.found, self.x, device), told_again(clean, self.y, device)
        gap = domain_accuracy(z_r, z_x)
        figures = {"psnr_found": told_x, "psnr_clean": told_y, "domains_told_apart": gap}
        return {"score": (told_x + told_y) / 2 - 10 * max(0.0, gap - 0.5), **figures}


def head_start(game: VaeGame, task: VaeTask, *, seed: int) -> None:
    """Let the discriminator of latents learn alone, on codes made once.

    It would learn too little while the autoencoders are trained: a step of theirs costs a hundred
    of its own, and one that guesses pushes nowhere.

    Args:
        game: its discriminator is trained, in place.
        task: makes the examples.
        seed: of the examples and of the batches.
    """
    _log.info(
        "making %d examples, for the discriminator of latents alone; not part of the time box",
        _CODES,
    )
    found, judge = game.pair.found, game.latent_judge
    device = next(judge.parameters()).device
    drawn = stacked(task.sample(np.random.default_rng([seed, 9, i])) for i in range(_CODES))
    with torch.no_grad():
        z_r, z_x = (codes(found, part, device) for part in drawn[:2])
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(judge.parameters(), _HEAD_RATE)
    for _ in range(_HEAD_STEPS):
        real, made = torch.randint(_CODES, (2, _HEAD_BATCH), generator=draw)
        _, caught = game.confused(z_r[real].to(device), z_x[made].to(device))
        optimizer.zero_grad()
        caught.backward()
        optimizer.step()


def codes(vae: Vae, pictures: Tensor, device: torch.device) -> Tensor:
    """The posterior means of (N, 3, H, W) pictures, on the CPU."""
    return torch.cat([vae.encode(part.to(device)).cpu() for part in pictures.split(16)])


def told_again(vae: Vae, pictures: Tensor, device: torch.device) -> float:
    """Mean PSNR in dB of pictures decoded from their posterior means."""
    values = [psnr(vae(p).clamp(0, 1), p) for p in (q.to(device) for q in pictures.split(16))]
    return float(torch.cat(values).mean())


def train(request: TrainRequest) -> Path:
    """Train both autoencoders; writes ``triplet-vae-s.safetensors`` with its figures.

    The gap between real and synthetic latents is measured before and after the latent game. With
    ``request.init`` both autoencoders are there already, and the game alone is played, for the
    whole time, once the discriminator has learned alone, before the time box begins. With
    ``request.resume`` a run goes on in the phase in which it stopped.
    """
    recipe = read_recipe(Path(__file__).with_name("training.toml"), NAME, request)
    domains = Domains.read(request.data)
    game, apart = VaeGame(**recipe.network), request
    if request.init is None:
        if game.pair.config.get("kind", "tiles") == "tiles":
            start_from_principal(game.pair.found, torch.cat(held_pairs(domains, _HELD)[:2]))
        together = VaeTask(domains, game, apart=False)
        game = trained(game, together, recipe, request, "together")
        game.pair.clean.load_state_dict(game.pair.found.state_dict())
    else:
        start_from(game.pair, request.init)
        # Made longer by what the phase's share will take off: alone, it has all the time.
        minutes = (request.minutes or recipe.minutes) / recipe.phases["apart"].share
        apart = replace(request, minutes=minutes)
    task = VaeTask(domains, game, apart=True)
    before = measured(task, game.to(request.device))
    if not (request.resume and recipe.part(apart, "apart").checkpoint.is_file()):
        head_start(game, task, seed=request.seed)
    game = trained(game, task, recipe, apart, "apart")
    after = measured(task, game)
    figures = {f"before_{k}": v for k, v in before.items()} | {
        f"after_{k}": v for k, v in after.items()
    }
    return publish(
        game.pair, request, NAME, recipe=recipe, figures=figures, photographs=domains.clean
    )
