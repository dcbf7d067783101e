"""The published GFP-GAN beside ours: the same file, the same aligned face, the same picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from oldfix import compat, discover
from oldfix.weights.store import Store
from oldfix_faces.refiner_net import PUBLISHED, FaceRefiner, load_checkpoint, load_published

#: The published arguments a sixteenth as wide, still for faces of 512 pixels.
NARROW = {**PUBLISHED, "narrow": 1 / 16, "num_style_feat": 32, "num_mlp": 1}


class Helper:
    """facexlib's FaceRestoreHelper as far as an aligned face needs it; downloads nothing."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.clean_all()

    def clean_all(self) -> None:
        self.cropped_faces: list[Any] = []
        self.restored_faces: list[Any] = []

    def add_restored_face(self, face: Any) -> None:
        self.restored_faces.append(face)


class WithoutNoise(nn.Module):
    """GFPGANv1Clean with the noise it stores; GFPGANer does not hand the choice through."""

    arguments: ClassVar[dict[str, Any]] = PUBLISHED

    def __init__(self, **_: Any) -> None:
        super().__init__()
        kind = compat.load("gfpgan.archs.gfpganv1_clean_arch:GFPGANv1Clean")
        self.inner = kind(**self.arguments)

    def load_state_dict(self, state: Any, strict: bool = True) -> Any:
        return self.inner.load_state_dict(state, strict=strict)

    def forward(self, faces: Any, **how: Any) -> Any:
        return self.inner(faces, randomize_noise=False, **how)


class NarrowWithoutNoise(WithoutNoise):
    arguments = NARROW


def official_file(path: Path, arguments: dict[str, Any]) -> Any:
    """A file in the layout of the official ones, with noise that counts; and its network."""
    torch.manual_seed(3)
    net = compat.load("gfpgan.archs.gfpganv1_clean_arch:GFPGANv1Clean")(**arguments)
    for name, value in net.named_parameters():
        if name.endswith("stylegan_decoder.style_conv1.weight") or (
            "style_convs" in name and value.shape == (1,)
        ):
            nn.init.constant_(value, 0.1)  # how strongly a layer's noise is added
    torch.save({"params_ema": net.state_dict()}, path)
    return net.eval()


def enhanced(path: Path, face: NDArray[np.uint8], monkeypatch: Any, kind: Any) -> Any:
    """What GFPGANer makes of an aligned face, RGB in and out; its own constructor and code."""
    utils = compat.load("gfpgan.utils")
    monkeypatch.setattr(utils, "FaceRestoreHelper", Helper)
    monkeypatch.setattr(utils, "GFPGANv1Clean", kind)
    restorer = utils.GFPGANer(
        str(path), upscale=1, arch="clean", channel_multiplier=2, device=torch.device("cpu")
    )
    bgr = np.ascontiguousarray(face[..., ::-1])
    cropped, restored, pasted = restorer.enhance(bgr, has_aligned=True)
    assert len(cropped) == len(restored) == 1 and pasted is None
    return restored[0][..., ::-1]


def refined(net: FaceRefiner, face: NDArray[np.uint8]) -> Any:
    """What our network makes of it, rounded to 8 bits as GFPGANer does."""
    pixels = torch.from_numpy(face.transpose(2, 0, 1)[None] / np.float32(255))
    with torch.no_grad():
        result = (pixels + net(pixels)).clamp(0, 1)
    return np.round(result[0].permute(1, 2, 0).numpy() * 255).astype(np.uint8)


def a_face() -> NDArray[np.uint8]:
    """512 x 512 pixels of a portrait."""
    data = pytest.importorskip("skimage.data")
    return np.ascontiguousarray(data.astronaut())


def agree(mine: Any, theirs: Any) -> None:
    """Equal, but for values that lie on the edge between two of the 256 levels."""
    difference = np.abs(mine.astype(int) - theirs.astype(int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.002


def test_an_aligned_face_comes_out_as_from_gfpganer(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "GFPGANnarrow.pth"
    plain = official_file(path, NARROW)
    face = a_face()
    net = load_checkpoint(path, NARROW)
    theirs = enhanced(path, face, monkeypatch, NarrowWithoutNoise)
    agree(refined(net, face), theirs)
    assert theirs.std() > 5  # a picture, not a flat colour

    pixels = torch.from_numpy(face.transpose(2, 0, 1)[None].copy()) / 127.5 - 1
    with torch.no_grad():
        with_noise = plain(pixels, randomize_noise=False)[0]
        for name, value in plain.stylegan_decoder.noises.named_buffers():
            setattr(plain.stylegan_decoder.noises, name, torch.zeros_like(value))
        without = plain(pixels, randomize_noise=False)[0]
    assert float((with_noise - without).abs().max()) > 1e-3  # the stored noise has a say


def test_the_published_network_has_the_published_size() -> None:
    with torch.device("meta"):
        net = compat.load("gfpgan.archs.gfpganv1_clean_arch:GFPGANv1Clean")(**PUBLISHED)
    count = sum(value.numel() for value in net.state_dict().values())
    stated = discover().cards["gfpgan-1.4"].bytes
    assert abs(4 * count - stated) < 0.001 * stated  # float32, and little besides


@pytest.mark.slow
def test_the_full_size_comes_out_as_from_gfpganer(tmp_path: Path, monkeypatch: Any) -> None:
    path = tmp_path / "GFPGANfull.pth"
    official_file(path, PUBLISHED)
    face = a_face()
    mine = refined(load_published(path), face)
    agree(mine, enhanced(path, face, monkeypatch, WithoutNoise))


@pytest.mark.real_weights
@pytest.mark.parametrize("name", ["gfpgan-1.3", "gfpgan-1.4"])
def test_the_official_file_comes_out_as_from_gfpganer(name: str, monkeypatch: Any) -> None:
    store, card = Store(), discover().cards[name]
    if not store.installed(card):
        pytest.skip(f"{card.file} is not installed")
    face = a_face()
    mine = refined(load_published(store.verify(card)), face)
    agree(mine, enhanced(store.verify(card), face, monkeypatch, WithoutNoise))
