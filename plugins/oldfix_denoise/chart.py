"""A small chart of lines, as the text of an SVG file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

_WIDTH, _HEIGHT = 640, 400
#: Space left of, above, right of and below the plane.
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 40, 120, 50
_COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7b4b94", "#8a6d3b")


def line_chart(title: str, x: Sequence[float], series: Mapping[str, Sequence[float]]) -> str:
    """Draw lines over values of x that stand at even distances.

    Args:
        title: above the chart.
        x: what stands below the points.
        series: for each line its name and its values, one for each of ``x``.

    Returns:
        An SVG document.
    """
    values = [value for line in series.values() for value in line]
    low, high = min(values), max(values)
    margin = 0.08 * (high - low) or 0.5
    plane = _Plane(len(x), low - margin, high + margin)
    parts = [_text(_LEFT, 24, title, size=15)]
    parts += [_text(plane.x(i), _HEIGHT - 25, f"{at:g}", "middle") for i, at in enumerate(x)]
    for step in range(5):
        value = plane.low + (step + 0.5) / 5 * (plane.high - plane.low)
        y = plane.y(value)
        end = _WIDTH - _RIGHT
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{end}" stroke="#ddd" fill="none"/>')
        parts.append(_text(_LEFT - 8, y + 4, f"{value:.4g}", "end"))
    for number, (name, line) in enumerate(series.items()):
        parts += plane.line(name, line, _COLOURS[number % len(_COLOURS)], number)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
    body = "\n".join([f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>', *parts])
    return f"{head}\n{body}\n</svg>\n"


class _Plane:
    """Where values lie in the picture."""

    def __init__(self, count: int, low: float, high: float) -> None:
        self.count, self.low, self.high = count, low, high

    def x(self, index: int) -> float:
        return _LEFT + (index + 0.5) / self.count * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def line(self, name: str, values: Sequence[float], colour: str, number: int) -> list[str]:
        """One line with its points, and its name in the legend."""
        points = [(self.x(i), self.y(value)) for i, value in enumerate(values)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        legend, top = _WIDTH - _RIGHT + 10, _TOP + 20 + 22 * number
        return [
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
            *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points),
            f'<circle cx="{legend}" cy="{top - 4}" r="5" fill="{colour}"/>',
            _text(legend + 12, top, name),
        ]


def _text(x: float, y: float, words: str, anchor: str = "start", size: int = 12) -> str:
    style = f'font-family="sans-serif" font-size="{size}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'
