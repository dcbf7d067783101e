"""The two games of GFP-GAN's training: a prior of faces, then restoration with that prior.

Both are written as one loss for both sides: a judge's own loss is part of the sum, and what it
judges sees it fixed. Pictures are in [-1, 1], as in the published code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from oldfix import compat
from oldfix.training import judged_by
from oldfix_faces import published_losses as losses
from oldfix_faces.components import component_boxes, regions
from oldfix_faces.judges import component_judge, face_judge
from oldfix_faces.refiner_net import FaceRefiner

Figures = dict[str, float | Tensor]

#: How often faces are drawn from two styles, and the path length's running mean (StyleGAN2).
_MIXED, _PATH_DECAY = 0.9, 0.01


class Game(nn.Module):  # type: ignore[misc]
    """A refiner, its judge of whole faces, and how often that judge is held smooth.

    Args:
        refiner: the network that is trained, not residual and without a head.
        r1: weight of the R1 penalty; 10 as published.
        r1_every: steps between two of them; 16 as published.
    """

    def __init__(self, refiner: FaceRefiner, *, r1: float = 10.0, r1_every: int = 16) -> None:
        super().__init__()
        arguments = refiner.config
        self.refiner, self.r1, self.r1_every = refiner, r1, r1_every
        self.judge = face_judge(refiner.size, arguments["channel_multiplier"], arguments["narrow"])
        self.real_or_made = losses.adversarial()
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move as any module, but for the memory format: StyleGAN2 has weights of five axes."""
        kwargs.pop("memory_format", None)
        moved: Self = super().to(*args, **kwargs)
        return moved

    def fooled(self, made: Tensor) -> Tensor:
        """How far made faces (N, 3, size, size) are from passing for real."""
        value: Tensor = self.real_or_made(judged_by(self.judge)(made), True, is_disc=False)
        return value

    def judged(self, made: Tensor, real: Tensor) -> tuple[Tensor, Figures]:
        """The judge's own loss; counts a step."""
        true = self.judge(real)
        own = self.real_or_made(true, True, is_disc=True)
        own = own + self.real_or_made(self.judge(made.detach()), False, is_disc=True)
        if int(self.steps) % self.r1_every == 0:
            smooth = real.detach().requires_grad_(True)
            penalty = losses.r1(self.judge(smooth), smooth)
            own = own + self.r1 / 2 * self.r1_every * penalty
        self.steps += 1
        return own, {"real": true.detach().mean()}


class PriorGame(Game):
    """StyleGAN2 in the place it has in the refiner (Karras et al., CVPR 2020, arXiv 1912.04958).

    Args:
        refiner: its decoder is what is trained; as published nothing modulates it here.
        path: weight of the path length's regularisation; 2 as published, 0 for none.
        path_every: steps between two of them; 4 as published.
        judge: further arguments of `Game`.
    """

    def __init__(
        self, refiner: FaceRefiner, *, path: float = 2.0, path_every: int = 4, **judge: Any
    ) -> None:
        super().__init__(refiner, **judge)
        self.path, self.path_every = path, path_every
        self.register_buffer("path_length", torch.zeros(()))

    def faces(self, count: int, *, noise: bool = True) -> tuple[Tensor, Tensor]:
        """Draw faces: (count, 3, size, size), and their styles in every layer."""
        decoder = self.refiner.gfpgan.stylegan_decoder
        width, device = decoder.num_style_feat, decoder.constant_input.weight.device
        styles = [torch.randn(count, width, device=device)]
        inject = None
        if noise and float(torch.rand(())) < _MIXED:
            styles.append(torch.randn(count, width, device=device))
            inject = int(torch.randint(1, decoder.num_latent, ()))
        made: tuple[Tensor, Tensor] = decoder(
            styles, [], randomize_noise=noise, inject_index=inject, return_latents=True
        )
        return made

    def forward(self, real: Tensor) -> tuple[Tensor, Figures]:
        """The loss of both sides for a batch of real faces (N, 3, size, size)."""
        step = int(self.steps)
        made, _ = self.faces(len(real))
        fooling = self.fooled(made)
        own, figures = self.judged(made, real)
        total = fooling + own
        if self.path and step % self.path_every == 0:
            total = total + self.path * self.path_every * self.uneven(max(1, len(real) // 2))
        return total, {**figures, "fooling": fooling.detach(), "judge": own.detach()}

    def uneven(self, count: int) -> Tensor:
        """How far the path lengths of a few drawn faces are from their running mean, squared."""
        made, latents = self.faces(count)
        regularise = compat.load("basicsr.losses.gan_loss:g_path_regularize")
        penalty, _, mean = regularise(made, latents, self.path_length, _PATH_DECAY)
        self.path_length.copy_(mean)
        value: Tensor = penalty
        return value


class RestorationGame(Game):
    """GFP-GAN's own game; the weights are those published (train_gfpgan_v1.yml).

    Args:
        refiner: the network.
        weights: of the terms, where they differ from `WEIGHTS`.
        pyramid_steps: the pyramid's term ends after so many steps.
        frozen_prior: the prior stays as it was trained.
        judge: further arguments of `Game`.
    """

    #: Term -> its weight in the sum.
    WEIGHTS: Mapping[str, float] = {
        "pixels": 0.1,
        "pyramid": 1.0,
        "adversarial": 0.1,
        "components": 1.0,
        "style": 200.0,
        "identity": 10.0,
    }

    def __init__(
        self,
        refiner: FaceRefiner,
        *,
        weights: Mapping[str, float] | None = None,
        pyramid_steps: int = 50_000,
        frozen_prior: bool = True,
        **judge: Any,
    ) -> None:
        super().__init__(refiner, **judge)
        self.weights = {**self.WEIGHTS, **(weights or {})}
        self.pyramid_steps = pyramid_steps
        self.boxes = component_boxes(refiner.size)
        self.parts = nn.ModuleDict({name: component_judge() for name in self.boxes})
        self.part_or_made = losses.component_adversarial()
        refiner.gfpgan.stylegan_decoder.requires_grad_(not frozen_prior)

    def restored(self, damaged: Tensor) -> tuple[Tensor, Sequence[Tensor]]:
        """The refined faces, and the U-Net's side outputs from 8 pixels up."""
        *sides, image = self.refiner.pyramid((damaged + 1) / 2)
        return image, sides

    def forward(self, damaged: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Figures]:
        """The loss of both sides, the refined faces, and figures, for (N, 3, size, size)."""
        weights = self.weights
        image, sides = self.restored(damaged)
        terms = {"pixels": (image - target).abs().mean()}
        if int(self.steps) < self.pyramid_steps:
            terms["pyramid"] = losses.pyramid(sides, target)
        terms["adversarial"] = self.fooled(image)
        terms["components"], terms["style"], own_parts = self.of_parts(image, target)
        own, figures = self.judged(image, target)
        total = own + own_parts
        for name, value in terms.items():
            total = total + weights[name] * value
        told: Figures = {name: value.detach() for name, value in terms.items()}
        return total, image, {**figures, **told, "judge": own.detach()}

    def of_parts(self, image: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Eyes and mouth: how far from real, their feature style, and their judges' own loss."""
        zero = torch.zeros((), device=image.device)
        fooling, style, own = zero, zero, zero
        made, true = regions(image, self.boxes), regions(target, self.boxes)
        for name, judge in self.parts.items():
            scores, features = judged_by(judge)(made[name], return_feats=True)
            with torch.no_grad():
                _, wanted = judge(true[name], return_feats=True)
            fooling = fooling + self.part_or_made(scores, True, is_disc=False)
            style = style + losses.feature_style(features, wanted)
            own = own + self.part_or_made(judge(true[name])[0], True, is_disc=True)
            own = own + self.part_or_made(judge(made[name].detach())[0], False, is_disc=True)
        return fooling, style, own


def start_near_identity(refiner: FaceRefiner) -> None:
    """Let the modulation start where it changes nothing: scale 1 and shift 0.

    As the first published network (GFPGANv1) starts; the clean one, never published with its
    training, leaves this out.
    """
    for heads, value in (
        (refiner.gfpgan.condition_scale, 1.0),
        (refiner.gfpgan.condition_shift, 0.0),
    ):
        for head in heads:
            nn.init.zeros_(head[-1].weight)
            nn.init.constant_(head[-1].bias, value)
