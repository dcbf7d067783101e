"""Tone: fading, yellowing, dye loss, casts, greying and toning. Pointwise, so without a mask."""

from __future__ import annotations

import cv2
import numpy as np

from .light import luma, to_linear, to_srgb
from .quantities import Angle, Fraction, Gain, Image, Levels

_DENSEST = 1e-3


def grey(image: Image, *, rng: np.random.Generator, blue_bias: Fraction = 0.0) -> Image:
    """Photograph on black-and-white material.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: unused; the result has no randomness.
        blue_bias: 0 for panchromatic film (Rec. 601 weights), 1 for plates of the 19th century
            that see blue alone, so that skin and lips darken and skies are white.
    """
    even = np.array([0.299, 0.587, 0.114])
    blue = np.array([0.0, 0.15, 0.85])
    weights = even + blue_bias * (blue - even)
    return _three(image @ weights.astype(np.float32))


def fade(
    image: Image,
    *,
    rng: np.random.Generator,
    contrast: Gain = 0.7,
    lift: Fraction = 0.1,
    saturation: Gain = 0.7,
) -> Image:
    """Lose density: blacks turn grey, whites dull, colours pale.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: unused; the result has no randomness.
        contrast: what is left of the range of values.
        lift: value of what was black, in [0, 1]; lowered where white would leave the range.
        saturation: what is left of the distance from grey.
    """
    middle = luma(image)[..., None]
    pale = middle + np.float32(saturation) * (image - middle)
    floor = min(lift, max(1.0 - contrast, 0.0))
    return np.asarray(np.clip(np.float32(floor) + np.float32(contrast) * pale, 0, 1), np.float32)


def gamma(image: Image, *, rng: np.random.Generator, exponent: Gain = 1.2) -> Image:
    """Print too dark (exponent above 1) or too light (below): a power of the encoded values."""
    return np.asarray(np.clip(image, 0, 1) ** np.float32(exponent), np.float32)


def yellow(image: Image, *, rng: np.random.Generator, strength: Fraction = 0.5) -> Image:
    """Yellow the paper and the binder: blue is absorbed most, red hardly, whites show it most.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: draws the hue, from lemon to brown.
        strength: 0 leaves the image, 1 leaves about half of the blue.
    """
    brown = rng.uniform(0.15, 0.5)
    lost = strength * np.array([0.12 * brown, 0.45 * brown, 0.5])
    return image * (1 - lost).astype(np.float32)


def cast(
    image: Image, *, rng: np.random.Generator, shift: Levels = 10.0, gain: Fraction = 0.1
) -> Image:
    """Cast a colour over the picture: each channel is scaled and shifted on its own.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: draws each channel's share of the amounts, in [-1, 1].
        shift: largest shift of a channel, in 8-bit levels.
        gain: largest relative change of a channel.
    """
    scale = (1 + gain * rng.uniform(-1, 1, 3)).astype(np.float32)
    offset = (shift / 255 * rng.uniform(-1, 1, 3)).astype(np.float32)
    return np.asarray(np.clip(image * scale + offset, 0, 1), np.float32)


def dye_fade(
    image: Image,
    *,
    rng: np.random.Generator,
    cyan: Fraction = 0.5,
    magenta: Fraction = 0.2,
    yellow_dye: Fraction = 0.3,
) -> Image:
    """Fade the dyes of a colour print or slide; losing cyan makes it red, as so many are.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: unused; the result has no randomness.
        cyan: share of the cyan dye that is lost.
        magenta: share of the magenta dye that is lost.
        yellow_dye: share of the yellow dye that is lost.

    Each dye's density falls in proportion, so in linear light each channel is raised to the
    power of what is left (Beer-Lambert).
    """
    left = 1 - np.array([cyan, magenta, yellow_dye], np.float32)
    light = np.maximum(to_linear(image), np.float32(_DENSEST))
    return to_srgb(np.exp(np.log(light) * left))


def toning(
    image: Image,
    *,
    rng: np.random.Generator,
    hue_deg: Angle = 35.0,
    strength: Fraction = 0.6,
    mix: Fraction = 1.0,
) -> Image:
    """Tone a print in one hue: 35 is sepia, 20 selenium, 220 a cyanotype.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: unused; the result has no randomness.
        hue_deg: hue of the mid-tones, in degrees on the HSV circle.
        strength: saturation of the mid-tones; black and white stay neutral.
        mix: share of the toned picture; the rest keeps its colours.
    """
    level = luma(image)[..., None]
    angle = np.deg2rad(hue_deg - np.array([0, 120, 240]))
    direction = np.cos(angle)
    # Keeps luma: what the hue adds to one channel it takes from the others.
    direction = (direction - direction @ np.array([0.299, 0.587, 0.114])).astype(np.float32)
    tinted = level + np.float32(0.6 * strength) * direction * level * (1 - level) * 1.6
    return np.asarray(np.clip(image + np.float32(mix) * (tinted - image), 0, 1), np.float32)


def sepia(image: Image, *, rng: np.random.Generator, strength: Fraction = 0.8) -> Image:
    """Tone a print brown with the customary sepia matrix, mixed with the picture.

    Args:
        image: ``(H, W, 3)`` float32, sRGB-encoded, [0, 1].
        rng: unused; the result has no randomness.
        strength: share of the sepia picture.
    """
    matrix = np.array(
        [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]], np.float32
    )
    brown = np.minimum(image @ matrix.T, 1)
    return np.asarray(image + np.float32(strength) * (brown - image), np.float32)


def _three(plane: Image) -> Image:
    return np.asarray(cv2.merge([plane, plane, plane]), np.float32).reshape(*plane.shape, 3)
