"""Small figures of benchmarks as SVG, without any library: points with intervals, and lines through points."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 720, 340, 60, 64, 34, 16
HUES = ("#0b6b66", "#b45309", "#5b2a9d", "#6b7280")


class Figure:
    """Axes from 0 to 1 in both directions are mapped to the drawing; text says what the numbers are."""

    def __init__(self, title: str, x_label: str, y_label: str) -> None:
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
            f'font-size="12" role="img" aria-label="{html.escape(title)}">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            f'<text x="{LEFT}" y="18" font-size="14" font-weight="bold">{html.escape(title)}</text>',
            f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">'
            f'{html.escape(x_label)}</text>',
            f'<text x="14" y="{(TOP + HEIGHT - BOTTOM) / 2:.0f}" text-anchor="middle" transform="rotate(-90 14 '
            f'{(TOP + HEIGHT - BOTTOM) / 2:.0f})">{html.escape(y_label)}</text>']

    def x(self, share: float) -> float:
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, share: float) -> float:
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    def band(self, low: float, high: float, line: float) -> None:
        self.parts.append(f'<rect x="{LEFT}" y="{self.y(high):.1f}" width="{WIDTH - LEFT - RIGHT}" '
                          f'height="{self.y(low) - self.y(high):.1f}" fill="#e5efe9"/>')
        self.line([(0.0, line), (1.0, line)], "#6b7280", dash="4 3")

    def line(self, points: Sequence[tuple[float, float]], hue: str, dash: str = "") -> None:
        at = " ".join(f"{self.x(a):.1f},{self.y(b):.1f}" for a, b in points)
        self.parts.append(f'<polyline points="{at}" fill="none" stroke="{hue}" stroke-width="1.5"'
                          + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")

    def point(self, x: float, y: float, hue: str, interval: tuple[float, float] | None = None) -> None:
        if interval is not None:
            self.line([(x, interval[0]), (x, interval[1])], hue)
        self.parts.append(f'<circle cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="3.5" fill="{hue}"/>')

    def ticks(self, x: Mapping[float, str], y: Mapping[float, str]) -> None:
        self.line([(0.0, 1.0), (0.0, 0.0), (1.0, 0.0)], "#111827")
        for at, text in x.items():
            for row, part in enumerate(text.split("\n")):
                self.parts.append(f'<text x="{self.x(at):.1f}" y="{self.y(0.0) + 16 + 14 * row:.1f}" '
                                  f'text-anchor="middle">{html.escape(part)}</text>')
        for at, text in y.items():
            self.parts.append(f'<text x="{LEFT - 6}" y="{self.y(at) + 4:.1f}" text-anchor="end">'
                              f'{html.escape(text)}</text>')

    def legend(self, names: Sequence[str]) -> None:
        for i, name in enumerate(names):
            x = LEFT + 150 * i + 190
            self.parts.append(f'<circle cx="{x}" cy="30" r="4" fill="{HUES[i]}"/>'
                              f'<text x="{x + 8}" y="34">{html.escape(name)}</text>')

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([*self.parts, "</svg>", ""]), "utf-8")
