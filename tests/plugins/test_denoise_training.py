"""Training beside denoise-diffusion: its samples, its losses, its baselines and its studies."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from PIL import Image
from torch import nn

from oldfix import SAMPLERS, UsageError
from oldfix.testing import count_parameters
from oldfix.training import TrainRequest, read_recipe, stacked
from oldfix_denoise import study, train
from oldfix_denoise.baselines import NLRN, DnCNN
from oldfix_denoise.examples import CROP, SHARES, make_pair, recipe
from oldfix_denoise.net import PixelDenoiser
from oldfix_denoise.train import LOSSES, NETWORKS, TRAINING, DenoiseTask
from tests.plugins.learning import losses_on
from tests.plugins.pictures import coarse_noise

# --- baselines ------------------------------------------------------------------------------


def test_the_published_sizes_have_the_published_numbers_of_parameters() -> None:
    assert count_parameters(DnCNN()) == pytest.approx(0.67e6, rel=0.01)
    assert count_parameters(NLRN()) == pytest.approx(0.33e6, rel=0.02)


def test_the_recurrent_network_gathers_from_the_window_inside_the_picture() -> None:
    torch.manual_seed(0)
    net = NLRN(width=4, embedding=2, window=5, steps=2)
    state = torch.rand(1, 4, 21, 9)
    with torch.no_grad():
        net.merge.weight.copy_(torch.randn_like(net.merge.weight))
        gathered, similarity = net.gather(state, None)
        again, summed = net.gather(state, similarity)
        query, key, value = net.query(state), net.key(state), net.value(state)
    assert similarity.shape == (1, 25, 21, 9)
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


TINY: Mapping[str, Any] = {
    "denoiser-px-s": lambda: PixelDenoiser(widths=(8, 12), blocks=(1, 1)),
    "dncnn-s": lambda: DnCNN(width=8, depth=4),
    "nlrn-s": lambda: NLRN(width=8, embedding=4, window=3, steps=2),
}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), kind=st.sampled_from([None, *SHARES]))
def test_pairs_are_what_the_network_expects(seed: int, kind: str | None) -> None:
    noisy, clean = make_pair(coarse_noise(), np.random.default_rng(seed), kind=kind)
    for image in (noisy, clean):
        assert image.shape == (CROP, CROP, 3)
        assert image.dtype == np.float32
        assert 0 <= image.min() <= image.max() <= 1
    if (clean == clean[..., :1]).all():
        assert (noisy == noisy[..., :1]).all()


def test_some_pairs_are_sound_some_grey_and_noise_does_not_shift_the_tone() -> None:
    pairs = [make_pair(coarse_noise(), np.random.default_rng(i), size=16) for i in range(120)]
    assert 0.01 < np.mean([np.array_equal(*pair) for pair in pairs]) < 0.15
    assert 0.15 < np.mean([(c == c[..., :1]).all() for _, c in pairs]) < 0.35
    assert abs(np.mean([n.mean() - c.mean() for n, c in pairs])) < 0.01


def test_there_is_no_other_noise() -> None:
    assert {recipe(kind).name for kind in SHARES} == set(SHARES)
    with pytest.raises(UsageError, match="whit"):
        recipe("whit")


def test_losses_are_what_they_are_called() -> None:
    assert float(LOSSES["charbonnier"](torch.zeros(()))) == pytest.approx(1e-3)
    assert float(LOSSES["charbonnier"](torch.tensor(-3.0))) == pytest.approx(3.0, rel=1e-4)
    assert float(LOSSES["l2"](torch.tensor(-3.0))) == 9.0


@pytest.mark.parametrize("name", NETWORKS)
def test_every_recipe_builds_its_network_and_names_its_losses(name: str) -> None:
    for machine in ("cpu", "gpu", *(["l2"] if name == "denoiser-px-s" else [])):
        found = read_recipe(TRAINING, name, TrainRequest((), Path(), recipe=machine))
        assert set(found.phases) <= set(LOSSES)
        assert count_parameters(NETWORKS[name](**found.network)) < 8_000_000


def batch_of(task: DenoiseTask, size: int) -> tuple[torch.Tensor, ...]:
    return stacked(task.sample(np.random.default_rng(i)) for i in range(size))


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("loss", LOSSES)
def test_networks_learn_on_a_batch(name: str, loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "_HELD_OUT", 2)
    torch.manual_seed(0)
    task = DenoiseTask(coarse_noise(), TINY[name](), LOSSES[loss], one_step=name != "denoiser-px-s")
    batch = tuple(column[..., :32, :32] for column in batch_of(task, 4))
    found = losses_on(task, batch, rate=5e-3, steps=60)
    assert found[-1] < 0.9 * found[0]
    with torch.inference_mode():
        figures = task.validate(task.net)
    assert set(figures) == {"score", "white-15", "white-25", "white-50", "film", "camera"}
    assert all(np.isfinite(value) for value in figures.values())


@pytest.mark.parametrize(
    ("net", "measure", "best"),
    [
        (lambda: PixelDenoiser(widths=(32,), blocks=(1,)), "charbonnier", math.sqrt(2 / math.pi)),
        (lambda: NLRN(width=8, embedding=4, window=3, steps=1), "l2", 1.0),
    ],
)
def test_the_loss_falls_to_what_an_exact_predictor_leaves(
    net: Any, measure: str, best: float
) -> None:
    # Of white pictures of deviation 0.1 in white noise of the same, the best guess is half of
    # what is seen (off the mean); it leaves an error of deviation 0.1 / sqrt(2), nothing less.
    torch.manual_seed(0)
    task = DenoiseTask.__new__(DenoiseTask)
    task.net, task.measure, task.one_step = net(), LOSSES[measure], True
    optimizer = torch.optim.Adam(task.net.parameters(), 1e-2)
    found = []
    for step in range(160):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 160)
        clean = 0.5 + 0.1 * torch.randn(8, 3, 16, 16)
        value, _ = task.loss(task.net, (clean + 0.1 * torch.randn_like(clean), clean))
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(float(value.detach()))
    level = best * 0.1 / math.sqrt(2) if measure == "charbonnier" else 0.1**2 / 2
    assert found[0] > 1.3 * level
    assert 0.95 * level < np.mean(found[-20:]) < 1.1 * level


def test_half_of_a_batch_is_as_found_and_baselines_see_nothing_else() -> None:
    seen: list[torch.Tensor] = []

    class Spy(nn.Module):
        def forward(self, x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            seen.extend([x, t])
            return x

    for one_step in (False, True):
        task = DenoiseTask(coarse_noise(), Spy(), one_step=one_step)
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
    for number, image in enumerate(coarse_noise().groups[0]):
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
    with pytest.raises(UsageError, match=f"--data {tmp_path}: holds no picture"):
        study.main(["samplers", "--data", str(tmp_path), "-o", str(tmp_path / "out")])


def test_pictures_come_from_every_folder_named(tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b")):
        (tmp_path / name).mkdir()
        grey = np.full((16, 16, 3), 40 + 90 * number, np.uint8)
        Image.fromarray(grey).save(tmp_path / name / "one.png")
    arguments = ["samplers", "--data", str(tmp_path / "a"), "--data", str(tmp_path / "b")]
    options = study._parser().parse_args([*arguments, "--crop", "8"])
    means = [float(clean.mean()) * 255 for _, clean in study.noisy_pictures(options)]
    assert means == pytest.approx([40, 130])


BRIEF = """
[denoiser-px-s]
cpu = { minutes = 1, network = NET, phases.charbonnier = STEPS }
l2 = { minutes = 1, network = NET, phases.l2 = STEPS }

[nlrn-s.cpu]
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
    steps = ["--steps", "3"]
    assert study.main(["losses", *brief, *steps, "-o", str(tmp_path / "l")]) == 0
    assert study.main(["baselines", *brief, "-o", str(tmp_path / "b"), "--only", "nlrn-s"]) == 0
    rows = json.loads((tmp_path / "l" / "losses.json").read_text("utf-8"))["rows"]
    assert [(row["loss"], row["steps"]) for row in rows] == [("charbonnier", 3), ("l2", 3)]
    (row,) = json.loads((tmp_path / "b" / "baselines.json").read_text("utf-8"))["rows"]
    assert row["network"] == "nlrn-s"
    assert np.isfinite(row["score"])
    assert (tmp_path / "b" / "nlrn-s-cpu" / "nlrn-s.safetensors").is_file()


def test_detail_is_one_for_the_truth_and_less_where_blurred() -> None:
    image = make_pair(coarse_noise(), np.random.default_rng(0), kind="white")[0]
    assert study.detail(image, image) == pytest.approx(1.0)
    soft = (image[:-1] + image[1:])[:, :-1] / 2
    assert study.detail(soft, image[:-1, :-1]) < 0.9


def test_the_chart_of_samplers_has_a_line_for_each_and_all_numbers_of_steps() -> None:
    rows = [{"sampler": s, "steps": n, "ssim": 1 / n} for s in SAMPLERS for n in study.STEPS]
    chart = study.sampler_chart(rows, "ssim", 25.0)
    assert [line.name for line in chart.lines] == list(SAMPLERS)
    assert all(list(line.y) == [1 / n for n in study.STEPS] for line in chart.lines)
    assert len({line.colour for line in chart.lines}) == len(SAMPLERS)
    texts = {e.text for e in ET.fromstring(chart.to_svg()).iter() if e.tag.endswith("text")}
    assert {"ssim over steps, white noise of 25", *SAMPLERS, *map(str, study.STEPS)} <= texts
