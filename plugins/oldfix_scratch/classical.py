"""Scratches found and filled without a network: morphology, line integration, OpenCV inpainting."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Plane = NDArray[np.float32]

_ANGLES = 12
_METHODS = {"telea": cv2.INPAINT_TELEA, "navier-stokes": cv2.INPAINT_NS}


def line_response(image: Image, *, width_px: int, length_px: int) -> Plane:
    """How much each pixel lies on a thin line, in multiples of the picture's own noise.

    White and black top-hat (what an opening or closing by a disc removes) keep what is thinner
    than ``width_px``; averaging along a segment at twelve angles keeps what is long. The mean
    around the pixel is subtracted, so that texture of no direction does not count. After the
    line detectors of film restoration (Kokaram 1998) and Soille, "Morphological Image Analysis".

    Args:
        image: (H, W, 3) float32 RGB in [0, 1].
        width_px: widest line that responds.
        length_px: length of the segment.

    Returns:
        (H, W) float32, 0 on average; 3 means three times the usual deviation.
    """
    luma = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (0, 0), 0.7)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width_px + 2, width_px + 2))
    raised = cv2.morphologyEx(luma, cv2.MORPH_TOPHAT, disc)
    sunk = cv2.morphologyEx(luma, cv2.MORPH_BLACKHAT, disc)
    return _in_deviations(
        np.maximum(_along_lines(raised, length_px), _along_lines(sunk, length_px))
    )


def fill(
    image: Image,
    mask: Plane,
    *,
    method: Literal["telea", "navier-stokes"],
    radius_px: float,
) -> Image:
    """Fill damaged pixels from their surroundings with `cv2.inpaint`.

    OpenCV inpaints in 8 bits; only the damaged pixels are taken from it, all others stay as
    they are.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1]. Not modified.
        mask: (H, W), damaged where at least 0.5.
        method: Telea (2004) or Navier-Stokes (Bertalmio et al. 2001).
        radius_px: how far around a pixel is looked.

    Raises:
        ValueError: every pixel is damaged.
    """
    damaged = mask >= 0.5
    if damaged.all():
        raise ValueError("every pixel is marked, so nothing is left to fill from")
    bytes_ = np.round(image * 255).astype(np.uint8)
    filled = cv2.inpaint(bytes_, damaged.astype(np.uint8), radius_px, _METHODS[method])
    out = image.copy()
    out[damaged] = filled[damaged] / np.float32(255)
    return out


def _along_lines(plane: Plane, length_px: int) -> Plane:
    """Largest mean along a segment through each pixel, less the mean of the square around it."""
    best = np.full_like(plane, -np.inf)
    for index in range(_ANGLES):
        segment = _segment(length_px, np.pi * index / _ANGLES)
        best = np.maximum(best, cv2.filter2D(plane, -1, segment, borderType=cv2.BORDER_REFLECT))
    around = cv2.blur(plane, (length_px, length_px), borderType=cv2.BORDER_REFLECT)
    # A pixel beside a line is crossed by segments that lie on it, but does not stand out itself.
    return np.asarray(np.minimum(best, plane) - around, np.float32)


def _segment(length_px: int, angle: float) -> Plane:
    """Kernel (L, L), L odd, that averages along an antialiased segment through its centre."""
    radius = length_px // 2
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.uint8)
    end = np.round(256 * radius * np.array([np.cos(angle), np.sin(angle)])).astype(int)
    centre = np.array([radius, radius]) * 256
    cv2.line(kernel, centre - end, centre + end, 255, 1, cv2.LINE_AA, 8)
    return np.asarray(kernel / np.float32(kernel.sum()), np.float32)


def _in_deviations(response: Plane) -> Plane:
    """Centre on the median and divide by 1.4826 times the median absolute deviation."""
    sample = response[:: max(1, response.shape[0] // 512), :: max(1, response.shape[1] // 512)]
    centre = np.median(sample)
    spread = 1.4826 * np.median(np.abs(sample - centre))
    # A picture without any noise (a drawing) gets the step of 8-bit rounding as its noise.
    return np.asarray((response - centre) / max(float(spread), 1 / 1024), np.float32)
