"""Plots of times over rows, both axes logarithmic: SVG written here, PNG through matplotlib."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from pathlib import Path

from results import Measurement, Report

_WIDTH, _HEIGHT = 760, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 230, 40, 50
# Distinguishable for colour-blind readers (Okabe and Ito); ours first.
_COLOURS = ("#0072b2", "#56b4e9", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#000000", "#999999")


@dataclass(frozen=True)
class Line:
    label: str
    points: list[tuple[float, float]]
    dashed: bool = False


def lines_of(report: Report, measurements: list[Measurement]) -> list[Line]:
    """A line for each subject, in microseconds, and one for the limit."""
    subjects = sorted(
        {m.subject for m in measurements}, key=lambda name: (not name.startswith("LoraK"), name)
    )
    lines = []
    for subject in subjects:
        points = [(float(m.rows), m.median * 1e6) for m in measurements if m.subject == subject]
        lines.append(Line(subject, sorted(points)))
    limits: dict[float, float] = {}
    for m in measurements:
        limit = report.limit(m)
        if limit is not None:
            limits[float(m.rows)] = min(limits.get(float(m.rows), math.inf), limit * 1e6)
    if limits:
        lines.append(Line("limit", sorted(limits.items()), dashed=True))
    return lines


def svg(title: str, lines: list[Line]) -> str:
    """A self-contained picture of lines with positive coordinates."""
    axes = _Axes(lines)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="24" font-size="15">{escape(title)}</text>',
    ]
    for x in axes.x_ticks:
        parts.append(_tick(axes.x(x), _HEIGHT - _BOTTOM, axes.x(x), _TOP))
        parts.append(_text(axes.x(x), _HEIGHT - _BOTTOM + 18, f"{x:g}", "middle"))
    for y in axes.y_ticks:
        parts.append(_tick(_LEFT, axes.y(y), _WIDTH - _RIGHT, axes.y(y)))
        parts.append(_text(_LEFT - 8, axes.y(y) + 4, f"{y:g}", "end"))
    parts.append(_text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 12, "rows", "middle"))
    parts.append(_text(8, _TOP - 4, "µs", "start"))
    for position, line in enumerate(lines):
        colour = _COLOURS[position % len(_COLOURS)]
        points = " ".join(f"{axes.x(x):.1f},{axes.y(y):.1f}" for x, y in line.points)
        dash = ' stroke-dasharray="6 4"' if line.dashed else ""
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        )
        if not line.dashed:
            parts += [
                f'<circle cx="{axes.x(x):.1f}" cy="{axes.y(y):.1f}" r="3" fill="{colour}"/>'
                for x, y in line.points
            ]
        legend = _TOP + 10 + 18 * position
        left = _WIDTH - _RIGHT + 14
        parts.append(
            f'<line x1="{left}" y1="{legend}" x2="{left + 22}" y2="{legend}" stroke="{colour}" '
            f'stroke-width="2"{dash}/>'
        )
        parts.append(_text(left + 28, legend + 4, line.label, "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


class _Axes:
    """Logarithmic scales around all points."""

    def __init__(self, lines: list[Line]):
        xs = [x for line in lines for x, _ in line.points]
        ys = [y for line in lines for _, y in line.points]
        self.x_ticks = sorted(set(xs))
        low, high = math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys)))
        self._y = (low, max(high, low + 1))
        self._x = (math.log2(min(xs)), max(math.log2(max(xs)), math.log2(min(xs)) + 1))
        self.y_ticks = [10.0**exponent for exponent in range(self._y[0], self._y[1] + 1)]

    def x(self, value: float) -> float:
        low, high = self._x
        return _LEFT + (math.log2(value) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        low, high = self._y
        share = (math.log10(value) - low) / (high - low)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def _tick(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#dddddd"/>'


def _text(x: float, y: float, content: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def png(path: Path, title: str, lines: list[Line]) -> str | None:
    """Writes the same plot as PNG; None, or why it could not."""
    try:
        import matplotlib
    except ImportError:
        return "PNG pictures need matplotlib, which is not installed"
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.8), dpi=120)
    for position, line in enumerate(lines):
        x, y = zip(*line.points, strict=True)
        style = "--" if line.dashed else "o-"
        axes.plot(x, y, style, label=line.label, color=_COLOURS[position % len(_COLOURS)])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xlabel("rows")
    axes.set_ylabel("µs")
    axes.set_title(title)
    axes.grid(True, color="#dddddd")
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return None


def write_all(report: Report, folder: Path) -> tuple[dict[str, str], str | None]:
    """A picture for each group: group → its SVG's name; and why there are no PNGs, if so."""
    names: dict[str, str] = {}
    message: str | None = None
    for group, measurements in report.groups().items():
        lines = lines_of(report, measurements)
        title = group if report.real else f"{group} (not GPU timings)"
        stem = slug(group)
        (folder / f"{stem}.svg").write_text(svg(title, lines), encoding="utf-8")
        names[group] = f"{stem}.svg"
        message = png(folder / f"{stem}.png", title, lines)
    return names, message


def slug(text: str) -> str:
    """ "NVIDIA H200" → "nvidia-h200"."""
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in text.lower()).split()
    return "-".join(words) or "unnamed"
