"""What the phases of training teach: repairing luminance, colouring, and both at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from oldfix.degrade import age, load_recipe
from oldfix.training import PhotoPool, stacked
from oldfix_colorize import losses
from oldfix_colorize.adversary import Adversary
from oldfix_colorize.histogram import pooled
from oldfix_colorize.net import PikFix
from oldfix_colorize.samples import DAMAGE, Views, colourful, luminance_of

_VALIDATED = 64
_HELD_SEED = 0  # of what is held out, so that trainings of any seed can be compared
_PRIOR_SAMPLES = 200
_BATCH = 16
#: Share of an even distribution that is mixed into that of the colours, before rare ones are
#: weighted up: unmixed, a colour that is hardly ever there would outweigh all others.
_EVEN = 0.9
Figures = dict[str, float | Tensor]


@dataclass(frozen=True)
class Weights:
    """Weights of the terms of the colour objective; a term of weight 0 is not computed.

    Attributes:
        near: distance of the mean colour, quadratic below ``least`` and L1 above.
        least: see `oldfix_colorize.losses.near`.
        rough: differences between neighbours, at an eighth of the size.
        classes: cross-entropy of the colour distribution, rare colours weighted up.
        warped: L1 of the warped reference colour, where the reference shows the same scene.
        published: ``L1 + (1 - SSIM)``.
        histogram: distance of the histograms; 0.1 as published.
        adversarial: Wasserstein game; 1 as published, in its last stage.
    """

    near: float = 10.0
    least: float = 0.1
    rough: float = 5.0
    classes: float = 0.25
    warped: float = 2.0
    published: float = 0.1
    histogram: float = 0.1
    adversarial: float = 0.0


class Game(nn.Module):  # type: ignore[misc]
    """The system with what it plays against in the last stage, to be trained as one."""

    def __init__(self, system: PikFix) -> None:
        super().__init__()
        self.system = system
        self.adversary = Adversary()


def system_of(net: nn.Module) -> PikFix:
    """The system alone, without its adversary."""
    system = net.system if isinstance(net, Game) else net
    assert isinstance(system, PikFix)
    return system


class RestorationTask:
    """Teaches the restoration sub-network alone, on crops at full size: ``L1 + (1 - SSIM)``."""

    def __init__(self, net: PikFix, pool: PhotoPool, size: int = 96) -> None:
        self.net: nn.Module = net
        net.requires_grad_(False)
        net.restoration.requires_grad_(True)
        self.pool, held = pool.split()
        self.size = size
        self.recipes = (load_recipe("old-photo-no-tone"), load_recipe(DAMAGE))
        rng = np.random.default_rng(_HELD_SEED)
        self.held = stacked(self.drawn(held, rng) for _ in range(_VALIDATED))

    def drawn(self, pool: PhotoPool, rng: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
        """Damaged luminance and what it should be, (S, S, 1) each."""
        picture = pool.crop(rng, self.size, shrink=0.5)
        recipe = self.recipes[int(rng.integers(len(self.recipes)))]
        aged = age(picture, rng=rng, recipe=recipe)
        return luminance_of(aged.image), luminance_of(aged.target)

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
        """See `drawn`."""
        return self.drawn(self.pool, rng)

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, Figures]:
        """The published reconstruction loss of luminance."""
        assert isinstance(net, PikFix)
        light, target = batch
        return losses.reconstruction(net.restore(light), target), {}

    def validate(self, net: nn.Module) -> Mapping[str, float]:
        """Mean PSNR of held-out crops, repaired and as found, in dB of L*."""
        assert isinstance(net, PikFix)
        light, target = (part.to(_device(net)) for part in self.held)
        repaired = torch.cat([net.restore(part) for part in light.split(_BATCH)]).clamp(0, 1)
        score = _psnr(repaired, target)
        return {"score": score, "psnr": score, "as_found": _psnr(light, target)}


class ColourTask:
    """Teaches similarity and colorization, with and without a reference."""

    #: Whether luminance comes damaged and is repaired first; the game is played only then.
    repaired = False

    def __init__(
        self,
        net: PikFix,
        pool: PhotoPool,
        size: int = 112,
        weights: Weights | None = None,
    ) -> None:
        self.net: nn.Module = net
        self.weights = weights or Weights()
        net.requires_grad_(True)
        net.restoration.requires_grad_(self.repaired)
        net.similarity.features.requires_grad_(net.similarity.features.trained)
        kept, held = colourful(pool).split()
        damage = DAMAGE.stem if self.repaired else "ageing"
        self.views = Views(kept, size, damage=damage)
        held_views = Views(held, size, with_reference=1, foreign=0, jittered=0, damage=damage)
        rng = np.random.default_rng(_HELD_SEED)
        self.held = stacked(held_views.draw(rng)[:4] for _ in range(_VALIDATED))
        self.rarity = self.rarities(rng)
        if self.repaired and self.weights.adversarial:
            self.net = Game(net)

    def sample(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], ...]:
        """One example, its chroma at half the size."""
        light, target, chroma, reference, same = self.views.draw(rng)
        halved = chroma.reshape(chroma.shape[0] // 2, 2, -1, 2, 2).mean(axis=(1, 3))
        return light, target, halved, reference, same

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, Figures]:
        """Return the loss; samples with and without a reference run apart, each at its cost."""
        light, _, chroma, reference, same = batch
        given = reference[:, 3].flatten(1).amax(dim=1) > 0
        parts, figures = [], {"given": float("nan"), "alone": float("nan")}
        for name, chosen in (("given", given), ("alone", ~given)):
            if bool(chosen.any()):
                known = (reference[chosen], same[chosen]) if name == "given" else ()
                part, figures[name] = self.distance(net, light[chosen], chroma[chosen], *known)
                parts.append(part * chosen.float().mean())
        return torch.stack(parts).sum(), figures

    def distance(
        self,
        net: nn.Module,
        light: Tensor,
        chroma: Tensor,
        reference: Tensor | None = None,
        same: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the loss of some samples and their mean chroma error in units of a*, b*."""
        weights, system = self.weights, system_of(net)
        made = system.predict(light, () if reference is None else (reference,))
        error = made.chroma - chroma
        loss = weights.near * losses.near(error, weights.least)
        loss = loss + weights.rough * losses.roughness(functional.avg_pool2d(error, 4))
        truth = system.colorization.classes(functional.avg_pool2d(chroma, 2))
        rarity = self.rarity.to(truth.device)[truth.argmax(dim=1)]
        likely = torch.log(made.probability.clamp_min(1e-6))
        loss = loss - weights.classes * (rarity * (truth * likely).sum(dim=1)).mean()
        if weights.published:
            fit = losses.chroma_reconstruction(made.chroma, chroma)
            loss = loss + weights.published * fit
        if weights.histogram:
            small = (functional.avg_pool2d(planes, 4) for planes in (made.chroma, chroma))
            told = losses.histogram_loss(system.similarity.histogram, *small)
            loss = loss + weights.histogram * told
        if same is not None:
            off = (made.guidance.colour - functional.avg_pool2d(chroma, 4)).abs()
            loss = loss + weights.warped * (off.mean(dim=(1, 2, 3)) * same[:, 0]).mean()
        if isinstance(net, Game):
            fooling, caught = net.adversary(functional.avg_pool2d(light, 2), made.chroma, chroma)
            loss = loss + weights.adversarial * fooling + caught
        return loss, 100 * error.detach().square().sum(1).sqrt().mean()

    def rarities(self, rng: np.random.Generator) -> Tensor:
        """Return the weight of each colour bin: rare ones count more, 1 on average."""
        (chroma,) = stacked((self.views.draw(rng).chroma,) for _ in range(_PRIOR_SAMPLES))
        classes = system_of(self.net).colorization.classes(pooled(chroma))
        frequency = classes.mean(dim=(0, 2, 3))
        weight = 1 / ((1 - _EVEN) * frequency + _EVEN / len(frequency))
        return weight / (weight * frequency).sum()

    def validate(self, net: nn.Module) -> Mapping[str, float]:
        """Measure the mean chroma error with a reference of the same scene, and without."""
        system = system_of(net)
        errors: dict[str, list[float]] = {"given": [], "alone": []}
        for part in zip(*(planes.split(_BATCH) for planes in self.held), strict=True):
            light, _, chroma, reference = (planes.to(_device(net)) for planes in part)
            seen = system.restore(light) if self.repaired else light
            truth = functional.avg_pool2d(chroma, 2)
            for name, planes in (("given", (reference,)), ("alone", ())):
                error = system.predict(seen, planes).chroma.float() - truth
                errors[name].append(100 * float(error.square().sum(1).sqrt().mean()))
        figures = {name: float(np.mean(values)) for name, values in errors.items()}
        grey = 100 * float(self.held[2].square().sum(1).sqrt().mean())
        return {"score": -sum(figures.values()) / 2, **figures, "grey": grey}


class JointTask(ColourTask):
    """Teaches all three end to end: damaged luminance in, repaired luminance and chroma out."""

    repaired = True

    def loss(self, net: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, Figures]:
        """The colour loss of what was repaired, plus the published loss of the repair."""
        light, target, *rest = batch
        repaired = system_of(net).restore(light)
        colour, figures = super().loss(net, (repaired, target, *rest))
        return colour + losses.reconstruction(repaired, target), figures


def _device(net: nn.Module) -> torch.device:
    return next(net.parameters()).device


def _psnr(x: Tensor, target: Tensor) -> float:
    error = (x.float() - target.float()).square().mean(dim=(1, 2, 3))
    return float((-10 * (error + 1e-6).log10()).mean())
