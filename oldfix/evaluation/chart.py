"""A small chart of lines over a logarithmic axis, as the text of an SVG file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

_WIDTH, _HEIGHT = 720, 420
#: Space left of, above, right of and below the plane.
_LEFT, _TOP, _RIGHT, _BOTTOM = 70, 44, 170, 56
_COLOURS = ("#1b6ca8", "#c8553d", "#3a7d44", "#7b4b94", "#8a6d3b")
_DASHED = ' stroke-dasharray="7 5"'


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: in the legend; empty leaves it out of there.
        x: places, above zero.
        y: values, one for each place.
        style: a line with its points, a line alone, or a dashed one.
        colour: number of its colour; lines of one number look alike.
        band: lowest and highest value at each place, shaded, if given.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    style: Literal["points", "line", "dashed"] = "points"
    colour: int = 0
    band: tuple[Sequence[float], Sequence[float]] | None = None


@dataclass(frozen=True)
class Chart:
    """Lines in one plane.

    Attributes:
        title: above the plane.
        lines: what is drawn, the first lowest.
        x_label, y_label: beside the axes.
        levels: name -> value of a horizontal line to compare with.
    """

    title: str
    lines: Sequence[Line]
    x_label: str = ""
    y_label: str = ""
    levels: Mapping[str, float] = field(default_factory=dict)

    def to_svg(self) -> str:
        """Return the chart as an SVG document.

        Raises:
            ValueError: there is nothing to draw, or a place is not above zero.
        """
        plane = _Plane.around(self)
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        parts = [
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
            _text(_LEFT, 24, self.title, size=15),
            *plane.grid(),
            *self._labels(),
            *(part for line in self.lines for part in plane.band(line)),
            *(part for name, value in self.levels.items() for part in plane.level(name, value)),
            *(part for line in self.lines for part in plane.line(line)),
            *self._legend(),
        ]
        return "\n".join([head, *parts, "</svg>\n"])

    def _labels(self) -> Iterator[str]:
        yield _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, self.x_label, "middle")
        middle = (_TOP + _HEIGHT - _BOTTOM) / 2
        words = _text(0, 0, self.y_label, "middle")
        yield f'<g transform="translate(16 {middle:g}) rotate(-90)">{words}</g>'

    def _legend(self) -> Iterator[str]:
        left, top = _WIDTH - _RIGHT + 12, _TOP + 14
        for line in (line for line in self.lines if line.name):
            colour, dashes = _colour(line), _DASHED if line.style == "dashed" else ""
            yield f'<path d="M{left} {top - 4}h18" stroke="{colour}" stroke-width="2"{dashes}/>'
            yield _text(left + 24, top, line.name)
            top += 20


@dataclass(frozen=True)
class _Plane:
    """Where values lie in the picture; x runs in its logarithm."""

    left: float
    right: float
    low: float
    high: float

    @classmethod
    def around(cls, chart: Chart) -> _Plane:
        places = [x for line in chart.lines for x in line.x]
        bands = [side for line in chart.lines if line.band for side in line.band]
        sides = [*(line.y for line in chart.lines), *bands, list(chart.levels.values())]
        values = [value for side in sides for value in side if math.isfinite(value)]
        if not places or not values or min(places) <= 0:
            raise ValueError(f"chart {chart.title!r}: needs values at places above zero")
        margin = 0.06 * (max(values) - min(values)) or 0.5
        left, right = math.log(min(places)), math.log(max(places))
        space = 0.03 * (right - left) or 0.5
        return cls(left - space, right + space, min(values) - margin, max(values) + margin)

    def x(self, place: float) -> float:
        share = (math.log(place) - self.left) / (self.right - self.left)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    def grid(self) -> Iterator[str]:
        """Lines at round values of both axes, with their numbers."""
        end, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        for value in round_values(self.low, self.high):
            y = self.y(value)
            yield f'<path d="M{_LEFT} {y:.1f}H{end}" stroke="#ddd" fill="none"/>'
            yield _text(_LEFT - 8, y + 4, f"{value:.6g}", "end")
        for place in round_places(math.exp(self.left), math.exp(self.right)):
            x = self.x(place)
            yield f'<path d="M{x:.1f} {_TOP}V{bottom}" stroke="#eee" fill="none"/>'
            yield _text(x, bottom + 18, f"{place:g}", "middle")

    def line(self, line: Line) -> Iterator[str]:
        points = self._points(zip(line.x, line.y, strict=True))
        colour, dashes = _colour(line), _DASHED if line.style == "dashed" else ""
        path = " ".join(points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"{dashes}/>'
        for point in points if line.style == "points" else ():
            x, y = point.split(",")
            yield f'<circle cx="{x}" cy="{y}" r="2.6" fill="{colour}"/>'

    def band(self, line: Line) -> Iterator[str]:
        if line.band is not None:
            low, high = (list(zip(line.x, side, strict=True)) for side in line.band)
            outline = " ".join(self._points([*low, *high[::-1]]))
            yield f'<polygon points="{outline}" fill="{_colour(line)}" opacity="0.14"/>'

    def level(self, name: str, value: float) -> Iterator[str]:
        y = self.y(value)
        yield f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#555" stroke-dasharray="2 4"/>'
        yield _text(_WIDTH - _RIGHT + 6, y + 4, name)

    def _points(self, pairs: Iterable[tuple[float, float]]) -> list[str]:
        return [f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in pairs if math.isfinite(y)]


def round_values(low: float, high: float, count: int = 6) -> list[float]:
    """Return about ``count`` round numbers between two."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [number * step for number in range(first, last + 1)]


def round_places(low: float, high: float) -> list[float]:
    """Return the round numbers between two of a logarithmic axis: 1, 2, 5, 10, ..., at most ten."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1,)):
        found = [f * 10.0**power for power in powers for f in factors]
        places = [place for place in found if low <= place <= high]
        if len(places) <= 10:
            break
    return places


def _colour(line: Line) -> str:
    return _COLOURS[line.colour % len(_COLOURS)]


def _text(x: float, y: float, words: str, anchor: str = "start", size: int = 12) -> str:
    style = f'font-family="sans-serif" font-size="{size}" text-anchor="{anchor}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'
