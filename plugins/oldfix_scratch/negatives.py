"""Small things that belong to the picture: what a detector of scratches must not mark.

Photographs hold too few wires, masts, hairs, letters, railings, petals, buttons and frills for a
network to learn the difference, so training draws some into the clean picture before it is aged.
They are sound: the truth does not mark them.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Canvas = NDArray[np.uint8]
Rng = np.random.Generator

_SHIFT = 3  # OpenCV's fixed-point coordinates: eighths of a pixel
_LETTERS = "ABCDEFGHKLMNPRSTUVWXZaeghnorstu0123456789&.-"


def draw_sound_structures(image: Image, rng: Rng) -> Image:
    """Draw one or two kinds of thin structure into a picture.

    Args:
        image: (H, W, 3) float32 RGB in [0, 1]. Not modified.
        rng: source of all randomness.

    Returns:
        (H, W, 3) float32: wires, bundles of hair, grids, letters, fringes, dots, petals or
        frills, in tones and with the shading and softness that things in a picture have.
    """
    out = image
    for _ in range(rng.integers(1, 3)):
        canvas = np.zeros(image.shape[:2], np.uint8)
        _KINDS[rng.integers(len(_KINDS))](canvas, rng)
        out = _painted(out, canvas, rng)
    return out


def _painted(image: Image, canvas: Canvas, rng: Rng) -> Image:
    """Blend a shaded tone over the picture where the canvas is drawn."""
    alpha = canvas.astype(np.float32) / 255
    if rng.random() < 0.5:
        alpha = cv2.GaussianBlur(alpha, (0, 0), rng.uniform(0.4, 1.2))
    dark = rng.random() < 0.5
    tone = rng.uniform(0.0, 0.45) if dark else rng.uniform(0.5, 1.0)
    tint = (tone + rng.normal(0, 0.06, 3)).astype(np.float32)
    colour = np.clip(tint + _shading(canvas.shape, rng)[..., None], 0, 1)
    alpha = (alpha * (1 - 0.65 * rng.random() ** 2))[..., None]
    return np.asarray(image * (1 - alpha) + colour * alpha, np.float32)


def _shading(shape: tuple[int, ...], rng: Rng) -> Image:
    """Light that varies over a few pixels: paper laid bare is flat, things are not."""
    height, width = shape
    cells = rng.uniform(4, 16)
    coarse = rng.normal(0, rng.uniform(0.03, 0.12), (round(height / cells), round(width / cells)))
    smooth = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32)


def _wires(canvas: Canvas, rng: Rng) -> None:
    """Parallel lines across the whole picture that sag like wires, or masts and edges."""
    height, width = canvas.shape
    angle, sag = rng.uniform(0, np.pi), rng.uniform(-0.1, 0.1) * (rng.random() < 0.6)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    reach = np.linspace(-1, 1, 17)[:, None] * max(height, width)
    start = rng.uniform(0, [width, height])
    gap, thickness = rng.uniform(3, 25), int(rng.integers(1, 4))
    for index in range(rng.integers(1, 7)):
        bend = sag * max(height, width) * (reach / max(height, width)) ** 2
        _line(canvas, start + along * reach + across * (index * gap + bend), thickness)


def _hairs(canvas: Canvas, rng: Rng) -> None:
    """A bundle of curved strands that start together and drift apart."""
    height, width = canvas.shape
    root = rng.uniform(0, [width, height])
    angle, curl = rng.uniform(0, 2 * np.pi), rng.normal(0, 1.5)
    length = rng.uniform(0.2, 0.8) * max(height, width)
    t = np.linspace(0, 1, 12)[:, None]
    for _ in range(rng.integers(8, 40)):
        turn = angle + rng.normal(0, 0.15) + (curl + rng.normal(0, 0.3)) * t
        path = root + rng.normal(0, 6, 2) + length * t * np.hstack([np.cos(turn), np.sin(turn)])
        _line(canvas, path, 1, int(rng.integers(90, 256)))


def _grid(canvas: Canvas, rng: Rng) -> None:
    """A railing, a window, tiles or checked cloth: one or two sets of parallel lines."""
    height, width = canvas.shape
    turn, thickness = rng.uniform(0, np.pi), int(rng.integers(1, 3))
    reach = 1.5 * max(height, width)
    for angle in (turn, turn + np.pi / 2)[: rng.integers(1, 3)]:
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        gap = rng.uniform(4, 24)
        middle = np.array([width, height]) / 2
        for index in range(-int(reach / gap / 2), int(reach / gap / 2)):
            ends = middle + across * index * gap + along * np.array([[-reach], [reach]])
            _line(canvas, ends, thickness)
    _keep_a_window(canvas, rng)


def _letters(canvas: Canvas, rng: Rng) -> None:
    """A few words in one of OpenCV's stroke fonts."""
    height, width = canvas.shape
    fonts = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX)
    font, scale = fonts[rng.integers(3)], rng.uniform(0.3, 1.4)
    x, y = int(rng.integers(-20, width // 2)), int(rng.integers(10, height))
    for row in range(rng.integers(1, 4)):
        text = "".join(rng.choice(list(_LETTERS), rng.integers(3, 14)))
        place = (x, y + int(row * 34 * scale))
        cv2.putText(canvas, text, place, font, scale, 255, int(rng.integers(1, 3)), cv2.LINE_AA)


def _fringe(canvas: Canvas, rng: Rng) -> None:
    """Grass, whiskers or lace: many short strokes with a common direction in one area."""
    height, width = canvas.shape
    count = int(rng.integers(20, 120))
    angle = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.3, count)
    place = rng.uniform(0, [width, height]) + rng.normal(0, [width / 5, height / 5], (count, 2))
    stroke = rng.uniform(4, 18, count)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    for start, end in zip(place, place + stroke, strict=True):
        _line(canvas, np.stack([start, end]), 1, int(rng.integers(120, 256)))


def _dots(canvas: Canvas, rng: Rng) -> None:
    """Dotted cloth, buttons or pearls: equal discs on a grid, or one after another on a curve."""
    height, width = canvas.shape
    radius, gap = rng.uniform(0.8, 5), rng.uniform(5, 18)
    if rng.random() < 0.5:
        turn, reach = rng.uniform(0, np.pi), int(max(height, width) / gap)
        steps = gap * (np.mgrid[-reach:reach, -reach:reach].reshape(2, -1).T + rng.normal(0, 0.05))
        cosine, sine = np.cos(turn), np.sin(turn)
        places = steps @ np.array([[cosine, sine], [-sine, cosine]]) + [width / 2, height / 2]
        _discs(canvas, places, radius)
        _keep_a_window(canvas, rng)
        return
    turns = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.15) * np.arange(rng.integers(3, 16))
    path = np.cumsum(gap * np.stack([np.cos(turns), np.sin(turns)], axis=1), axis=0)
    _discs(canvas, rng.uniform(0, [width, height]) + path - path.mean(axis=0), radius)


def _petals(canvas: Canvas, rng: Rng) -> None:
    """Flowers, ribbons or leaves: ellipses around common centres."""
    for _ in range(rng.integers(1, 4)):
        centre = rng.uniform(0, canvas.shape[::-1])
        length, count = rng.uniform(3, 20), int(rng.integers(2, 9))
        slim, start = rng.uniform(0.3, 0.8), rng.uniform(0, 360)
        for index in range(count):
            angle = start + 360 * index / count + rng.normal(0, 8)
            away = length * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
            axes = (length * rng.uniform(0.7, 1.0), length * slim)
            _ellipse(canvas, centre + away, axes, angle, int(rng.integers(150, 256)))


def _frill(canvas: Canvas, rng: Rng) -> None:
    """A collar or hem of lace: scallops along a curve, with holes."""
    height, width = canvas.shape
    size, count = rng.uniform(4, 14), int(rng.integers(4, 16))
    turn = rng.uniform(0, 2 * np.pi) + rng.normal(0, 0.3) * np.linspace(0, 3, count)
    path = np.cumsum(size * 1.3 * np.stack([np.cos(turn), np.sin(turn)], axis=1), axis=0)
    path += rng.uniform(0, [width, height]) - path.mean(axis=0)
    _line(canvas, path, max(1, int(size * rng.uniform(0.5, 1.2))))
    _discs(canvas, path + rng.normal(0, size / 8, path.shape), size * rng.uniform(0.6, 1.0))
    if rng.random() < 0.7:
        holes = path[:, None] + rng.normal(0, size / 3, (count, int(rng.integers(1, 5)), 2))
        _discs(canvas, holes.reshape(-1, 2), rng.uniform(0.6, size / 5), 0)


_KINDS: tuple[Callable[[Canvas, Rng], None], ...] = (
    _wires,
    _hairs,
    _grid,
    _letters,
    _fringe,
    _dots,
    _petals,
    _frill,
)


def _discs(canvas: Canvas, places: NDArray[np.float64], radius: float, value: int = 255) -> None:
    """Draw equal discs at (N, 2) points (x, y) in pixels."""
    for place in places:
        _ellipse(canvas, place, (radius, radius), 0, value)


def _ellipse(
    canvas: Canvas,
    centre: NDArray[np.float64],
    axes: tuple[float, float],
    angle: float,
    value: int,
) -> None:
    """Draw a filled ellipse; lengths in pixels, the angle in degrees."""
    x, y, across, down = (round(float(v) * (1 << _SHIFT)) for v in (*centre, *axes))
    size = (max(across, 1), max(down, 1))
    cv2.ellipse(canvas, (x, y), size, angle, 0, 360, value, -1, cv2.LINE_AA, _SHIFT)


def _line(canvas: Canvas, points: NDArray[np.float64], thickness: int, value: int = 255) -> None:
    """Draw a smooth polyline through (N, 2) points (x, y) in pixels."""
    fixed = np.round(points * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(canvas, [fixed], False, value, thickness, cv2.LINE_AA, _SHIFT)


def _keep_a_window(canvas: Canvas, rng: Rng) -> None:
    """Blank the canvas outside one rectangle, as a thing has an outline."""
    height, width = canvas.shape
    size = np.array([width, height]) * rng.uniform(0.3, 1.0, 2)
    x0, y0 = (rng.uniform(0, 1, 2) * (np.array([width, height]) - size)).astype(int)
    x1, y1 = (np.array([x0, y0]) + size).astype(int)
    inside = canvas[y0:y1, x0:x1].copy()
    canvas[:] = 0
    canvas[y0:y1, x0:x1] = inside
