"""Samplers of the way from a photograph as found to the restored one, where the answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from oldfix import SAMPLERS, between
from oldfix.engine.samplers import State

values = st.floats(-2, 2, width=32)


@given(clean=values, found=values)
def test_the_way_begins_at_the_clean_state_and_ends_at_the_one_found(
    clean: float, found: float
) -> None:
    x_0, x_T = np.full(3, clean, np.float32), np.full(3, found, np.float32)
    np.testing.assert_array_equal(between(x_0, x_T, 0.0), x_0)
    np.testing.assert_array_equal(between(x_0, x_T, 1.0), x_T)


@given(clean=values, found=values, a=st.floats(0, 1), step=st.floats(0, 0.01))
def test_the_way_has_no_jumps(clean: float, found: float, a: float, step: float) -> None:
    there, near = (between(clean, found, min(at, 1.0)) for at in (a, a + step))
    assert abs(near - there) <= step * abs(found - clean) + 1e-9


def test_every_picture_of_a_batch_has_its_own_time() -> None:
    x_0, x_T, a = torch.zeros(3, 1, 2, 2), torch.ones(3, 1, 2, 2), torch.tensor([0.0, 0.25, 1.0])
    x_t = between(x_0, x_T, a[:, None, None, None])
    torch.testing.assert_close(x_t.mean((1, 2, 3)), a)


def gain(sampler: str, noise: float, steps: int) -> float:
    """Result of restoring x_T = 1 with the exact predictor of a Gaussian, which is linear.

    x_0 ~ N(0, 1) and x_T = x_0 + N(0, noise^2), so E[x_0 | x_t] = x_t / (1 + (a noise)^2).
    """

    def predict(x: State, a: float) -> State:
        return x / np.float32(1 + (a * noise) ** 2)

    return float(SAMPLERS[sampler](predict, np.ones(1, np.float32), steps)[0])


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("noise", [0.3, 1.0, 2.0])
def test_one_step_is_the_best_estimate(sampler: str, noise: float) -> None:
    assert gain(sampler, noise, 1) == pytest.approx(1 / (1 + noise**2), rel=1e-5)


@pytest.mark.parametrize("noise", [0.3, 1.0])
def test_many_steps_tend_to_what_theory_says(noise: float) -> None:
    # InDI integrates dx/x = da a s^2 / (1 + a^2 s^2) to 1 / sqrt(1 + s^2): the signal's variance.
    assert gain("indi", noise, 2000) == pytest.approx(1 / np.sqrt(1 + noise**2), abs=2e-3)
    # Origin sampling mixes the photograph in at every step and returns to it.
    assert gain("origin", noise, 2000) > 0.9
    assert gain("origin", noise, 4) > gain("improved", noise, 4) > gain("improved", noise, 1)


@pytest.mark.parametrize(
    ("sampler", "noise", "losses"),
    [
        ("origin", 0.5, (0.06, 0.23, 0.37, 0.73)),
        ("improved", 0.5, (0.02, 0.04, 0.05, 0.07)),
        ("indi", 0.5, (0.06, 0.15, 0.19, 0.23)),
        ("origin", 1.0, (0.17, 0.63, 1.02, 2.13)),
        ("improved", 1.0, (0.04, 0.11, 0.14, 0.17)),
        ("indi", 1.0, (0.17, 0.44, 0.56, 0.67)),
    ],
)
def test_steps_cost_decibels_where_the_predictor_is_exact(
    sampler: str, noise: float, losses: tuple[float, ...]
) -> None:
    def error(gain: float) -> float:
        return (1 - gain) ** 2 + (gain * noise) ** 2

    best = error(1 / (1 + noise**2))
    found = [10 * np.log10(error(gain(sampler, noise, T)) / best) for T in (2, 5, 10, 100)]
    assert found == pytest.approx(losses, abs=0.006)


@given(
    guesses=st.lists(st.floats(-2, 2, width=32), min_size=1, max_size=10),
    found=st.floats(-2, 2, width=32),
)
def test_improved_sampling_is_the_mean_of_the_guesses(guesses: list[float], found: float) -> None:
    left = iter(guesses)
    x = SAMPLERS["improved"](
        lambda x, a: np.full_like(x, next(left)), np.full(1, found, np.float32), len(guesses)
    )
    assert float(x[0]) == pytest.approx(np.mean(guesses), abs=1e-4)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_perfect_predictor_sees_the_straight_line_and_is_believed(sampler: str) -> None:
    clean, found = np.float32([0.2, -1.0]), np.float32([1.5, 0.5])
    seen: list[float] = []

    def predict(x: State, a: float) -> State:
        np.testing.assert_allclose(x, (1 - a) * clean + a * found, atol=1e-5)
        seen.append(a)
        return clean

    np.testing.assert_allclose(SAMPLERS[sampler](predict, found, 5), clean, atol=1e-5)
    assert seen == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2])
