"""What the autoencoder, the restorer and its head learn from, and that they learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from oldfix.training import stacked
from oldfix_diffusion.examples import CROP, given_mask, make_example
from oldfix_diffusion.net import tiny_autoencoder
from oldfix_diffusion.restorer import Restorer
from oldfix_diffusion.train_latent import LatentTask, log_error
from oldfix_diffusion.train_restorer import (
    DenoiserTask,
    HeadTask,
    JointTask,
    channel_worth,
    latent_errors,
)
from tests.plugins.learning import losses_on
from tests.plugins.pictures import coarse_noise


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_samples_are_what_the_network_expects(seed: int) -> None:
    aged, start, target, mask = make_example(
        coarse_noise(), np.random.default_rng(seed), sound=seed % 2 == 0
    )
    assert aged.shape == start.shape == target.shape == (CROP, CROP, 3)
    np.testing.assert_array_equal(start[mask[..., 0] <= 0.5], aged[mask[..., 0] <= 0.5])
    assert mask.shape == (CROP, CROP, 1)
    assert mask.dtype == np.float32
    assert 0 <= mask.min() <= mask.max() <= 1
    if seed % 2 == 0:
        np.testing.assert_array_equal(aged, target)


def test_given_masks_are_sometimes_whole_sometimes_faulty_sometimes_empty() -> None:
    truth = np.zeros((64, 64), np.float32)
    truth[20:24], truth[:, 40] = 1.0, 0.5
    masks = [given_mask(truth, np.random.default_rng(i)) for i in range(200)]
    covers = [bool((mask[truth > 0.1] > 0).all()) for mask in masks]
    empty = [not mask.any() for mask in masks]
    assert 0.5 < np.mean(covers) < 0.95
    assert 0.03 < np.mean(empty) < 0.25


def test_errors_are_what_they_are_called() -> None:
    x, target = torch.full((2, 3, 4, 4), 0.5), torch.full((2, 3, 4, 4), 0.6)
    torch.testing.assert_close(
        -10 * log_error(x, target), torch.full((2,), 20.0), atol=1e-3, rtol=0
    )


def test_the_denoisers_loss_counts_channels_by_their_pixels() -> None:
    latent = tiny_autoencoder()
    with torch.no_grad():
        latent.std[:, 0] *= 10
    worth = channel_worth(latent)
    assert worth.shape == (1, 4, 1, 1)
    assert float(worth.mean()) == pytest.approx(1.0)
    assert float(worth[0, 0]) > 2 * float(worth[0, 1:].max())


def tiny_task(kind: str) -> LatentTask | DenoiserTask | HeadTask:
    if kind == "latent":
        return LatentTask(coarse_noise(), tiny_autoencoder())
    net = Restorer(channels=4, widths=(8, 12), blocks=(1, 1), head=((8, 8), (1, 1)))
    kinds = {"denoiser": DenoiserTask, "head": HeadTask, "joint": JointTask}
    return kinds[kind](coarse_noise(), tiny_autoencoder(), net)


@pytest.mark.parametrize("kind", ["latent", "denoiser", "head", "joint"])
def test_tasks_learn_on_a_batch(kind: str) -> None:
    torch.manual_seed(0)
    task = tiny_task(kind)
    before = {name: value.clone() for name, value in task.net.state_dict().items()}
    rng = np.random.default_rng(1)
    batch = stacked(task.sample(rng) for _ in range(4))
    losses = losses_on(task, batch, rate=1e-3, steps=30)
    assert losses[-1] < losses[0]
    parts = {n.split(".")[0] for n, v in task.net.state_dict().items() if not v.equal(before[n])}
    expected = {
        "latent": {"encoder", "decoder"},
        "denoiser": {"denoiser"},
        "head": {"head"},
        "joint": {"denoiser", "head"},
    }
    assert parts == expected[kind]
    with torch.inference_mode():
        assert np.isfinite(task.validate(task.net)["score"])


def test_the_denoisers_loss_falls_to_what_an_exact_predictor_leaves() -> None:
    """A latent of white noise, found in white noise as strong: the best guess is known.

    At time t the state is z_0 + t n, and the best guess of z_0 leaves an error of deviation
    t / sqrt(1 + t^2). Half of a batch is at t = 1, the rest at any t; the state itself, which an
    untrained network gives, leaves t.
    """

    class Thinned:
        """In place of an autoencoder: every fourth pixel of every fourth row."""

        def encode(self, x: Any) -> Any:
            return x[..., ::4, ::4]

    torch.manual_seed(0)
    net = Restorer(channels=3, widths=(16,), blocks=(1,), head=((8, 8), (1, 1)))
    optimizer = torch.optim.Adam(net.denoiser.parameters(), 1e-2)
    worth, found = torch.ones(1, 3, 1, 1), []
    for step in range(150):
        optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 150)
        clean = torch.randn(16, 3, 32, 32)
        batch = clean, clean + torch.randn_like(clean), clean, torch.zeros(16, 1, 32, 32)
        _, errors = latent_errors(net, Thinned(), worth, batch)  # type: ignore[arg-type]
        errors.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(float(errors.detach().mean()))
    of_a_deviation = np.sqrt(2 / np.pi)  # the mean size of a normal number
    level = of_a_deviation * (np.sqrt(0.5) + np.sqrt(2) - 1) / 2
    assert found[0] == pytest.approx(of_a_deviation * (1 + 0.5) / 2, rel=0.1)
    assert 0.95 * level < np.mean(found[-20:]) < 1.06 * level
