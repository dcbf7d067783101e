from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from oldfix import EnvironmentProblem, Part, StageError, read_network, write_network
from oldfix.engine.apply import Job, Layout, apply, apply_many
from oldfix.engine.models import LoadedModel, ModelCache, choose_device, choose_precision
from oldfix.engine.tiling import fade, spans, tiles
from oldfix.testing import TinyStore
from tests.core.plugins import SmoothNet, card

_grids = st.sampled_from([1, 2, 4, 8])


@given(cells=st.integers(1, 200), tile=st.integers(1, 300), halo=st.integers(0, 40), grid=_grids)
def test_cores_partition_the_axis_and_weights_sum_to_one(
    cells: int, tile: int, halo: int, grid: int
) -> None:
    length = cells * grid
    total = np.zeros(length)
    pieces = spans(length, tile, halo, grid)
    assert pieces[0].core_start == 0
    assert pieces[-1].core_stop == length
    for span in pieces:
        assert span.start % grid == 0
        total[span.start : span.stop] += fade(span, length, grid, 1.0)
    np.testing.assert_allclose(total, 1, atol=1e-6)


@given(cells=st.integers(1, 60), tile=st.integers(1, 100), halo=st.integers(0, 20))
def test_what_counts_lies_a_halo_away_from_every_inner_edge(
    cells: int, tile: int, halo: int
) -> None:
    length = cells * 4
    for span in spans(length, tile, halo, 4):
        weights = fade(span, length, 4, 1.0)
        if span.start > 0:
            assert not weights[:halo].any()
        if span.stop < length:
            assert not weights[len(weights) - halo :].any()


class ScaleNet(torch.nn.Module):
    """Encode by 4, decode by 4, and failures on demand."""

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pixel_unshuffle(x, 4)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pixel_shuffle(z, 4)

    def small(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] > 100:
            raise torch.OutOfMemoryError("too large")
        return x

    def overflow(self, x: torch.Tensor) -> torch.Tensor:
        return x / 0 if torch.is_autocast_enabled("cpu") else x

    def broken(self, x: torch.Tensor) -> torch.Tensor:
        return x * float("nan")


_PARTS = {
    "": Part(halo=2),
    "encode": Part(multiple_of=4, scale=0.25),
    "decode": Part(scale=4),
    "small": Part(),
    "overflow": Part(),
    "broken": Part(),
}


def job(net: torch.nn.Module, part: str = "", tile: int = 32, **how: Any) -> Job:
    model = LoadedModel(
        card(parts=_PARTS), net, torch.device("cpu"), how.get("precision", "float32")
    )
    notes = how.get("notes", {})
    layout = Layout(tile, how.get("batch", 3))
    return Job(model, part, {}, layout, lambda done, total: None, notes.update)


def picture(height: int, width: int) -> Any:
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


@given(height=st.integers(1, 90), width=st.integers(1, 90), tile=st.integers(16, 64))
def test_tiles_equal_the_whole_when_the_halo_covers_the_receptive_field(
    height: int, width: int, tile: int
) -> None:
    image = picture(height, width)
    tiled = apply(job(SmoothNet(), tile=tile), [image])
    whole = apply(job(SmoothNet(), tile=1000), [image])
    np.testing.assert_allclose(tiled, whole, atol=1e-6)


@pytest.mark.parametrize("size", [(64, 64), (61, 37), (3, 5)])
def test_an_encoder_and_decoder_of_another_scale(size: tuple[int, int]) -> None:
    image = picture(*size)
    latent = apply(job(ScaleNet(), "encode"), [image])
    assert latent.shape == (-(-size[0] // 4), -(-size[1] // 4), 48)
    back = apply(job(ScaleNet(), "decode", tile=20), [latent])
    np.testing.assert_allclose(back[: size[0], : size[1]], image, atol=1e-6)


def test_running_out_of_memory_halves_and_is_noted() -> None:
    notes: dict[str, Any] = {}
    image = picture(150, 300)
    result = apply(job(ScaleNet(), "small", tile=512, notes=notes), [image])
    np.testing.assert_allclose(result, image, atol=1e-6)
    assert "out_of_memory" in notes


def test_running_out_of_memory_at_the_smallest_size_fails() -> None:
    class Never(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise torch.OutOfMemoryError("never enough")

    with pytest.raises(StageError, match="out of memory"):
        apply(job(Never(), tile=512), [picture(20, 20)])


def test_overflow_in_reduced_precision_is_redone_in_float32() -> None:
    notes: dict[str, Any] = {}
    image = picture(20, 20)
    result = apply(job(ScaleNet(), "overflow", precision="bfloat16", notes=notes), [image])
    np.testing.assert_array_equal(result, image)
    assert notes["redone_in_float32"] == "smooth"


def test_values_that_are_not_finite_fail() -> None:
    with pytest.raises(StageError, match="not finite"):
        apply(job(ScaleNet(), "broken"), [picture(20, 20)])


def test_planes_are_cut_with_the_same_boxes() -> None:
    class Masked(torch.nn.Module):
        def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return x * mask

    image, mask = picture(70, 90), picture(70, 90)[..., 0]
    result = apply(job(Masked()), [image, mask])
    np.testing.assert_allclose(result, image * mask[..., None], atol=1e-6)
    with pytest.raises(ValueError, match="a plane is"):
        apply(job(Masked()), [image, mask[:-1]])


def test_an_unlisted_part_is_refused() -> None:
    with pytest.raises(ValueError, match="lists no part 'paint'"):
        apply(job(ScaleNet(), "paint"), [picture(8, 8)])


def test_batched_crops_equal_single_ones() -> None:
    crops = [picture(16, 16) * k for k in (0.2, 0.5, 1.0, 0.7)]
    batched = apply_many(job(SmoothNet(), batch=3), crops)
    for crop, result in zip(crops, batched, strict=True):
        np.testing.assert_allclose(result, apply(job(SmoothNet()), [crop]), atol=1e-6)


def test_models_are_loaded_once_pinned_and_evicted() -> None:
    cache = ModelCache(TinyStore(), device="cpu", limit=4)
    loaded: list[str] = []

    def note(name: str, seconds: float) -> None:
        loaded.append(name)

    first, second = card("first"), card("second")
    with cache.use(first, note):
        with cache.use(first, note), cache.use(second, note):
            assert cache.pinned() == ["first", "second"]
        assert loaded == ["first", "second"]
    with cache.use(second, note):  # 8 bytes of parameters where 4 fit: the first was dropped
        pass
    with cache.use(first, note):
        pass
    assert loaded == ["first", "second", "first"]
    assert cache.pinned() == []


def test_precision_must_be_listed() -> None:
    cpu = torch.device("cpu")
    assert choose_precision(card(), cpu, "auto") == "float32"
    with pytest.raises(EnvironmentProblem, match="does not run in bfloat16"):
        choose_precision(card(), cpu, "bfloat16")


def test_a_missing_device_is_explained() -> None:
    with pytest.raises(EnvironmentProblem, match="device 'quantum'"):
        choose_device("quantum")


def test_networks_survive_safetensors(tmp_path: Path) -> None:
    write_network(tmp_path / "net.safetensors", SmoothNet(0.5), config={"gain": 0.5})
    config, state = read_network(tmp_path / "net.safetensors")
    assert config == {"gain": 0.5}
    net = SmoothNet()
    net.load_state_dict(state)
    assert net.gain.item() == 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]
    (tmp_path / "plain").write_bytes(b"")
    modes = [(tmp_path / name).stat().st_mode for name in ("net.safetensors", "plain")]
    assert modes[0] == modes[1]  # whoever may read other files may read a network


def test_a_full_disk_leaves_the_network_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.safetensors"
    write_network(path, SmoothNet(0.5), config={})
    before = path.read_bytes()

    def full(part: Path, data: bytes) -> int:
        part.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_network(path, SmoothNet(0.25), config={})
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["net.safetensors"]


def test_tiles_cover_a_picture() -> None:
    covered = np.zeros((100, 60), bool)
    for tile in tiles(100, 60, 32, 4, 4):
        covered[
            tile.rows.core_start : tile.rows.core_stop,
            tile.columns.core_start : tile.columns.core_stop,
        ] = True
    assert covered.all()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
