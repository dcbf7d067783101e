"""The published networks of the triplet: names, shapes, and the importer."""

from __future__ import annotations

import pickle
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from oldfix import DEFECTS, IMAGE, EnvironmentProblem, WeightsError
from oldfix.cli.app import build_app
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import count_parameters, example_photo
from oldfix_triplet import mapping, published, vae

# --- the published networks ------------------------------------------------------------------

State = dict[str, Tensor]


def convolution(name: str, *shape: int, bias: int | None = None) -> State:
    return {
        f"{name}.weight": torch.randn(*shape) * 0.05,
        f"{name}.bias": torch.zeros(shape[0] if bias is None else bias),
    }


def residuals(name: str, numbers: range, width: int) -> State:
    state: State = {}
    for number in numbers:
        for layer in (1, 5):
            state |= convolution(f"{name}.{number}.conv_block.{layer}", width, width, 3, 3)
    return state


def published_vae(width: int = 64) -> State:
    """A checkpoint with the names and shapes of ``latest_net_G.pth``."""
    state = convolution("encoder.1", width, 3, 7, 7)
    for name in ("encoder.4", "encoder.7", "decoder.4", "decoder.7"):
        state |= convolution(name, width, width, 4, 4)
    state |= residuals("encoder", range(10, 14), width)
    state |= residuals("decoder", range(4), width)
    return state | convolution("decoder.11", 3, width, 7, 7)


def published_mapping(widths: tuple[int, ...] = (64, 128, 256, 512, 512), *, mask: bool) -> State:
    """A checkpoint with the names and shapes of ``latest_net_mapping_net.pth``."""
    before, after, start = ("before_NL", "after_NL", 0) if mask else ("model", "model", 12)
    state: State = {}
    for index, (a, b) in enumerate(pairwise(widths)):
        state |= convolution(f"{before}.{3 * index}", b, a, 3, 3)
    state |= residuals(after, range(start, start + 6), widths[-1])
    back = widths[:0:-1]
    for index, (a, b) in enumerate(pairwise(back)):
        state |= convolution(f"{after}.{start + 6 + 3 * index}", b, a, 3, 3)
    state |= convolution(f"{after}.{start + 15}", widths[0], widths[1], 3, 3)
    if mask:
        for name in ("g", "W", "theta", "phi"):
            state |= convolution(f"NL.{name}", widths[-1], widths[-1], 1, 1)
        state |= residuals("NL.res_block", range(3), widths[-1])
    return state


def test_published_tensors_find_their_places() -> None:
    state = published_vae()
    net = vae.Vae(**vae.PUBLISHED)
    published.take(net, published.vae_names(), state, "here")
    assert sum(v.numel() for v in state.values()) == count_parameters(net)
    assert torch.equal(net.decoder[6].weight, state["decoder.11.weight"])
    for mask in (False, True):
        state = published_mapping(mask=mask)
        arguments = mapping.PUBLISHED_WITH_MASK if mask else mapping.PUBLISHED
        whole = mapping.Mapping(**arguments)
        names = published.mapping_names(attention=mask)
        published.take(whole, names, state, "here")
        assert sum(v.numel() for v in state.values()) == count_parameters(whole)
    assert whole.attention is not None
    assert torch.equal(whole.attention.mu.weight, state["NL.g.weight"])
    assert torch.equal(whole.exit.weight, state["after_NL.15.weight"])


def test_the_published_autoencoder_computes_what_its_layers_say() -> None:
    state, net = published_vae(8), vae.Vae(**{**vae.PUBLISHED, "channels": 8, "width": 8})
    published.take(net, published.vae_names(), {f"module.{k}": v for k, v in state.items()}, "")
    functional = nn.functional
    x = torch.rand(1, 3, 32, 32)
    with torch.inference_mode():
        z = functional.pad(2 * x - 1, (3, 3, 3, 3), mode="reflect")
        z = functional.conv2d(z, state["encoder.1.weight"], state["encoder.1.bias"])
        z = functional.relu(functional.instance_norm(z))
        for name in ("encoder.4", "encoder.7"):
            z = functional.conv2d(z, state[f"{name}.weight"], state[f"{name}.bias"], 2, 1)
            z = functional.relu(functional.instance_norm(z))
        for number in range(10, 14):
            inner = z
            for layer in (1, 5):
                inner = functional.pad(inner, (1, 1, 1, 1), mode="reflect")
                at = f"encoder.{number}.conv_block.{layer}"
                inner = functional.conv2d(inner, state[f"{at}.weight"], state[f"{at}.bias"])
                inner = functional.instance_norm(inner)
                inner = functional.relu(inner) if layer == 1 else inner
            z = z + inner
        torch.testing.assert_close(net.encode(x), z, atol=1e-4, rtol=1e-4)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published layout, eight channels wide."""
    monkeypatch.setattr(vae, "PUBLISHED", {**vae.PUBLISHED, "channels": 8, "width": 8})
    sizes = {"channels": 8, "widths": [8, 8, 8, 8]}
    quality, scratch = published.KINDS["quality"], published.KINDS["scratch"]
    arguments = {**scratch[1], **sizes, "attention": 8}
    kinds = {"quality": (quality[0], {**quality[1], **sizes}), "scratch": (scratch[0], arguments)}
    monkeypatch.setattr(published, "KINDS", kinds)


def write_archive(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in {name for names, _ in published.KINDS.values() for name in names}:
            made = (
                published_mapping((8, 8, 8, 8, 8), mask="scratch" in name)
                if name.startswith("mapping")
                else published_vae(8)
            )
            with archive.open(f"checkpoints/restoration/{name}", "w") as file:
                torch.save(made, file)
    return path


@pytest.mark.usefixtures("small")
def test_an_imported_archive_restores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = write_archive(tmp_path / "global_checkpoints.zip"), tmp_path / "out"
    done = CliRunner().invoke(build_app(), ["import-triplet", str(source), "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "triplet-mapping-scratch" in done.output
    for name in ("OLDFIX_PLUGINS", "OLDFIX_WEIGHTS"):
        monkeypatch.setenv(name, str(out))
    photo = example_photo(50, 46)
    mask = np.zeros((50, 46), np.float32)
    mask[20:24] = 1
    for model in ("triplet-mapping-quality", "triplet-mapping-scratch"):
        pipeline = Pipeline((Step("restore-triplet", options={"model": model}),))
        plan = pipeline.plan(discover(), given={IMAGE, DEFECTS})
        with Runner(device="cpu") as runner:
            after = runner.run(plan, photo.put(DEFECTS, mask))
        assert after[IMAGE].shape == photo[IMAGE].shape


class Harmful:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (print, ("code was run",))


@pytest.mark.usefixtures("small")
def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "restoration"
    for name in published.KINDS["quality"][0]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(WeightsError, match="is not a checkpoint of tensors"):
        published.import_published(folder, tmp_path / "out")
    torch.save(published_vae(9), folder / published.KINDS["quality"][0][0])
    torch.save({"other.weight": torch.zeros(1)}, folder / published.KINDS["quality"][0][1])
    torch.save(published_mapping((8,) * 5, mask=True), folder / published.KINDS["quality"][0][2])
    with pytest.raises(WeightsError, match="is not the published network"):
        published.import_published(folder, tmp_path / "out")
    with pytest.raises(WeightsError, match="holds none"):
        published.import_published(tmp_path / "out", tmp_path / "out")
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(WeightsError, match="neither a folder nor an archive"):
        published.import_published(tmp_path / "text", tmp_path / "out")


@pytest.mark.usefixtures("small")
def test_a_damaged_archive_and_a_folder_that_cannot_be_are_named(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "global_checkpoints.zip")
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentProblem, match=r"inside: cannot be written .*-o"):
        published.import_published(source, tmp_path / "file" / "inside")
    content = bytearray(source.read_bytes())
    content[300] ^= 255  # within the first member
    source.write_bytes(bytes(content))
    with pytest.raises(
        WeightsError, match=r"latest_net_\w+\.pth cannot be read .*download it again"
    ):
        published.import_published(source, tmp_path / "out")
