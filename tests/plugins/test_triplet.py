"""restore-triplet: its networks, the partial nonlocal block, the diffusion and the stage."""

from __future__ import annotations

from collections.abc import Mapping as Table
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from oldfix import DEFECTS, IMAGE, Photo, PipelineError, WeightsError, write_network
from oldfix.degrade import age
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import StageContract, TinyStore, count_parameters, example_photo
from oldfix.weights.store import Store
from oldfix_triplet import CARDS, attention, bridge, mapping, vae
from oldfix_triplet.attention import PartialNonlocal, sources
from oldfix_triplet.marks import hidden, marked_squares

WEIGHTS = Path(__file__).parents[2] / "weights"
CARD = {card.id: card for card in CARDS}


class TestTriplet(StageContract):
    stage = "restore-triplet"


class TestTripletDiffusion(StageContract):
    stage = "restore-triplet"
    options: ClassVar[Table[str, Any]] = {"mapping": "diffusion", "diffusion": "auto", "steps": 3}
    sizes = ((31, 37),)


# --- networks --------------------------------------------------------------------------------


def test_parameters_are_as_many_as_published() -> None:
    assert count_parameters(vae.Vae(**vae.PUBLISHED)) == 436_096 + 436_035
    assert round(count_parameters(mapping.Mapping(**mapping.PUBLISHED)) / 1e6, 1) == 36.1
    assert round(count_parameters(mapping.Mapping(**mapping.PUBLISHED_WITH_MASK)) / 1e6, 1) == 51.3


def test_the_small_networks_are_small() -> None:
    total = (
        2 * count_parameters(vae.Vae())
        + count_parameters(mapping.Mapping())
        + count_parameters(bridge.Bridge())
    )
    assert total <= 4_000_000


def positive(net: nn.Module) -> nn.Module:
    """Give a network positive weights, so that no influence of an input cancels."""
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.01, 0.02)
    return net


def reach(function: Any, planes: int, size: int, scale: float) -> int:
    """How far an output pixel sees, in input pixels, beyond its own input block."""
    farthest, middle = 0, round(size * scale) // 8 * 4
    for at in range(middle, middle + 4):
        x = torch.rand(1, planes, size, size, requires_grad=True)
        function(x)[:, :, at, at].sum().backward()
        assert x.grad is not None
        rows = (x.grad.abs().sum((0, 1, 3)) > 0).nonzero()
        first, last = int(at / scale), max(int(at / scale), int((at + 1) / scale) - 1)
        farthest = max(farthest, first - int(rows.min()), int(rows.max()) - last)
    return farthest


def test_halos_are_what_the_networks_see() -> None:
    pair = positive(vae.VaePair(channels=16, width=8, blocks=2))
    assert CARD["triplet-vae-s"].parts["encode"].halo == reach(pair.encode, 3, 96, 0.25)
    assert CARD["triplet-vae-s"].parts["decode"].halo == reach(pair.decode, 16, 32, 4)
    net = positive(mapping.Mapping(widths=(8,)))
    none = torch.zeros(1, 1, 32, 32)
    parts = CARD["triplet-mapping-s"].parts
    assert parts["enter"].halo == reach(lambda z: net.enter(z, none), 16, 32, 0.5)
    assert parts["leave"].halo == reach(net.leave, 8, 48, 2)
    diffusion, none = positive(bridge.Bridge(width=8)), torch.zeros(1, 1, 64, 64)
    halo = CARD["triplet-diffusion-s"].parts["predict"].halo
    assert halo == reach(lambda z: diffusion.predict(z, none, 1.0), 16, 64, 1)


@pytest.mark.parametrize("module", [vae, mapping, bridge], ids=lambda m: m.__name__)
def test_networks_survive_their_files(module: Any, tmp_path: Path) -> None:
    net = module.tiny().half().float()
    write_network(tmp_path / "net.safetensors", net, config=net.config)
    again = module.load(tmp_path / "net.safetensors")
    assert all(v.equal(again.state_dict()[k]) for k, v in net.state_dict().items())
    write_network(tmp_path / "other.safetensors", nn.Conv2d(1, 1, 1), config={})
    with pytest.raises(WeightsError, match="is not a"):
        module.load(tmp_path / "other.safetensors")


def test_untrained_mappings_leave_the_latent_alone() -> None:
    z, mask = torch.randn(1, 16, 8, 8), torch.zeros(1, 1, 8, 8)
    with torch.inference_mode():
        assert torch.equal(mapping.Mapping()(z, mask), z)
        assert torch.equal(bridge.Bridge().predict(z, mask, 0.5), z)


def test_an_autoencoder_starts_as_its_principal_components() -> None:
    torch.manual_seed(0)
    pictures = nn.functional.interpolate(torch.rand(8, 3, 8, 8), size=64, mode="bicubic")
    net = vae.Vae(channels=16, width=8, blocks=1)
    vae.start_from_principal(net, pictures)
    with torch.inference_mode():
        z = net.encode(pictures)
        assert float((net.decode(z) - pictures).abs().mean()) < 0.01
    torch.testing.assert_close(z.std((0, 2, 3)), torch.ones(16), atol=0.01, rtol=0)


# --- the partial nonlocal block --------------------------------------------------------------


def block(width: int = 6, blocks: int = 0) -> PartialNonlocal:
    torch.manual_seed(0)
    return PartialNonlocal(width, 4, blocks)


def test_the_block_is_the_papers_equations() -> None:
    net, features = block(), torch.randn(2, 6, 5, 7)
    mask = (torch.rand(2, 1, 5, 7) > 0.6).float()
    with torch.inference_mode():
        theta, phi, mu = (conv(features).flatten(2) for conv in (net.theta, net.phi, net.mu))
        f = torch.einsum("nci,ncj->nij", theta, phi).exp() * (1 - mask.flatten(2))
        s = f / f.sum(2, keepdim=True)
        wanted = net.nu(torch.einsum("nij,ncj->nci", s, mu).unflatten(2, (5, 7)))
        wanted = (1 - mask) * features + mask * wanted
        torch.testing.assert_close(net(features, mask), wanted, atol=1e-5, rtol=1e-4)


def test_masked_positions_take_nothing_from_masked_ones() -> None:
    net, features = block(), torch.randn(1, 6, 8, 8)
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., 2:4, 2:6] = 1
    changed = features.clone()
    changed[..., 2, 2] += 5
    with torch.inference_mode():
        before, after = net(features, mask), net(changed, mask)
    differs = (before - after).abs().sum(1)[0] > 1e-6
    assert differs.nonzero().tolist() == [[2, 2]]  # its own question changed, nobody else's answer
    sound = (mask == 0).expand_as(features)
    assert torch.equal(after[sound], features[sound])


def test_with_nothing_intact_there_is_nothing_to_take() -> None:
    net, features = block(), torch.randn(1, 6, 4, 4)
    with torch.inference_mode():
        result = net(features, torch.ones(1, 1, 4, 4))
    torch.testing.assert_close(result, net.nu.bias[None, :, None, None].expand_as(result))


def test_pooled_sources_hold_intact_positions_alone() -> None:
    features, damaged = torch.full((1, 2, 40, 60), 3.0), torch.zeros(1, 1, 40, 60)
    damaged[..., :20, :30] = 1
    features = torch.where(damaged > 0, torch.tensor(99.0), features)
    pooled, share = sources(features, damaged, most=25)
    assert pooled.shape[2] * pooled.shape[3] <= 25
    seen = (share > 0).expand_as(pooled)
    torch.testing.assert_close(pooled[seen], torch.full_like(pooled[seen], 3.0))
    assert float(share.min()) == 0.0
    thin = torch.zeros(1, 1, 1, 9000)
    assert sources(torch.zeros(1, 2, 1, 9000), thin)[1].numel() <= attention.SOURCES


class Largest(TorchDispatchMode):
    """Remembers how many numbers the largest tensor held."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = out if isinstance(out, tuple | list) else (out,)
        self.numel = max([self.numel, *(t.numel() for t in tensors if isinstance(t, Tensor))])
        return out


def test_memory_of_the_block_does_not_grow_with_the_square() -> None:
    net, features = block(), torch.randn(1, 6, 70, 90)
    mask = torch.zeros(1, 1, 70, 90)
    mask[..., 50:60, :] = 1
    with torch.inference_mode(), Largest() as largest:
        result = net(features, mask)
    assert largest.numel <= attention._QUERIES * attention.SOURCES  # the square is 40 million
    assert bool(torch.isfinite(result).all())


# --- the diffusion ---------------------------------------------------------------------------


def test_one_step_is_the_prediction_and_a_perfect_one_is_believed() -> None:
    clean, found = np.float32([0.2, -1.0]), np.float32([1.5, 0.5])
    seen: list[float] = []

    def predict(z: bridge.State, t: float) -> bridge.State:
        np.testing.assert_allclose(z, (1 - t) * clean + t * found, atol=1e-5)
        seen.append(t)
        return clean

    np.testing.assert_allclose(bridge.walk(predict, found, 1), clean, atol=1e-6)
    np.testing.assert_allclose(bridge.walk(predict, found, 4), clean, atol=1e-5)
    assert seen == pytest.approx([1.0, 1.0, 0.75, 0.5, 0.25])


def test_the_state_and_the_time_matter() -> None:
    net, mask = bridge.tiny(), torch.zeros(1, 1, 8, 8)
    nn.init.normal_(net.blocks[0].film.weight, std=0.5)
    nn.init.normal_(net.blocks[0].second.weight, std=0.1)
    z = torch.randn(1, 4, 8, 8)
    with torch.inference_mode():
        now, later, other = (net.predict(a, mask, t) for a, t in ((z, 1.0), (z, 0.5), (-z, 1.0)))
    assert float((now - later).abs().max()) > 1e-4
    assert float((now - other).abs().max()) > 1e-2


# --- marks -----------------------------------------------------------------------------------


def test_hiding_fills_narrow_marks_or_paints_all_white() -> None:
    image = np.full((40, 50, 3), 0.5, np.float32)
    mask = np.zeros((40, 50), np.float32)
    mask[5:7], mask[20:38] = 1, 1
    image[5:7], image[20:38] = 1, 0.6
    filled = hidden(image, mask, 8)
    assert np.abs(filled[5:7] - 0.5).max() < 0.02
    np.testing.assert_array_equal(filled[mask == 0], image[mask == 0])
    np.testing.assert_array_equal(filled[28:30], image[28:30])  # a wide stain: left as it is
    white = hidden(np.zeros_like(image), mask, white=True)
    np.testing.assert_array_equal(white[..., 0], mask)
    assert hidden(image, 0 * mask) is image


def test_squares_are_marked_where_any_pixel_is() -> None:
    mask = np.zeros((10, 7), np.float32)
    mask[9, 6], mask[0, 0] = 1, 0.1
    found = marked_squares(mask, (3, 2))
    np.testing.assert_array_equal(found, [[0, 0], [0, 0], [0, 1]])


# --- the stage -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [{"mapping": "magic"}, {"steps": 0}, {"steps": 11}, {"fill_px": -1}, {"model": "no-such"}],
    ids=str,
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    pipeline = Pipeline((Step("restore-triplet", options=options),))
    with pytest.raises(PipelineError, match=next(iter(options))):
        pipeline.plan(discover(), given={IMAGE}, store=TinyStore())


def test_diffusion_without_weights_says_so() -> None:
    options = {"mapping": "diffusion", "diffusion": "none"}
    plan = Pipeline((Step("restore-triplet", options=options),)).plan(
        discover(), given={IMAGE}, store=TinyStore()
    )
    with Runner(device="cpu") as runner, pytest.raises(Exception, match="no weights for mapping"):
        runner.run(plan, example_photo(16, 16))


def test_what_is_marked_is_seen_by_the_mapping() -> None:
    plan = Pipeline((Step("restore-triplet", options={"fill_px": 0}),)).plan(
        discover(), given={IMAGE, DEFECTS}, store=TinyStore()
    )
    photo = example_photo(40, 40)
    mask = np.zeros((40, 40), np.float32)
    mask[16:24, 16:24] = 1
    with Runner(device="cpu") as runner:
        without = runner.run(plan, photo)[IMAGE]
        told = runner.run(plan, photo.put(DEFECTS, mask))[IMAGE]
    assert np.abs(told - without).max() > 1e-4


# --- the shipped weights ----------------------------------------------------------------------


def test_the_shipped_files_are_small() -> None:
    assert sum((WEIGHTS / card.file).stat().st_size for card in CARDS) < 8_000_000


@pytest.mark.parametrize("mapping_", ["network", "diffusion"])
def test_restoring_does_better_than_nothing(mapping_: str) -> None:
    portrait = np.asarray(pytest.importorskip("skimage.data").astronaut()[20:276, 100:356])
    aged = [
        age(np.float32(portrait) / 255, rng=np.random.default_rng(i), recipe="old-photo-no-tone")
        for i in range(4)
    ]
    options = {"mapping": mapping_, "model": "triplet-mapping-s"}
    options |= {"diffusion": "triplet-diffusion-s"} if mapping_ == "diffusion" else {}
    plan = Pipeline((Step("restore-triplet", options=options),)).plan(
        discover(), given={IMAGE, DEFECTS}, store=Store([WEIGHTS])
    )
    before, after = [], []
    with Runner(device="cpu") as runner:
        for a in aged:
            marked = np.float32(a.defects > 0.25)
            photo = Photo.from_array(a.image).put(DEFECTS, marked)
            after.append(np.square(runner.run(plan, photo)[IMAGE] - a.target).mean())
            before.append(np.square(a.image - a.target).mean())
    assert -10 * np.log10(np.mean(after) / np.mean(before)) > 0.1
