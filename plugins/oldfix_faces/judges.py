"""Networks that judge faces while a refiner is trained: is it a face, an eye, the same person?"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from oldfix import WeightsError, compat, discover, fill_from_checkpoint
from oldfix.training import best_installed, installed_network
from oldfix_faces.detector_net import without_wrapper

#: Role of cards whose networks tell people apart: (N, 1, 128, 128) grey in [-1, 1] to numbers.
IDENTITY = "identify-faces"
#: What torchvision calls its VGG-19; the eight digits begin its SHA-256.
_VGG = "vgg19-dcbb9e9d.pth"
#: Layers of the perceptual loss, before their activation, and their weights.
_VGG_LAYERS = {"conv1_2": 0.1, "conv2_2": 0.1, "conv3_4": 1.0, "conv4_4": 1.0, "conv5_4": 1.0}
_VGG_WEIGHT, _VGG_STYLE = 1.0, 50.0


def face_judge(size: int, multiplier: float, narrow: float) -> nn.Module:
    """basicsr's StyleGAN2 discriminator of whole faces."""
    kind = compat.load("basicsr.archs.stylegan2_arch:StyleGAN2Discriminator")
    return kind(size, channel_multiplier=multiplier, narrow=narrow)


def component_judge() -> nn.Module:
    """gfpgan's discriminator of one component; it gives its features too."""
    return compat.load("gfpgan.archs.gfpganv1_arch:FacialComponentDiscriminator")()


def identity_network(name: str) -> nn.Module | None:
    """Return the network that tells people apart, or None where there is none.

    Args:
        name: id of a card of the role `IDENTITY`; "auto" for the best installed one, or none;
            "none".

    Raises:
        WeightsError: the card named is unknown or not installed, or the file is not its own.
    """
    if name == "none":
        return None
    cards = {id_: card for id_, card in discover().cards.items() if card.role == IDENTITY}
    if name == "auto":
        card = best_installed(cards.values(), IDENTITY)
        return None if card is None else installed_network(card)
    if name not in cards:
        raise WeightsError(
            f"{name}: is no card of the role '{IDENTITY}'; see 'oldfix weights list'"
        )
    return installed_network(cards[name])


def load_arcface(path: Path) -> nn.Module:
    """Load ``arcface_resnet18.pth``, the identity network of GFP-GAN's training.

    No digest of that file has been published, so oldfix has no card for it; a card of your own
    names this function.

    Raises:
        WeightsError: the file holds something other than tensors, or another network.
    """
    net = compat.load("gfpgan.archs.arcface_arch:ResNetArcFace")(
        "IRBlock", [2, 2, 2, 2], use_se=False
    )
    fill_from_checkpoint(net, path, "ArcFace's ResNet-18", without_wrapper)
    return net


def perceptual_loss() -> nn.Module | None:
    """basicsr's perceptual and style loss if torchvision's VGG-19 has been downloaded, else None.

    Nothing is downloaded here.
    """
    if not (Path(torch.hub.get_dir()) / "checkpoints" / _VGG).is_file():
        return None
    kind = compat.load("basicsr.losses.basic_loss:PerceptualLoss")
    net: nn.Module = kind(
        _VGG_LAYERS,
        range_norm=True,
        perceptual_weight=_VGG_WEIGHT,
        style_weight=_VGG_STYLE,
    )
    return net.requires_grad_(False)
