"""The walk from noise over one canvas, and the windows that it is seen through."""

from __future__ import annotations

import numpy as np
import pytest

from oldfix_diffusion.windows import joined, windows


@pytest.mark.parametrize("size", [(16, 16), (17, 40), (100, 33), (5, 64)])
def test_windows_cover_what_is_wanted_and_agree_with_the_whole(size: tuple[int, int]) -> None:
    plane = np.random.default_rng(0).random((*size, 2), dtype=np.float32)
    places = windows(np.ones(size, np.bool_), 16)
    whole = joined([place.of(plane).copy() for place in places], places, size)
    np.testing.assert_allclose(whole, plane, atol=1e-6)
    few = np.zeros(size, np.bool_)
    few[size[0] // 2, size[1] // 2] = True
    assert 1 <= len(windows(few, 16)) <= len(places)
    assert windows(np.zeros(size, np.bool_), 16) == []


@pytest.mark.parametrize(("name", "steps"), [("ddim", 50), ("dpm", 20), ("ddpm", 200)])
def test_a_perfect_predictor_leads_to_the_distribution(name: str, steps: int) -> None:
    """For data N(m, s^2) the noise is known in closed form; samples must have m and s."""
    pytest.importorskip("diffusers")
    from oldfix_diffusion.walking import make_scheduler, walk

    mean, std = 0.7, 0.4
    schedule = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
    scheduler = make_scheduler(name, {**schedule, "timestep_spacing": "trailing"})
    kept = scheduler.alphas_cumprod.numpy()

    def predict(planes: np.ndarray, t: int) -> np.ndarray:
        a = kept[t]
        z = planes[..., :1]
        return np.sqrt(1 - a) * (z - np.sqrt(a) * mean) / (a * std**2 + 1 - a)

    noise = np.random.default_rng(0).standard_normal((96, 96, 1), np.float32)
    known = np.zeros((96, 96, 1), np.float32)
    z = walk(predict, noise, known, scheduler, steps=steps, seed=1)
    assert float(z.mean()) == pytest.approx(mean, abs=0.03)
    assert float(z.std()) == pytest.approx(std, rel=0.15)  # few steps narrow it
