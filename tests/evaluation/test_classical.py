"""Classical rows: they do what their name says, on any size."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import data

from oldfix.colour import luminance, to_lab
from oldfix.evaluation import classical, metrics

PLAIN = [
    classical.median,
    classical.non_local_means,
    classical.wavelet,
    classical.total_variation,
    classical.bicubic_unsharp,
    classical.grey_world,
    classical.stretch,
]


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return data.astronaut()[:96, 150:270].astype(np.float32) / 255


@pytest.fixture(scope="module")
def noisy(portrait) -> np.ndarray:
    noise = np.random.default_rng(5).normal(0, 0.1, portrait.shape)
    return np.clip(portrait + noise, 0, 1).astype(np.float32)


@pytest.mark.parametrize("method", PLAIN)
@pytest.mark.parametrize("size", [(33, 40), (64, 31)])
def test_results_are_pictures_of_the_same_size(method, size, portrait):
    if method is classical.wavelet:
        pytest.importorskip("pywt")
    image = portrait[: size[0], : size[1]].copy()
    before = image.copy()
    result = method(image)
    assert result.shape == image.shape
    assert result.dtype == np.float32
    assert result.min() >= 0 and result.max() <= 1
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("method", PLAIN[:4])
def test_denoisers_denoise(method, noisy, portrait):
    if method is classical.wavelet:
        pytest.importorskip("pywt")
    assert metrics.psnr(method(noisy), portrait) > metrics.psnr(noisy, portrait) + 1


@pytest.mark.parametrize("grey", [False, True])
def test_bm3d_denoises_colour_and_keeps_grey_grey(grey, noisy, portrait):
    pytest.importorskip("bm3d")
    image, clean = (np.repeat(p[..., :1], 3, 2) if grey else p for p in (noisy, portrait))
    result = classical.bm3d(image)
    assert metrics.psnr(result, clean) > metrics.psnr(image, clean) + 5
    assert bool((result == result[..., :1]).all()) is grey


@pytest.mark.parametrize("std", [0.02, 0.1])
def test_noise_level_of_known_noise(std):
    noise = np.random.default_rng(1).normal(0.5, std, (200, 200, 3))
    assert classical.noise_level(noise) == pytest.approx(std, rel=0.05)


def test_noise_level_of_one_pixel():
    assert classical.noise_level(np.ones((1, 5, 3), np.float32)) == 0


@pytest.mark.parametrize(
    "fill",
    [classical.inpaint_telea, classical.inpaint_navier_stokes, classical.inpaint_biharmonic],
)
def test_inpainting_changes_the_mask_alone(fill, portrait):
    mask = np.zeros(portrait.shape[:2], np.float32)
    mask[40:43] = 1
    scratched = np.where(mask[..., None] > 0, np.float32(1), portrait)
    filled = fill(scratched, mask)
    np.testing.assert_array_equal(filled[mask == 0], scratched[mask == 0])
    inside, _ = metrics.masked_psnr(filled, portrait, mask)
    assert inside > metrics.masked_psnr(scratched, portrait, mask)[0] + 10


def test_biharmonic_inpainting_goes_on_with_a_slope():
    """Its solutions include every plane, which filling with neighbours does not give back."""
    ramp = np.linspace(0.1, 0.9, 40, dtype=np.float32)
    plane = np.repeat((ramp[:, None] * 0.5 + ramp * 0.5)[..., None], 3, axis=2)
    mask = np.zeros(plane.shape[:2], np.float32)
    mask[10:18, 12:30] = 1
    holed = np.where(mask[..., None] > 0, np.float32(1), plane)
    np.testing.assert_allclose(classical.inpaint_biharmonic(holed, mask), plane, atol=1e-4)
    assert np.abs(classical.inpaint_telea(holed, mask) - plane).max() > 0.005


@pytest.mark.parametrize("value", [0, 1])
def test_biharmonic_inpainting_without_anything_to_fill_or_to_fill_from(value, portrait):
    mask = np.full(portrait.shape[:2], value, np.float32)
    np.testing.assert_array_equal(classical.inpaint_biharmonic(portrait, mask), portrait)


def test_scratches_score_highest(portrait):
    mask = np.zeros(portrait.shape[:2], np.float32)
    mask[:, 60] = 1
    scratched = np.where(mask[..., None] > 0, np.float32(0.95), portrait * 0.5)
    scores = classical.scratch_scores(scratched)
    assert metrics.roc_auc(scores, mask) > 0.9


def test_grey_world_removes_a_gain(portrait):
    balanced = classical.grey_world(portrait)
    cast = classical.grey_world(portrait * np.float32([0.8, 1, 0.6]))
    ratio = (cast / np.maximum(balanced, 1e-3))[balanced.min(-1) > 0.1]
    assert ratio.std() < 0.01


def test_colour_transfer_keeps_luminance(portrait):
    lab = to_lab(portrait)
    lab[..., 1:] = 0
    grey = np.repeat(portrait.mean(-1, keepdims=True), 3, -1)
    for transfer in (classical.mean_chroma, classical.chroma_by_luminance):
        coloured = transfer(grey, portrait)
        assert np.abs(luminance(coloured) - luminance(grey)).max() < 0.01
        assert metrics.ciede2000(coloured, portrait) < metrics.ciede2000(grey, portrait)


def test_cascade_finds_the_astronaut():
    image = data.astronaut().astype(np.float32) / 255
    faces = classical.cascade_faces(image)
    centres = [((f.box[0] + f.box[2]) / 2, (f.box[1] + f.box[3]) / 2) for f in faces]
    assert any(abs(x - 225) < 40 and abs(y - 120) < 40 for x, y in centres)
