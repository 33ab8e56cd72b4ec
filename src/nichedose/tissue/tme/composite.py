"""Four axes of a section, immune x fibrotic x hypoxic x vascular, as shares of its cells with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from nichedose.fields.grid import Array
from nichedose.tissue.tme.infiltration import ratio
from nichedose.tissue.tme.tiles import Estimate, TileSums, estimate

__all__ = ["ALL_CELLS", "HYPOXIC_TUMOUR", "Axis", "Composite", "composite"]

ALL_CELLS = "all cells"
HYPOXIC_TUMOUR = "tumour cells with a high hypoxia score"
IMMUNE_TYPES = ("t_cell", "macrophage", "b_cell")
# Cut-offs of the two axes that name the quadrant: assumed, for orientation; the shares are the result.
IMMUNE_RICH, FIBROTIC = 0.15, 0.25


@dataclass(frozen=True)
class Axis:
    """A share with its interval, or the reason why it is unknown; ``meaning`` says of what it is a share."""

    share: Estimate | None
    meaning: str
    unknown: str = ""

    def as_dict(self) -> dict[str, object]:
        return {
            "share": None if self.share is None else self.share.as_dict(), "meaning": self.meaning,
            "unknown_because": self.unknown or None,
        }


@dataclass(frozen=True)
class Composite:
    """``axes`` by name, and the ``quadrant`` that immune and fibrotic span, with its bootstrap probability.

    The idea of four classes from immune and fibrotic content is that of Bagaev et al. (Cancer Cell 2021;39:845); lists,
    measure and cut-offs here are not theirs.
    """

    axes: Mapping[str, Axis]
    quadrant: str | None
    probability: float | None

    def as_dict(self) -> dict[str, object]:
        return {
            "axes": {n: a.as_dict() for n, a in self.axes.items()}, "quadrant": self.quadrant,
            "probability": self.probability, "cut_offs": {"immune": IMMUNE_RICH, "fibrotic": FIBROTIC},
        }


def composite(whole: TileSums, samples: TileSums, unknown: Mapping[str, str]) -> Composite:
    """Axes from the sums of the section (1, ...) and of its bootstrap; ``unknown`` has the reason per population."""
    known = set(whole.amount)
    immune = tuple(t for t in IMMUNE_TYPES if t in known)

    def share_of(names: tuple[str, ...], of: str) -> Callable[[TileSums], Array]:
        return lambda s: ratio(np.sum([_total(s, n) for n in names], axis=0), _total(s, of))

    def axis(names: tuple[str, ...], of: str, meaning: str, needed: str) -> tuple[Axis, Array | None, Array | None]:
        if not names or of not in known:
            return Axis(None, meaning, unknown.get(needed, "not measured")), None, None
        f = share_of(names, of)
        return Axis(estimate(f(whole), f(samples)), meaning), f(whole), f(samples)

    def only(name: str) -> tuple[str, ...]:
        return (name,) if name in known else ()

    a, immune_whole, immune_samples = axis(
        immune, ALL_CELLS, "T cells, macrophages and B cells among all cells", "t_cell")
    b, fibrotic_whole, fibrotic_samples = axis(
        only("fibroblast"), ALL_CELLS, "fibroblasts among all cells", "fibroblast")
    c, *_ = axis(only(HYPOXIC_TUMOUR), "tumour",
                 "tumour cells where the hypoxia score is at least twice the section's mean, among tumour cells; "
                 "relative to this section", "hypoxia")
    d, *_ = axis(only("endothelial"), ALL_CELLS, "endothelial cells among all cells", "endothelial")
    axes = {"immune": a, "fibrotic": b, "hypoxic": c, "vascular": d}
    if immune_whole is None or immune_samples is None or fibrotic_whole is None or fibrotic_samples is None:
        return Composite(axes, None, None)
    here = (bool(immune_whole[0] >= IMMUNE_RICH), bool(fibrotic_whole[0] >= FIBROTIC))
    same = ((immune_samples >= IMMUNE_RICH) == here[0]) & ((fibrotic_samples >= FIBROTIC) == here[1])
    name = f"immune-{'rich' if here[0] else 'poor'}, {'fibrotic' if here[1] else 'not fibrotic'}"
    return Composite(axes, name, float(same.mean()))


def _total(s: TileSums, population: str) -> Array:
    return np.asarray(s.amount[population]["nest"] + s.amount[population]["stroma"])
