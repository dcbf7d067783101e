"""denoise-diffusion: its network, its baselines, its training, its studies and the stage."""

from __future__ import annotations

import inspect
import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from torch import nn

from oldfix import IMAGE, Photo, PipelineError, UsageError, write_network
from oldfix.evaluation.metrics import psnr
from oldfix.pipeline import Pipeline, Step
from oldfix.registry import discover
from oldfix.runner import Runner
from oldfix.testing import StageContract, TinyStore
from oldfix.training import PhotoPool, TrainRequest, read_recipe
from oldfix.weights.store import Store
from oldfix_denoise import CARDS, study, train
from oldfix_denoise.baselines import NLRN, DnCNN
from oldfix_denoise.chart import line_chart
from oldfix_denoise.examples import CROP, SHARES, make_pair, recipe
from oldfix_denoise.net import PAPER, PixelDenoiser, load, tiny
from oldfix_denoise.train import LOSSES, NETWORKS, TRAINING, DenoiseTask, charbonnier

CARD = CARDS[0]
WEIGHTS = Path(__file__).parents[2] / "weights"


class TestDenoise(StageContract):
    stage = "denoise-diffusion"


class TestDenoiseInSteps(StageContract):
    stage = "denoise-diffusion"
    options: ClassVar[Mapping[str, Any]] = {"steps": 3, "sampler": "indi"}
    sizes = ((31, 37),)


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


# --- the stage ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 21}, "steps"),
        ({"sampler": "ddim"}, "sampler"),
        ({"strength": 0.5}, "strength"),
    ],
)
def test_bad_options_are_refused(options: dict[str, Any], message: str) -> None:
    pipeline = Pipeline((Step("denoise-diffusion", options=options),))
    with pytest.raises(PipelineError, match=message):
        pipeline.plan(discover(), given={IMAGE}, store=TinyStore())


def run(image: np.ndarray, store: Store, **options: object) -> np.ndarray:
    pipeline = Pipeline((Step("denoise-diffusion", options=options),))
    plan = pipeline.plan(discover(), given={IMAGE}, store=store)
    with Runner(device="cpu") as runner:
        return np.asarray(runner.run(plan, Photo.from_array(image))[IMAGE])


def portrait() -> np.ndarray:
    data = pytest.importorskip("skimage.data")
    return np.asarray(data.astronaut()[20:276, 100:356], np.float32) / 255


def noisy_portrait(std: float = 25, *, grey: bool = False) -> np.ndarray:
    clean = portrait()
    noise = np.random.default_rng(3).normal(0, std / 255, clean.shape)
    noisy = np.clip(clean + noise, 0, 1).astype(np.float32)
    return np.repeat(noisy[..., :1], 3, axis=2) if grey else noisy


@pytest.mark.parametrize("sampler", ["origin", "improved", "indi"])
def test_a_grey_picture_in_colour_channels_stays_exactly_grey(sampler: str) -> None:
    image = noisy_portrait(grey=True)[:64, :64]
    result = run(image, TinyStore(), steps=3, sampler=sampler)
    assert np.abs(result - image).max() > 1e-3
    np.testing.assert_array_equal(result[..., 0], result[..., 1])
    np.testing.assert_array_equal(result[..., 0], result[..., 2])


# --- the stage with its shipped weights -------------------------------------------------------


def test_noise_goes_and_the_tone_stays() -> None:
    noisy, clean = noisy_portrait(), portrait()
    result = run(noisy, Store([WEIGHTS]))
    assert psnr(result, clean) > psnr(noisy, clean) + 6
    # Clipped noise lifts the shadows; denoising must not move the tone on top of that.
    assert drift(result, clean) < drift(noisy, clean)


def drift(image: np.ndarray, truth: np.ndarray) -> float:
    """Largest difference between the means of squares of 32 pixels."""
    means = [picture.reshape(8, 32, 8, 32, 3).mean((1, 3)) for picture in (image, truth)]
    return float(np.abs(means[0] - means[1]).max())


def test_a_sound_photograph_passes_nearly_unchanged() -> None:
    assert psnr(run(portrait(), Store([WEIGHTS])), portrait()) > 36


def test_more_steps_differ_and_do_no_harm() -> None:
    noisy, clean = noisy_portrait()[:128, :128], portrait()[:128, :128]
    one, four, indi = (
        run(noisy, Store([WEIGHTS]), steps=n, sampler=s)
        for n, s in ((1, "improved"), (4, "improved"), (4, "indi"))
    )
    assert psnr(four, clean) > psnr(one, clean) - 0.3
    assert np.abs(four - one).max() > 1e-3
    assert np.abs(four - indi).max() > 1e-3


# --- the network ----------------------------------------------------------------------------


def reach(net: nn.Module, size: int) -> int:
    """How far an output pixel sees, with positive weights so that no influence cancels."""
    for parameter in net.parameters():
        nn.init.uniform_(parameter, 0.01, 0.02)
    farthest = 0
    for at in range(size // 16 * 8, size // 16 * 8 + 8):
        x = torch.rand(1, 3, size, size, requires_grad=True)
        net(x)[:, :, at, at].sum().backward()
        assert x.grad is not None
        rows = (x.grad.abs().sum((0, 1, 3)) > 0).nonzero()
        farthest = max(farthest, at - int(rows.min()), int(rows.max()) - at)
    return farthest


def test_the_halo_is_the_networks_reach() -> None:
    assert CARD.parts[""].halo == reach(load(WEIGHTS / CARD.file), 200)


def test_the_shipped_network_is_small() -> None:
    assert parameters(load(WEIGHTS / CARD.file)) <= 2_000_000


def test_the_papers_kind_of_network_can_be_built() -> None:
    net = PixelDenoiser(**PAPER)
    assert parameters(net) == 9_850_739
    with torch.inference_mode():
        assert net(torch.rand(1, 3, 16, 24), 0.5).shape == (1, 3, 16, 24)


def test_the_network_survives_its_file(tmp_path: Path) -> None:
    x, net = torch.rand(1, 3, 16, 32), tiny().half().float()
    write_network(tmp_path / "n.safetensors", net, config=net.config)
    with torch.inference_mode():
        assert torch.equal(load(tmp_path / "n.safetensors")(x, 0.5), net(x, 0.5))


def test_an_untrained_network_and_time_zero_change_nothing() -> None:
    x = torch.rand(2, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(PixelDenoiser(widths=(8, 12), blocks=(1, 1))(x), x)
        assert torch.equal(tiny()(x, 0.0), x)
        assert not torch.equal(tiny()(x, 1.0), x)


# --- the leak (a network given x_t and x_T solves for x_0 and learns nothing) -----------------


def test_the_network_is_shown_the_state_and_the_time_alone() -> None:
    assert list(inspect.signature(PixelDenoiser.forward).parameters) == ["self", "x", "t"]


def test_the_network_has_learnt_pictures_at_every_time() -> None:
    net = load(WEIGHTS / CARD.file)
    found, clean = (
        torch.from_numpy(image[:128, :128].copy()).permute(2, 0, 1)[None]
        for image in (noisy_portrait(), portrait())
    )
    with torch.inference_mode():
        states = {t: (1 - t) * clean + t * found for t in (0.5, 1.0)}
        errors = {t: float((net(x, t) - clean).std()) for t, x in states.items()}
        near, far = (net((1 - a) * clean + a * found, 0.5) for a in (0.3, 0.7))
    noise = float((found - clean).std())
    assert errors[1.0] < 0.6 * noise  # it has learnt to denoise
    assert 0.1 * errors[1.0] < errors[0.5] < 0.5 * noise  # on the way, too, and has no way around
    assert float((near - far).std()) > 0.02 * noise


# --- baselines ------------------------------------------------------------------------------


def test_the_published_sizes_have_the_published_numbers_of_parameters() -> None:
    assert parameters(DnCNN()) == pytest.approx(0.67e6, rel=0.01)
    assert parameters(NLRN()) == pytest.approx(0.33e6, rel=0.02)


def test_the_recurrent_network_gathers_from_the_window_inside_the_picture() -> None:
    torch.manual_seed(0)
    net = NLRN(width=4, embedding=2, window=5, steps=2)
    state = torch.rand(1, 4, 21, 9)  # more rows than are done at a time
    with torch.no_grad():
        net.merge.weight.copy_(torch.randn_like(net.merge.weight))
        gathered, similarity = net.gather(state, None)
        again, summed = net.gather(state, similarity)
        query, key, value = net.query(state), net.key(state), net.value(state)
    assert similarity.shape == (1, 25, 21 * 9)
    torch.testing.assert_close(summed, 2 * similarity)
    assert not torch.allclose(again, gathered)
    for row, column in ((0, 0), (17, 4), (20, 8)):  # by the definition, one pixel
        places = [
            (y, x)
            for y in range(max(0, row - 2), min(21, row + 3))
            for x in range(max(0, column - 2), min(9, column + 3))
        ]
        scores = torch.stack(
            [(query[0, :, row, column] * key[0, :, y, x]).sum() for y, x in places]
        )
        weights = (scores / math.sqrt(2)).softmax(0)
        mean = sum(w * value[0, :, y, x] for w, (y, x) in zip(weights, places, strict=True))
        expected = net.merge(mean[None, :, None, None])[0, :, 0, 0]
        torch.testing.assert_close(gathered[0, :, row, column], expected)


# --- training -------------------------------------------------------------------------------


def pool() -> PhotoPool:
    rng = np.random.default_rng(0)
    coarse = [rng.integers(0, 256, (20, 20, 3), dtype=np.uint8) for _ in range(20)]
    return PhotoPool(
        (tuple((str(i), np.kron(c, np.ones((8, 8, 1), np.uint8))) for i, c in enumerate(coarse)),)
    )


TINY: Mapping[str, Any] = {
    "denoiser-px-s": lambda: PixelDenoiser(widths=(8, 12), blocks=(1, 1)),
    "dncnn": lambda: DnCNN(width=8, depth=4),
    "nlrn": lambda: NLRN(width=8, embedding=4, window=3, steps=2),
}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from([None, *SHARES]))
def test_pairs_are_what_the_network_expects(seed: int, kind: str | None) -> None:
    noisy, clean = make_pair(pool(), np.random.default_rng(seed), kind=kind)
    for image in (noisy, clean):
        assert image.shape == (CROP, CROP, 3)
        assert image.dtype == np.float32
        assert 0 <= image.min() <= image.max() <= 1
    if (clean == clean[..., :1]).all():
        assert (noisy == noisy[..., :1]).all()


def test_some_pairs_are_sound_some_grey_and_noise_does_not_shift_the_tone() -> None:
    pairs = [make_pair(pool(), np.random.default_rng(i), size=16) for i in range(120)]
    assert 0.01 < np.mean([np.array_equal(*pair) for pair in pairs]) < 0.15
    assert 0.15 < np.mean([(c == c[..., :1]).all() for _, c in pairs]) < 0.35
    assert abs(np.mean([n.mean() - c.mean() for n, c in pairs])) < 0.01


def test_there_is_no_other_noise() -> None:
    assert {recipe(kind).name for kind in SHARES} == set(SHARES)
    with pytest.raises(UsageError, match="whit"):
        recipe("whit")


def test_losses_are_what_they_are_called() -> None:
    assert float(charbonnier(torch.zeros(()))) == pytest.approx(1e-3)
    assert float(charbonnier(torch.tensor(-3.0))) == pytest.approx(3.0, rel=1e-4)
    assert float(LOSSES["l2"](torch.tensor(-3.0))) == 9.0


@pytest.mark.parametrize("name", NETWORKS)
def test_every_recipe_builds_its_network_and_names_its_losses(name: str) -> None:
    for machine in ("cpu", "gpu", *(["l2"] if name == "denoiser-px-s" else [])):
        found = read_recipe(TRAINING, name, TrainRequest((), Path(), recipe=machine))
        assert set(found.phases) <= set(LOSSES)
        assert parameters(NETWORKS[name](**found.network)) < 8_000_000


def batch_of(task: DenoiseTask, size: int) -> tuple[torch.Tensor, ...]:
    columns = zip(*(task.sample(np.random.default_rng(i)) for i in range(size)), strict=True)
    return tuple(torch.from_numpy(np.stack(c)).permute(0, 3, 1, 2) for c in columns)


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("loss", LOSSES)
def test_networks_learn_on_a_batch(name: str, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "_HELD_OUT", 2)
    torch.manual_seed(0)
    task = DenoiseTask(pool(), TINY[name](), LOSSES[loss], one_step=name != "denoiser-px-s")
    batch = tuple(column[..., :32, :32] for column in batch_of(task, 4))
    optimizer = torch.optim.Adam(task.net.parameters(), 5e-3)
    found = []
    for _ in range(60):
        torch.manual_seed(1)  # the same times t at every step
        value, _ = task.loss(task.net, batch)
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(float(value.detach()))
    assert found[-1] < 0.9 * found[0]
    with torch.inference_mode():
        figures = task.validate(task.net)
    assert set(figures) == {"score", "white-15", "white-25", "white-50", "film", "camera"}
    assert all(np.isfinite(value) for value in figures.values())


def test_half_of_a_batch_is_as_found_and_baselines_see_nothing_else() -> None:
    seen: list[torch.Tensor] = []

    class Spy(nn.Module):
        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            seen.extend([x, t])
            return x

    for one_step in (False, True):
        task = DenoiseTask(pool(), Spy(), one_step=one_step)
        noisy, clean = batch_of(task, 8)
        task.loss(task.net, (noisy, clean))
        x, t = seen[-2:]
        assert (t[:4] == 1).all()
        assert bool((t[4:] == 1).all()) is one_step
        torch.testing.assert_close(x, clean + t[:, None, None, None] * (noisy - clean))


# --- studies --------------------------------------------------------------------------------


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number, image in enumerate(pool().groups[0]):
        Image.fromarray(image[1]).save(folder / f"{number:02}.png")
    return folder


def test_the_study_of_samplers_writes_its_table_and_charts(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(study, "STEPS", (1, 2))
    small = ["--limit", "2", "--crop", "40"]
    assert study.main(["samplers", "--data", str(photographs), "-o", str(tmp_path), *small]) == 0
    content = json.loads((tmp_path / "samplers.json").read_text("utf-8"))
    assert [(r["sampler"], r["steps"]) for r in content["rows"]] == [
        (s, t) for s in ("origin", "improved", "indi") for t in (1, 2)
    ]
    ones = [row["psnr"] for row in content["rows"] if row["steps"] == 1]
    assert ones == pytest.approx([ones[0]] * 3)  # one step is the same with every sampler
    assert (tmp_path / "samplers.md").read_text("utf-8") == capsys.readouterr().out
    for name in ("psnr", "ssim", "detail"):
        ET.fromstring((tmp_path / f"samplers-{name}.svg").read_text("utf-8"))


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no picture"):
        study.main(["samplers", "--data", str(tmp_path), "-o", str(tmp_path / "out")])


BRIEF = """
[denoiser-px-s]
cpu = { minutes = 1, network = NET, phases.charbonnier = STEPS }
l2 = { minutes = 1, network = NET, phases.l2 = STEPS }

[nlrn.cpu]
minutes = 1
network = { width = 4, embedding = 2, window = 3, steps = 1 }
phases.l2 = STEPS
""".replace("NET", "{ widths = [8], blocks = [1] }").replace("STEPS", "{ batch = 2, steps = 2 }")


def test_studies_of_training_compare_what_they_trained(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "training.toml").write_text(BRIEF, "utf-8")
    monkeypatch.setattr(train, "TRAINING", tmp_path / "training.toml")
    monkeypatch.setattr(train, "_HELD_OUT", 1)
    brief = ["--data", str(photographs), "--workers", "0"]
    assert study.main(["losses", *brief, "-o", str(tmp_path / "l")]) == 0
    assert study.main(["baselines", *brief, "-o", str(tmp_path / "b"), "--only", "nlrn"]) == 0
    rows = json.loads((tmp_path / "l" / "losses.json").read_text("utf-8"))["rows"]
    assert [row["loss"] for row in rows] == ["charbonnier", "l2"]
    (row,) = json.loads((tmp_path / "b" / "baselines.json").read_text("utf-8"))["rows"]
    assert row["network"] == "nlrn"
    assert np.isfinite(row["score"])
    assert (tmp_path / "b" / "nlrn-cpu" / "nlrn.safetensors").is_file()


def test_detail_is_one_for_the_truth_and_less_where_blurred() -> None:
    image = portrait()
    assert study.detail(image, image) == pytest.approx(1.0)
    soft = (image[:-1] + image[1:])[:, :-1] / 2
    assert study.detail(soft, image[:-1, :-1]) < 0.9


def test_a_chart_holds_every_line_and_its_name() -> None:
    root = ET.fromstring(line_chart("a < b", (1, 2, 5), {"x": [1, 2, 3], "y": [3.0, 3.0, 3.0]}))
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"a < b", "x", "y", "1", "2", "5"} <= set(texts)
    assert sum(element.tag.endswith("polyline") for element in root.iter()) == 2
