"""restore-triplet: its networks, its losses, the importer and the stage."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping as Table
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence as exact_kl
from torch.utils._python_dispatch import TorchDispatchMode
from typer.testing import CliRunner

from oldfix import DEFECTS, IMAGE, PipelineError, UsageError, WeightsError, write_network
from oldfix.cli.app import build_app
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import StageContract, TinyStore, example_photo
from oldfix.training import PhotoPool, read_recipe
from oldfix.training.settings import TrainRequest
from oldfix_triplet import CARDS, attention, bridge, mapping, published, vae
from oldfix_triplet.attention import PartialNonlocal, sources
from oldfix_triplet.blocks import count
from oldfix_triplet.discriminators import PatchDiscriminator, judged_by
from oldfix_triplet.examples import CROP, Domains, held_pairs
from oldfix_triplet.gap import domain_accuracy
from oldfix_triplet.losses import feature_matching, kl_divergence, lsgan, reconstruction
from oldfix_triplet.marks import hidden, marked_squares
from oldfix_triplet.train_diffusion import BridgeGame, BridgeTask
from oldfix_triplet.train_mapping import MappingGame, MappingTask
from oldfix_triplet.train_vae import VaeGame, VaeTask

CARD = {card.id: card for card in CARDS}


class TestTriplet(StageContract):
    stage = "restore-triplet"


class TestTripletDiffusion(StageContract):
    stage = "restore-triplet"
    options: ClassVar[Table[str, Any]] = {"mapping": "diffusion", "diffusion": "auto", "steps": 3}
    sizes = ((31, 37),)


# --- networks -------------------------------------------------------------------------------


def test_parameters_are_as_many_as_published() -> None:
    assert count(vae.Vae(**vae.PUBLISHED)) == 436_096 + 436_035
    assert round(count(mapping.Mapping(**mapping.PUBLISHED)) / 1e6, 1) == 36.1
    assert round(count(mapping.Mapping(**mapping.PUBLISHED_WITH_MASK)) / 1e6, 1) == 51.3


def test_the_small_networks_are_small() -> None:
    total = 2 * count(vae.Vae()) + count(mapping.Mapping()) + count(bridge.Bridge())
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


# --- the partial nonlocal block ---------------------------------------------------------------


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


# --- losses -----------------------------------------------------------------------------------


def test_kl_divergence_by_hand_and_by_torch() -> None:
    assert float(kl_divergence(torch.tensor([1.0, -1.0]), 1.0)) == pytest.approx(0.5)
    assert float(kl_divergence(torch.zeros(3), 0.5)) == pytest.approx(0.3181472)
    mean = torch.randn(2, 3, 4, 4)
    exact = exact_kl(Normal(mean, 0.05), Normal(0.0, 1.0)).mean()
    torch.testing.assert_close(kl_divergence(mean, 0.05), exact)


def test_feature_matching_by_hand() -> None:
    ones = torch.ones(1, 2, 3, 3, requires_grad=True)
    zeros = torch.zeros(1, 2, 3, 3, requires_grad=True)
    made, true = [[ones, 2 * ones, ones]] * 2, [[zeros, zeros, zeros]] * 2
    # Two scales, two layers beside the scores: 4 / 3 / 2 * (1 + 2) * 2; the scores do not count.
    loss = feature_matching(made, true)
    assert loss.item() == pytest.approx(4.0)
    loss.backward()
    assert ones.grad is not None and zeros.grad is None


def test_lsgan_and_reconstruction_by_hand() -> None:
    scales = [[torch.full((1, 1, 2, 2), 0.5)], [torch.full((1, 1, 1, 1), 1.0)]]
    assert float(lsgan(scales, 1.0)) == pytest.approx(0.25)
    assert float(lsgan(scales, 0.0)) == pytest.approx(1.25)
    assert float(reconstruction(torch.zeros(4), torch.full((4,), 0.25))) == pytest.approx(0.5)


def test_a_judge_learns_nothing_from_what_it_judges() -> None:
    judge, x = PatchDiscriminator(3, 4), torch.rand(1, 3, 32, 32, requires_grad=True)
    lsgan(judged_by(judge)(x), 1.0).backward()
    assert x.grad is not None and bool(x.grad.any())
    assert all(p.grad is None for p in judge.parameters())
    features = judge(x)
    assert [len(scale) for scale in features] == [5, 5]
    assert features[0][-1].shape[1] == 1


def test_the_gap_is_none_between_equals_and_whole_between_strangers() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(2, 80, 4, 8, 8)
    assert 0.35 < domain_accuracy(a, b) < 0.65
    with torch.inference_mode():
        assert domain_accuracy(a, b + 1) == 1.0


# --- the diffusion ----------------------------------------------------------------------------


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


# --- marks ------------------------------------------------------------------------------------


def test_hiding_fills_narrow_marks_or_paints_all_white() -> None:
    image = np.full((40, 50, 3), 0.5, np.float32)
    mask = np.zeros((40, 50), np.float32)
    mask[5:7], mask[20:38] = 1, 1
    image[mask > 0] = 1
    filled = hidden(image, mask, 8)
    assert np.abs(filled[5:7] - 0.5).max() < 0.02
    np.testing.assert_array_equal(filled[mask == 0], image[mask == 0])
    np.testing.assert_array_equal(filled[28:30], image[28:30])  # wide: left as it is
    white = hidden(np.zeros_like(image), mask, white=True)
    np.testing.assert_array_equal(white[..., 0], mask)
    assert hidden(image, 0 * mask) is image


def test_squares_are_marked_where_any_pixel_is() -> None:
    mask = np.zeros((10, 7), np.float32)
    mask[9, 6], mask[0, 0] = 1, 0.1
    found = marked_squares(mask, (3, 2))
    np.testing.assert_array_equal(found, [[0, 0], [0, 0], [0, 1]])


# --- training ---------------------------------------------------------------------------------


def pool() -> PhotoPool:
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 256, (20, 20, 3), dtype=np.uint8) for _ in range(20)]
    return PhotoPool(
        (tuple((str(i), np.kron(c, np.ones((8, 8, 1), np.uint8))) for i, c in enumerate(coarse)),)
    )


SMALL = {"channels": 4, "width": 8, "blocks": 1}


def tiny_task(kind: str) -> Any:
    domains = Domains(pool(), pool() if kind == "apart" else None)
    if kind in {"together", "apart"}:
        return VaeTask(domains, VaeGame(SMALL, width=4), apart=kind == "apart")
    if kind == "mapping":
        arguments = {"channels": 4, "widths": [12], "blocks": 1, "attention": 6}
        game = MappingGame(arguments, pixels=1, width=4)
        return MappingTask(domains, vae.tiny(), game)
    arguments = {"channels": 4, "width": 12, "blocks": 1}
    return BridgeTask(domains, vae.tiny(), BridgeGame(arguments, pixels=1))


@pytest.mark.parametrize("kind", ["together", "apart", "mapping", "diffusion"])
def test_tasks_learn_on_a_batch(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("train_vae", "train_mapping"):
        monkeypatch.setattr(f"oldfix_triplet.{module}._HELD", 8)
    torch.manual_seed(0)
    task = tiny_task(kind)
    before = {name: value.clone() for name, value in task.net.named_parameters()}
    rng = np.random.default_rng(1)
    columns = zip(*(task.sample(rng) for _ in range(4)), strict=True)
    batch = tuple(torch.from_numpy(np.stack(c)).permute(0, 3, 1, 2) for c in columns)
    learning = [p for p in task.net.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learning, 3e-3)
    losses = []
    for _ in range(12):
        torch.manual_seed(1)  # the same noise and times at every step
        loss, _ = task.loss(task.net, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    changed = {n.split(".")[0] for n, p in task.net.named_parameters() if not p.equal(before[n])}
    expected = {
        "together": {"pair"},
        "apart": {"pair", "latent_judge", "found_judge", "clean_judge"},
        "mapping": {"mapping", "judge"},
        "diffusion": {"bridge"},
    }
    assert changed == expected[kind]
    with torch.inference_mode():
        assert np.isfinite(list(task.validate(task.net).values())).all()


def test_pairs_are_marked_hidden_and_sometimes_sound() -> None:
    x, y, mask = held_pairs(Domains(pool()), 24)
    assert x.shape == y.shape == (24, 3, CROP, CROP)
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    sound = (x == y).flatten(1).all(1)
    assert not mask[sound].any()
    assert not sound.all()


def test_folders_named_real_are_the_old_photographs(tmp_path: Path) -> None:
    from PIL import Image

    for folder in ("clean", "real-album"):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (120, 100), "gray").save(tmp_path / folder / "a.png")
    domains = Domains.read([tmp_path / "clean", tmp_path / "real-album"])
    assert domains.real is not None and "real-album" in domains.real.names[0]
    assert domains.real_old(np.random.default_rng(0)).shape == (CROP, CROP, 3)
    assert Domains.read([tmp_path / "clean"]).real is None
    with pytest.raises(UsageError, match="needs clean photographs"):
        Domains.read([tmp_path / "real-album"])


@pytest.mark.parametrize("recipe", ["cpu", "gpu"])
def test_recipes_build_their_networks(recipe: str, tmp_path: Path) -> None:
    file = Path(vae.__file__).with_name("training.toml")
    request = TrainRequest(data=(), out=tmp_path, recipe=recipe)
    games = {
        "triplet-vae-s": (VaeGame, {"together", "apart"}),
        "triplet-mapping-s": (MappingGame, {"whole"}),
        "triplet-diffusion-s": (BridgeGame, {"whole"}),
    }
    for name, (game, phases) in games.items():
        found = read_recipe(file, name, request)
        assert set(found.phases) == phases
        game(**found.network)


# --- the published networks -------------------------------------------------------------------

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
    assert sum(v.numel() for v in state.values()) == count(net)
    assert torch.equal(net.decoder[6].weight, state["decoder.11.weight"])
    for mask in (False, True):
        state = published_mapping(mask=mask)
        arguments = mapping.PUBLISHED_WITH_MASK if mask else mapping.PUBLISHED
        whole = mapping.Mapping(**arguments)
        names = published.mapping_names(attention=mask)
        published.take(whole, names, state, "here")
        assert sum(v.numel() for v in state.values()) == count(whole)
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


# --- the stage --------------------------------------------------------------------------------


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
