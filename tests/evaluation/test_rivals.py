"""Published networks: found by name, built to fit their files, and named when absent."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from oldfix import UsageError
from oldfix.evaluation.rivals import Rivals, rival_rows
from oldfix.evaluation.rows import Row, Skipped
from oldfix.evaluation.samples import Sample


def stack(widths: list[int]) -> dict[str, torch.Tensor]:
    """The state of a stack of convolutions that give nothing."""
    state = {}
    for index, (into, out) in enumerate(pairwise(widths)):
        state[f"model.{2 * index}.weight"] = torch.zeros(out, into, 3, 3)
        state[f"model.{2 * index}.bias"] = torch.zeros(out)
    return state


def conv(state: dict[str, torch.Tensor], name: str, out: int, into: int, side: int = 3) -> None:
    state[f"{name}.weight"] = 0.05 * torch.randn(out, into, side, side)
    state[f"{name}.bias"] = torch.zeros(out)


def dust() -> dict[str, torch.Tensor]:
    """The state of an untrained dust network."""
    state: dict[str, torch.Tensor] = {}
    blocks = {f"down_path.{i}": (3 if i == 0 else 8 << i, 16 << i) for i in range(4)}
    for level, width in enumerate((64, 32, 16)):
        conv(state, f"up_path.{level}.up", 2 * width, width, 2)
        state[f"up_path.{level}.up.bias"] = torch.zeros(width)
        blocks[f"up_path.{level}.conv_block"] = (2 * width, width)
    for name, (into, out) in blocks.items():
        for number, width in ((1, into), (5, out)):
            conv(state, f"{name}.block.{number}", out, width)
            norm = f"{name}.block.{number + 2}"
            for part, value in (("weight", 1), ("bias", 0), ("running_mean", 0)):
                state[f"{norm}.{part}"] = torch.full((out,), float(value))
            state[f"{norm}.running_var"] = torch.ones(out)
    conv(state, "last", 1, 16, 1)
    return state


def tiny(ends: dict[int, tuple[int, int]], steps: set[int], blocks: set[int]) -> dict:
    """The state of one half of an untrained TAEF2, eight channels wide."""
    state: dict[str, torch.Tensor] = {}
    for number, (into, out) in ends.items():
        conv(state, str(number), out, into)
    for number in steps:
        conv(state, str(number), 8, 8)
    for number in blocks:
        for inner in (0, 2, 4):
            conv(state, f"{number}.conv.{inner}", 8, 8)
    return state


@pytest.fixture
def folder(tmp_path):
    """Untrained networks under the published files' names."""
    torch.manual_seed(0)
    encoder = tiny({0: (3, 8), 14: (8, 32)}, {2, 6, 10}, {1, 3, 4, 5, 7, 8, 9, 11, 12, 13})
    decoder = tiny({1: (32, 8), 19: (8, 3)}, {7, 12, 17}, {3, 4, 5, 8, 9, 10, 13, 14, 15, 18})
    states = {
        "dncnn_color_blind.pth": stack([3, 4, 4, 3]),
        "ffdnet_color.pth": stack([13, 4, 12]),
        "dncnn_gray_blind.pth": stack([1, 4, 1]),
        "ffdnet_gray.pth": stack([5, 4, 4]),
        "dust16_19.pth": dust(),
        "taef2_encoder.pth": encoder,
        "taef2_decoder.pth": decoder,
    }
    (tmp_path / "deep").mkdir()
    for name, state in states.items():
        torch.save(state, tmp_path / "deep" / name)
    return tmp_path


def rows(kind: str, folder) -> dict[str, Row | Skipped]:
    return {row.name: row for row in rival_rows(kind, Rivals.open(folder), "cpu")}


def sample(height: int = 21, width: int = 34) -> Sample:
    image = np.random.default_rng(0).random((height, width, 3), np.float32)
    return Sample("x", image, truth=image)


def test_denoisers_keep_the_size(folder):
    found = rows("denoise", folder)
    asked = sample()
    np.testing.assert_allclose(
        found["DnCNN, colour, blind"].run(asked), asked.image, atol=1e-6
    )  # no noise is seen, so none is taken away
    assert found["FFDNet, colour"].run(asked).shape == asked.image.shape
    assert found["FFDNet, colour"].kind == "rival"


def test_denoisers_may_be_given_noise_as_in_their_training(folder):
    asked = replace(sample(), unclipped=np.full((21, 34, 3), 0.25, np.float32))
    found = rows("gaussian", folder)
    beyond = found["DnCNN, colour, blind, not clipped"].run(asked)
    np.testing.assert_allclose(beyond, 0.25, atol=1e-6)
    np.testing.assert_allclose(found["DnCNN, colour, blind"].run(asked), asked.image, atol=1e-6)


def test_grey_networks_are_given_one_channel_and_answer_for_all(folder):
    grey = np.repeat(sample().image[..., :1], 3, axis=2)
    for name, row in rows("grey", folder).items():
        result = row.run(Sample("x", grey, truth=grey))
        if name.startswith("DnCNN"):
            np.testing.assert_allclose(result, grey, atol=1e-6)
        assert result.shape == grey.shape
        np.testing.assert_array_equal(result[..., 0], result[..., 1])


def test_maps_and_codes_keep_the_size(folder):
    for row in rows("scratches", folder).values():
        marked = row.run(sample())
        assert marked.shape == (21, 34)
        assert marked.min() >= 0 and marked.max() <= 1
    assert rows("latent", folder)["TAEF2"].run(sample()).shape == (21, 34, 3)


def test_absent_and_broken_files_are_named(folder):
    (folder / "deep" / "ffdnet_color.pth").write_bytes(b"no network")
    found = rows("denoise", folder)
    assert "no realesr-general-x4v3*.pth below" in found["realesr-general-x4v3"].why
    assert "ffdnet_color.pth cannot be opened" in found["FFDNet, colour"].why


def test_a_file_of_another_network_is_named(folder):
    torch.save(stack([3, 4]), folder / "deep" / "dust16_19.pth")
    assert "cannot be opened" in rows("scratches", folder)["film-dust U-Net"].why


def test_without_a_folder_one_line_says_so(monkeypatch):
    monkeypatch.delenv("OLDFIX_RIVALS", raising=False)
    (only,) = rival_rows("denoise", Rivals.open(), "cpu")
    assert isinstance(only, Skipped)
    assert "DnCNN" in only.name and "--rivals" in only.why
    assert rival_rows("tone", Rivals.open(), "cpu") == []


def test_the_folder_may_stand_in_the_environment(folder, monkeypatch):
    monkeypatch.setenv("OLDFIX_RIVALS", str(folder))
    assert Rivals.open().find("dust16*.pth") is not None
    monkeypatch.setenv("OLDFIX_RIVALS", str(folder / "gone"))
    with pytest.raises(UsageError, match=r"OLDFIX_RIVALS .*gone: is no folder"):
        Rivals.open()


def test_the_judge_averages_its_landmarks(monkeypatch):
    from oldfix.evaluation.rivals import faces
    from oldfix.keys import Face

    def look(image, size):
        return (Face((0, 0, 40, 40), 0.9, np.full((5, 2), size, np.float32)),)

    monkeypatch.setattr(faces, "_retinaface", lambda files, device: look)
    (found,) = faces.open_judge([], torch.device("cpu"))(sample().image)
    np.testing.assert_allclose(found.points, (1 + 0.7 + 0.85 + 1.2 + 1.4) / 5, rtol=1e-5)
