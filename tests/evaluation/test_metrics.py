"""The metrics against scikit-image, hand-worked values and laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from skimage import color, data
from skimage.metrics import peak_signal_noise_ratio

from oldfix.evaluation import metrics


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    image = data.astronaut()[:96, :80].astype(np.float32) / 255
    noise = np.random.default_rng(3).normal(0, 0.05, image.shape)
    return np.clip(image + noise, 0, 1).astype(np.float32), image


def test_psnr_equals_scikit_image(pair):
    image, reference = pair
    expected = peak_signal_noise_ratio(reference.astype(float), image.astype(float), data_range=1)
    assert metrics.psnr(image, reference) == pytest.approx(expected, abs=1e-6)


def test_psnr_of_a_known_error():
    assert metrics.psnr(np.full((4, 4, 3), 0.6), np.full((4, 4, 3), 0.5)) == pytest.approx(20)


def test_equal_pictures(pair):
    _, image = pair
    assert metrics.psnr(image, image) == math.inf
    assert metrics.ssim(image, image) == pytest.approx(1)
    assert metrics.ciede2000(image, image) == 0


def test_masked_psnr_splits_the_error(pair):
    image, reference = pair
    mask = np.zeros(image.shape[:2])
    mask[:30] = 1
    inside, outside = metrics.masked_psnr(image, reference, mask)
    assert inside == pytest.approx(metrics.psnr(image[:30], reference[:30]))
    assert outside == pytest.approx(metrics.psnr(image[30:], reference[30:]))


def test_masked_psnr_without_pixels_is_nan(pair):
    inside, outside = metrics.masked_psnr(*pair, np.zeros(pair[0].shape[:2]))
    assert math.isnan(inside)
    assert outside == pytest.approx(metrics.psnr(*pair))


def test_chroma_psnr_by_hand():
    first = color.lab2rgb(np.full((4, 4, 3), (60.0, 10.0, 5.0)))
    second = color.lab2rgb(np.full((4, 4, 3), (60.0, 13.0, 9.0)))
    expected = 10 * math.log10(255**2 / ((3**2 + 4**2) / 2))
    assert metrics.psnr_chroma(first, second) == pytest.approx(expected, abs=0.01)


def test_chroma_psnr_does_not_see_luminance():
    dark, light = (
        color.lab2rgb(np.dstack([np.full((4, 4), level), *np.full((2, 4, 4), 8.0)]))
        for level in (40.0, 70.0)
    )
    assert metrics.psnr(dark, light) < 15
    assert metrics.psnr_chroma(dark, light) > 80


def direct_ssim(x: np.ndarray, y: np.ndarray) -> float:
    """Wang's formula window by window, for one channel."""
    ramp = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    window = np.outer(ramp, ramp) / ramp.sum() ** 2
    stack = [np.lib.stride_tricks.sliding_window_view(p.astype(float), (11, 11)) for p in (x, y)]
    mx, my = (np.einsum("hwij,ij->hw", s, window) for s in stack)
    xx, yy, xy = (
        np.einsum("hwij,hwij,ij->hw", a, b, window)
        for a, b in ((stack[0], stack[0]), (stack[1], stack[1]), (stack[0], stack[1]))
    )
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mx * my + c1) * (2 * (xy - mx * my) + c2)
    return float((top / ((mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2))).mean())


def test_ssim_is_wangs_formula(pair):
    image, reference = pair
    expected = np.mean([direct_ssim(image[..., c], reference[..., c]) for c in range(3)])
    assert metrics.ssim(image, reference) == pytest.approx(expected, abs=1e-6)


def test_ciede2000_of_published_pair():
    """First pair of Sharma, Wu and Dalal's test data, through sRGB where it fits."""
    lab = np.array([[[50.0, 2.6772, -79.7751]], [[50.0, 0.0, -82.7485]]])
    assert color.deltaE_ciede2000(lab[0], lab[1])[0] == pytest.approx(2.0425, abs=1e-4)
    grey = [np.full((2, 2, 3), v) for v in (0.5, 0.6)]
    expected = color.deltaE_ciede2000(*(color.rgb2lab(g) for g in grey)).mean()
    assert metrics.ciede2000(*grey) == pytest.approx(expected, abs=1e-9)


def test_colourfulness_of_grey_is_nothing_and_grows_with_saturation(pair):
    _, image = pair
    grey = np.repeat(image.mean(-1, keepdims=True), 3, -1)
    values = [metrics.colourfulness(grey + s * (image - grey)) for s in (0, 0.5, 1)]
    assert values[0] == pytest.approx(0, abs=1e-4)
    assert values[0] < values[1] < values[2]


def test_colourfulness_by_hand():
    image = np.array([[[1.0, 0, 0], [0, 0, 0]]])
    spread = math.hypot(127.5, 63.75)
    assert metrics.colourfulness(image) == pytest.approx(1.3 * spread)


def test_average_precision_and_auc_by_hand():
    scores, truth = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1, 0, 1, 0])
    assert metrics.average_precision(scores, truth) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert metrics.roc_auc(scores, truth) == pytest.approx(0.75)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=30).filter(
        lambda rows: len({true for _, true in rows}) == 2
    )
)
def test_auc_is_the_chance_that_a_true_pixel_scores_higher(rows):
    scores = np.array([s for s, _ in rows], float)
    truth = np.array([t for _, t in rows])
    true, false = scores[truth][:, None], scores[~truth][None]
    expected = ((true > false) + 0.5 * (true == false)).mean()
    assert metrics.roc_auc(scores, truth) == pytest.approx(expected)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_scores_keep_their_value_under_monotone_change(seed):
    rng = np.random.default_rng(seed)
    scores, truth = rng.random((6, 7)), rng.random((6, 7)) > 0.6
    truth[0, 0], truth[0, 1] = True, False
    for metric in (metrics.average_precision, metrics.roc_auc):
        assert metric(scores, truth) == pytest.approx(metric(scores**3, truth))
        assert metric(truth.astype(float), truth) == 1


def test_undefined_scores_are_nan():
    assert math.isnan(metrics.average_precision(np.ones(3), np.zeros(3)))
    assert math.isnan(metrics.roc_auc(np.ones(3), np.ones(3)))


def test_f1_plain_and_with_tolerance():
    truth = np.zeros((20, 20))
    truth[10] = 1
    shifted = np.roll(truth, 2, axis=0)
    assert metrics.f1(truth, truth) == 1
    assert metrics.f1(shifted, truth) == 0
    assert metrics.f1(shifted, truth, tolerance_px=2) == 1
    assert metrics.f1(shifted, truth, tolerance_px=1.5) == 0


def test_f1_is_the_harmonic_mean():
    truth, prediction = np.array([[1, 1, 1, 0]]), np.array([[1, 0, 0, 1]])
    assert metrics.f1(prediction, truth) == pytest.approx(2 * 0.5 * (1 / 3) / (0.5 + 1 / 3))


@pytest.mark.parametrize(("marked", "true", "expected"), [(0, 0, 1), (1, 0, 0), (0, 1, 0)])
def test_f1_of_empty_masks(marked, true, expected):
    assert metrics.f1(np.full((3, 3), marked), np.full((3, 3), true)) == expected


def test_false_marks_leave_out_the_edge_of_damage():
    truth, marks = np.zeros((10, 10)), np.zeros((10, 10))
    truth[:, 0] = 1
    marks[:, 2] = 1
    assert metrics.false_marks(marks, truth) == 0
    marks[:, 9] = 1
    assert metrics.false_marks(marks, truth) == pytest.approx(100 / 7)
    assert metrics.false_marks(marks, np.zeros((10, 10))) == pytest.approx(20)
    assert math.isnan(metrics.false_marks(marks, np.ones((10, 10))))


def test_unlike_shapes_are_refused():
    with pytest.raises(ValueError, match=r"shapes differ, \(2, 2, 3\) and \(3, 2, 3\)"):
        metrics.psnr(np.zeros((2, 2, 3)), np.zeros((3, 2, 3)))
    with pytest.raises(ValueError, match="mask is"):
        metrics.masked_psnr(np.zeros((2, 2, 3)), np.zeros((2, 2, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="at least 11 pixels"):
        metrics.ssim(np.zeros((10, 20)), np.zeros((10, 20)))
