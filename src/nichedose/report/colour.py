"""Colours that every reader can tell apart: perceptually even maps, and one hue and dash for each candidate."""

from __future__ import annotations

__all__ = ["COLOUR_MAPS", "DASHES", "HUES", "line_style"]

# Seventeen even anchors of each map; the tables are matplotlib's, released under CC0 (viridis and inferno by
# N. J. Smith, S. van der Walt and E. Firing; cividis by Nunez, Anderton and Renslow, doi:10.1371/journal.pone.0199239).
COLOUR_MAPS: dict[str, str] = {
    "viridis": "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b "
    "addc30 d8e219 fde725",
    "cividis": "00224e 002e6a 1a386f 32436d 434e6c 535a6d 61656f 6f7073 7d7c78 8c8878 9b9476 aba072 bcae6c cdbb63 "
    "dec958 f0d846 fee838",
    "inferno": "000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 bc3754 d24644 e45a31 f1731d f98e09 fcac11 "
    "f9cb35 f2ea69 fcffa4",
}

# Okabe and Ito's palette (jfly.uni-koeln.de/color), without its yellow, which is lost on white.
HUES: tuple[str, ...] = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#7a7a7a")
DASHES: tuple[str, ...] = ("", "7 4", "2 3", "10 3 2 3")


def line_style(index: int) -> tuple[str, str]:
    """Hue and dash of the candidate at ``index``: hues first, then the next dash."""
    return HUES[index % len(HUES)], DASHES[(index // len(HUES)) % len(DASHES)]
