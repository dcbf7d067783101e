"""Laws of every kind of damage, and of single ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from oldfix.degrade import KINDS
from oldfix.degrade.blur import defocus, lens_blur, low_resolution, motion_blur
from oldfix.degrade.fields import normal, smooth_field
from oldfix.degrade.grain import grain
from oldfix.degrade.jpeg import jpeg, small_copy
from oldfix.degrade.light import luma, to_linear, to_srgb
from oldfix.degrade.noise import gaussian_noise, sensor_noise

# Parameters that make the damage certain to be seen in a picture of 96 pixels a side.
DENSE = {
    "scratches": {"density": 400.0},
    "hairlines": {"density": 800.0, "opacity": 0.9},
    "bundles": {"density": 100.0},
    "creases": {"count_per_kpx": 50.0},
    "cracks": {"density": 400.0},
    "flakes": {"density": 800.0},
    "tears": {"count_per_kpx": 50.0, "depth_px": 30.0},
    "missing_corner": {"size": 0.4},
    "dust": {"density": 4000.0},
    "hairs": {"density": 400.0},
    "stains": {"density": 300.0},
    "foxing": {"density": 2000.0},
    "fingerprints": {"density": 300.0, "radius_px": 30.0},
    "mould": {"cover": 0.5, "spot_px": 2.0},
    "silver_mirroring": {"opacity": 1.0},
}
# The one parameter that turns a kind off, so that nothing may change.
OFF = {
    **{name: {"density": 0.0} for name in DENSE},
    "creases": {"count_per_kpx": 0.0},
    "tears": {"count_per_kpx": 0.0},
    "missing_corner": {"size": 0.0},
    "mould": {"cover": 0.0},
    "silver_mirroring": {"opacity": 0.0},
    "fade": {"contrast": 1.0, "lift": 0.0, "saturation": 1.0},
    "gamma": {"exponent": 1.0},
    "yellow": {"strength": 0.0},
    "cast": {"shift": 0.0, "gain": 0.0},
    "toning": {"mix": 0.0},
    "sepia": {"strength": 0.0},
    "vignette": {"strength": 0.0},
    "uneven": {"strength": 0.0},
    "grain": {"std": 0.0},
    "halftone": {"mix": 0.0},
    "rosette": {"mix": 0.0},
    "paper_texture": {"amplitude": 0.0},
    "lens_blur": {"sigma_px": 0.0},
    "low_resolution": {"factor": 1.0},
    "gaussian_noise": {"std": 0.0},
    "sensor_noise": {"shot": 0.0, "read": 0.0},
    "speckle": {"std": 0.0},
    "banding": {"std": 0.0},
}

sizes = st.sampled_from([(1, 1), (1, 9), (31, 37), (64, 48), (2, 50)])
seeds = st.integers(0, 2**32)


def picture(seed: int, height: int = 96, width: int = 96) -> np.ndarray:
    """Return a smooth coloured picture that is read-only, as stages get them."""
    rng = np.random.default_rng(seed)
    planes = [0.5 + 0.25 * smooth_field(rng, (height, width), 20) for _ in range(3)]
    image = np.clip(np.stack(planes, -1), 0, 1).astype(np.float32)
    image.flags.writeable = False
    return image


def run(kind: str, image: np.ndarray, seed: int, **parameters: float):
    """Return ``(damaged, mask or None)``."""
    result = KINDS[kind](image, rng=np.random.default_rng(seed), **parameters)
    return result if isinstance(result, tuple) else (result, None)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None)
@given(size=sizes, seed=seeds)
def test_result_is_a_picture_of_the_same_size(kind, size, seed):
    image = picture(seed, *size)
    before = image.copy()
    damaged, mask = run(kind, image, seed, **DENSE.get(kind, {}))
    assert damaged.shape == image.shape
    assert damaged.dtype == np.float32
    assert damaged.min() >= 0
    assert damaged.max() <= 1
    assert not np.shares_memory(damaged, image)
    np.testing.assert_array_equal(image, before)
    assert (mask is not None) == (kind in DENSE)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=6, deadline=None)
@given(seed=seeds)
def test_a_seed_decides_everything(kind, seed):
    image = picture(1, 40, 50)
    first, second = (run(kind, image, seed, **DENSE.get(kind, {})) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


@pytest.mark.parametrize("kind", DENSE)
@settings(max_examples=15, deadline=None)
@given(size=sizes, seed=seeds)
def test_the_mask_marks_exactly_what_changed(kind, size, seed):
    image = picture(seed, *size)
    damaged, mask = run(kind, image, seed, **DENSE[kind])
    assert mask.shape == size
    assert mask.dtype == np.float32
    assert mask.min() >= 0
    assert mask.max() <= 1
    np.testing.assert_array_equal(damaged[mask == 0], image[mask == 0])
    # A layer of opacity m cannot move a value by more than m.
    assert (np.abs(damaged - image).max(-1) <= mask + 1e-5).all()


@pytest.mark.parametrize("kind", DENSE)
def test_damage_is_seen_and_differs_between_seeds(kind):
    image = picture(3)
    (first, mask), (second, _) = (run(kind, image, seed, **DENSE[kind]) for seed in (5, 6))
    assert mask.max() > 0.05
    assert np.abs(first - image)[mask > 0.05].max() > 0.02
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("kind", OFF)
def test_none_of_it_leaves_the_picture_alone(kind):
    image = picture(4, 33, 47)
    damaged, mask = run(kind, image, 7, **OFF[kind])
    np.testing.assert_allclose(damaged, image, atol=1e-6)
    assert mask is None or not mask.any()


def test_a_crop_holds_as_much_dust_as_a_scan():
    def share(side: int, runs: int) -> float:
        image = picture(0, side, side)
        masks = [run("dust", image, seed, density=2000.0)[1] for seed in range(runs)]
        return float(np.mean([mask.mean() for mask in masks]))

    assert share(64, 400) == pytest.approx(share(400, 25), rel=0.2)


def test_a_crop_holds_as_many_scratches_as_a_scan():
    def share(side: int, runs: int) -> float:
        image = picture(0, side, side)
        masks = [run("scratches", image, seed, density=40.0)[1] for seed in range(runs)]
        return float(np.mean([mask.mean() for mask in masks]))

    assert share(96, 500) == pytest.approx(share(600, 40), rel=0.25)


@pytest.mark.parametrize("kind", DENSE)
def test_damage_of_a_grey_scan_is_grey(kind):
    image = np.repeat(picture(2)[..., :1], 3, axis=2)
    damaged, _ = run(kind, image, 8, **DENSE[kind])
    np.testing.assert_allclose(damaged.max(-1), damaged.min(-1), atol=1e-6)


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=20))
def test_light_and_back(values):
    encoded = np.array(values, np.float32)
    np.testing.assert_allclose(to_srgb(to_linear(encoded)), encoded, atol=2e-4)


def test_linear_light_of_known_values():
    known = to_linear(np.array([0.0, 0.04045, 0.5, 1.0], np.float32))
    np.testing.assert_allclose(known, [0, 0.0031308, 0.2140411, 1], atol=2e-5)


@pytest.mark.parametrize(
    ("blur", "parameters"),
    [
        (lens_blur, {"sigma_px": 2.0}),
        (lens_blur, {"sigma_px": 2.0, "stretch": 2.0}),
        (defocus, {"radius_px": 2.5}),
        (motion_blur, {"length_px": 7.0, "angle_deg": 30.0}),
        (low_resolution, {"factor": 2.0}),
    ],
)
def test_blur_keeps_the_light_and_loses_detail(blur, parameters):
    rng = np.random.default_rng(0)
    image = rng.random((64, 64, 3), dtype=np.float32)
    blurred = blur(image, rng=rng, **parameters)
    assert to_linear(blurred).mean() == pytest.approx(to_linear(image).mean(), rel=0.02)
    assert blurred.std() < 0.7 * image.std()


def test_motion_blurs_along_its_angle_only():
    image = np.zeros((32, 32, 3), np.float32)
    image[16] = 1
    rng = np.random.default_rng(0)
    along = motion_blur(image, rng=rng, length_px=9, angle_deg=0)
    across = motion_blur(image, rng=rng, length_px=9, angle_deg=90)
    np.testing.assert_allclose(along, image, atol=1e-3)
    assert across[16].max() < 0.6


def flat(level: float) -> np.ndarray:
    return np.full((160, 160, 3), level, np.float32)


@pytest.mark.parametrize("size_px", [0.0, 0.8, 1.5])
def test_grain_has_its_deviation_in_the_mid_tones_and_a_fifth_at_black(size_px):
    rng = np.random.default_rng(1)
    middle = grain(flat(0.5), rng=rng, std=10.0, size_px=size_px)
    assert 255 * middle[..., 0].std() == pytest.approx(10, rel=0.12)
    np.testing.assert_array_equal(middle[..., 0], middle[..., 2])
    dark = grain(flat(0.02), rng=rng, std=10.0, size_px=size_px)
    assert 255 * dark[..., 0].std() < 3.5


def test_grain_is_as_coarse_as_asked():
    def likeness(size_px: float) -> float:
        noise = grain(flat(0.5), rng=np.random.default_rng(2), size_px=size_px)[..., 0]
        return float(np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1])

    assert abs(likeness(0.0)) < 0.03
    assert 0.3 < likeness(0.8) < likeness(1.5)


def test_noise_has_its_deviation():
    rng = np.random.default_rng(3)
    noisy = gaussian_noise(flat(0.5), rng=rng, std=25.0)
    assert 255 * noisy.std() == pytest.approx(25, rel=0.03)
    assert abs(np.corrcoef(noisy[..., 0].ravel(), noisy[..., 1].ravel())[0, 1]) < 0.03
    grey = gaussian_noise(flat(0.5), rng=rng, std=25.0, colour=0.0)
    np.testing.assert_array_equal(grey[..., 0], grey[..., 1])


def test_shot_noise_grows_with_the_light():
    rng = np.random.default_rng(4)
    dark, light = (sensor_noise(flat(v), rng=rng, shot=8.0, read=1.0).std() for v in (0.1, 0.8))
    assert light > 2 * dark


def test_normal_noise_is_normal():
    values = normal(np.random.default_rng(5), (200_000,))
    assert values.mean() == pytest.approx(0, abs=0.01)
    assert values.std() == pytest.approx(1, abs=0.01)
    assert (np.abs(values) > 2).mean() == pytest.approx(0.0455, abs=0.003)


def test_jpeg_costs_more_at_lower_quality():
    rng = np.random.default_rng(0)
    image = gaussian_noise(picture(6), rng=rng, std=4.0, colour=0.0)
    losses = [np.abs(jpeg(image, rng=rng, quality=q) - image).mean() for q in (95, 60, 20)]
    assert losses == sorted(losses)
    assert losses[0] < losses[2] / 2


def test_a_small_copy_has_the_blocks_of_its_file_enlarged():
    rng = np.random.default_rng(0)
    image = gaussian_noise(picture(6), rng=rng, std=8.0, colour=0.0)
    copy = small_copy(image, rng=rng, factor=2.0, quality=5)
    assert copy.shape == image.shape
    steps = np.abs(np.diff(copy.mean(axis=2), axis=1)).mean(axis=0)
    at_blocks = steps[15::16].mean()  # the file's blocks of 8 pixels are 16 wide here
    assert at_blocks > 1.5 * np.delete(steps, slice(15, None, 16)).mean()


def test_grey_is_grey_and_plates_see_blue():
    rng = np.random.default_rng(0)
    image = picture(9)
    plain = KINDS["grey"](image, rng=rng)
    np.testing.assert_array_equal(plain[..., 0], plain[..., 2])
    np.testing.assert_allclose(plain[..., 0], luma(image), atol=1e-6)
    red = np.zeros((4, 4, 3), np.float32) + np.float32([1, 0, 0])
    assert KINDS["grey"](red, rng=rng, blue_bias=1.0).max() == 0


@pytest.mark.parametrize(("hue", "strongest"), [(35.0, 0), (230.0, 2)])
def test_toning_turns_mid_tones_to_its_hue_and_keeps_luma(hue, strongest):
    image = flat(0.5)
    toned = KINDS["toning"](image, rng=np.random.default_rng(0), hue_deg=hue, strength=0.4)
    assert toned[0, 0].argmax() == strongest
    np.testing.assert_allclose(luma(toned), luma(image), atol=1e-5)


def test_lost_cyan_reddens_a_print():
    image = flat(0.4)
    faded = KINDS["dye_fade"](
        image, rng=np.random.default_rng(0), cyan=0.6, magenta=0, yellow_dye=0
    )
    assert faded[0, 0, 0] > 0.55
    np.testing.assert_allclose(faded[..., 1:], 0.4, atol=1e-3)


def test_fading_lifts_blacks_and_keeps_the_order_of_values():
    ramp = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 3, axis=2)
    faded = KINDS["fade"](ramp, rng=np.random.default_rng(0), contrast=0.6, lift=0.2)
    assert faded.min() == pytest.approx(0.2, abs=1e-6)
    assert faded.max() == pytest.approx(0.8, abs=1e-6)
    assert (np.diff(faded[0, :, 0]) > 0).all()


def test_a_vignette_darkens_corners_most():
    dark = KINDS["vignette"](flat(0.8), rng=np.random.default_rng(0), strength=0.5)
    corners = dark[[0, 0, -1, -1], [0, -1, 0, -1], 0]
    assert dark[80, 80, 0] > 0.75
    assert corners.max() < 0.62


def test_a_halftone_keeps_the_mean_and_has_two_values():
    image = flat(0.5)
    printed = KINDS["halftone"](image, rng=np.random.default_rng(0), period_px=8.0, mix=1.0)
    assert printed.mean() == pytest.approx(0.5, abs=0.06)
    assert ((printed < 0.15) | (printed > 0.9)).mean() > 0.4


def test_silver_comes_to_the_surface_in_shadows_and_from_the_borders():
    image = np.full((120, 120, 3), np.float32([0.1, 0.1, 0.12]), np.float32)
    image[:, 60:] = 0.9
    for seed in range(4):
        damaged, mask = run("silver_mirroring", image, seed, opacity=0.8, reach_px=15.0)
        assert not mask[:, 60:].any()
        edge = np.concatenate([mask[0, :60], mask[-1, :60], mask[:, 0]])
        assert edge.max() > 0.3 > mask[55:65, 45:60].max()
        assert (damaged[mask > 0.1][:, 2] > damaged[mask > 0.1][:, 0]).all()
