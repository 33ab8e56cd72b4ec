"""Draw the reliability figure of docs/theory/ranking.md from the tables on that page (made by calibration.py).

    python benchmarks/reliability_figure.py

Writes docs/figures/reliability.svg: what came true against what was stated, with the binomial band of each bin.
"""

from __future__ import annotations

import re
from pathlib import Path

from scipy.stats import binom

DOCS = Path(__file__).resolve().parent.parent / "docs"
ROW = re.compile(r"^\| (\d\.\d\d) \| (\d\.\d\d) \| (\d+) \|", re.MULTILINE)
SIDE, LEFT, TOP, GAP = 260, 60, 40, 70
TITLES = ("Truth from the stated distributions", "Truth from other distributions")


def main() -> None:
    page = (DOCS / "theory" / "ranking.md").read_text(encoding="utf-8")
    tables = page.split("Once more with the truth drawn from other distributions")
    panels = [[(float(a), float(b), int(n)) for a, b, n in ROW.findall(text)] for text in tables]
    width, height = 2 * SIDE + LEFT + GAP + 20, SIDE + TOP + 60
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
             'font-size="12"><title>Stated probability of being best against the share that came true</title>'
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for i, (rows, title) in enumerate(zip(panels, TITLES, strict=True)):
        parts.append(panel(rows, title, LEFT + i * (SIDE + GAP)))
    (DOCS / "figures" / "reliability.svg").write_text("\n".join([*parts, "</svg>\n"]), encoding="utf-8")


def panel(rows: list[tuple[float, float, int]], title: str, left: float) -> str:
    def x(p: float) -> float:
        return left + p * SIDE

    def y(p: float) -> float:
        return TOP + (1.0 - p) * SIDE

    out = [f'<text x="{left + SIDE / 2}" y="{TOP - 14}" text-anchor="middle" font-size="13">{title}</text>',
           f'<rect x="{left}" y="{TOP}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#888"/>',
           f'<line x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}" stroke="#888" stroke-dasharray="4 3"/>']
    for p in (0.0, 0.25, 0.5, 0.75, 1.0):
        out += [f'<text x="{x(p)}" y="{TOP + SIDE + 16}" text-anchor="middle">{p:g}</text>',
                f'<text x="{left - 6}" y="{y(p) + 4}" text-anchor="end">{p:g}</text>']
    out += [f'<text x="{left + SIDE / 2}" y="{TOP + SIDE + 38}" text-anchor="middle">stated probability of being best'
            '</text>', f'<text transform="translate({left - 38} {TOP + SIDE / 2}) rotate(-90)" text-anchor="middle">'
            'share that came true</text>']
    for stated, true, cases in rows:
        low, high = (float(v) / cases for v in binom.interval(0.95, cases, stated))
        inside = low <= true <= high
        # at 0 and 1 the band has no width: a count of draws cannot state those exactly
        end = stated in (0.0, 1.0)
        colour = "#888" if end else "#1b6ca8" if inside else "#c0392b"
        if not end:
            out.append(f'<rect x="{x(stated) - 7:.1f}" y="{y(high):.1f}" width="14" height="{y(low) - y(high):.1f}" '
                       'fill="#1b6ca8" fill-opacity="0.18"/>')
        out += [f'<circle cx="{x(stated):.1f}" cy="{y(true):.1f}" r="4" fill="{colour}"/>',
                f'<text x="{x(stated) + (8 if stated < 0.9 else -8):.1f}" y="{y(true) - 7:.1f}" font-size="10" '
                f'text-anchor="{"start" if stated < 0.9 else "end"}" fill="#555">{cases}</text>']
    return "\n".join(out)


if __name__ == "__main__":
    main()
