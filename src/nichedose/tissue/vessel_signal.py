"""How much of the vessel map is signal: told beside every map and profile."""

from __future__ import annotations

from nichedose.values import Flag

__all__ = ["vessel_flag"]

WEAK_COUNTS = 5.0  # endothelial transcripts per row; below, counting noise (45 %) exceeds most contrast
WEAK_TOLD = 0.5  # of the contrast; below, more of it is noise than signal


def vessel_flag(counts_per_row: float, told: float, row: str) -> Flag:
    """A note, or a caution where the signal is weak. ``told``: share of the contrast between rows that is not counting
    noise, as the shrunken score has it; ``row`` is what a row is ('spot', 'bin', 'cell').

    >>> vessel_flag(1.2, 0.4, "spot").level, vessel_flag(20.0, 0.8, "spot").level
    ('caution', 'note')
    """
    weak = counts_per_row < WEAK_COUNTS or told < WEAK_TOLD
    text = (f"The vessel signal rests on {counts_per_row:.2g} endothelial transcripts per {row}: {100 * told:.0f} % of "
            "its contrast is signal, the rest counting noise"
            + ("; it is weak and mostly shared between neighbours." if weak else "."))
    return Flag("caution" if weak else "note", "vessel", text)
